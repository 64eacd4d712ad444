/** An upload, and which packages were required for it: a line of JSON. */
import { createRequire } from 'node:module'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream, ossStore } from 'pawl'

const [endpoint, file] = process.argv.slice(2)
const upload = createResumableUploadStream({
  store: ossStore({
    endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
  }),
  key: 'db.dump',
  checkpoint: false,
})
await pipeline(createReadStream(file), upload)
await upload.result
const { cache } = createRequire(import.meta.url)
console.log(JSON.stringify(Object.keys(cache)))
