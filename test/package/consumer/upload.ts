/** `upload.js` for those who write TypeScript. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import {
  createResumableUploadStream,
  ossStore,
  type PartEvent,
  type UploadStreamOptions,
} from 'pawl'

const [endpoint = '', file = '', checkpoint = ''] = process.argv.slice(2)
const options: UploadStreamOptions = {
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
}
const upload = createResumableUploadStream(options)
upload.on('part', ({ partNumber }: PartEvent) =>
  console.log(JSON.stringify(partNumber)),
)
await pipeline(createReadStream(file), upload)
console.log(JSON.stringify(await upload.result))
