/** One run of one upload; says `done` or a code, and its peak memory in KiB. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream, ossStore } from '../../dist/index.js'

const { endpoint, path, partSize, key } = JSON.parse(process.argv[2])
const upload = createResumableUploadStream({
  store: ossStore({
    endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' },
  }),
  key,
  checkpoint: `${path}.pawl`,
  partSize,
  retry: { baseDelay: 10, maxDelay: 100 },
  timeout: { connect: 2000, stall: 1000, headers: 1000, complete: 1000 },
})
let said = 'done'
try {
  await pipeline(createReadStream(`${path}.source`), upload)
} catch (error) {
  said = error.code ?? String(error)
  process.exitCode = 2
}
await upload.result.catch(() => undefined)
process.stdout.write(`${said} ${process.resourceUsage().maxRSS}`)
