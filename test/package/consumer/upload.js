/** An upload that may be killed: says what happens, a word of JSON a line. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream, ossStore } from 'pawl'

const [endpoint, file, checkpoint] = process.argv.slice(2)
const upload = createResumableUploadStream({
  store: ossStore({
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
pipeline(createReadStream(file), upload)
  .then(() => upload.result)
  .then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error)
      process.exitCode = 1
    },
  )
