/** `upload.js` for those who write CommonJS. */
const { createReadStream } = require('node:fs')
const { pipeline } = require('node:stream/promises')

async function main([endpoint, file, checkpoint]) {
  const canRequire = process.features.require_module
  const pawl = canRequire ? require('pawl') : await import('pawl')
  const upload = pawl.createResumableUploadStream({
    store: pawl.ossStore({
      endpoint,
      region: 'cn-hangzhou',
      bucket: 'examplebucket',
      credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
    }),
    key: 'db.dump',
    checkpoint,
    partSize: 1024 * 1024,
    concurrency: 1,
  })
  upload.on('part', ({ partNumber }) => console.log(JSON.stringify(partNumber)))
  await pipeline(createReadStream(file), upload)
  console.log(JSON.stringify(await upload.result))
}

void main(process.argv.slice(2))
