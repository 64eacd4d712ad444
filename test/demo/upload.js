/** The demo's uploader: a process of its own, to be killed. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { createResumableUploadStream, ossStore } from '../../dist/index.js'
import { ProgressLine } from './progress-line.js'

const [endpoint, file, key, checkpoint, gzip] = process.argv.slice(2)

const store = ossStore({ endpoint, region: 'cn-hangzhou', bucket: 'demo' })
const upload = createResumableUploadStream({
  store,
  key,
  checkpoint,
  partSize: 2 * 1024 * 1024,
})
const { size } = await stat(file)
const line = new ProgressLine(gzip === 'gzip' ? undefined : size)
upload.on('resumed', ({ parts, offset }) =>
  line.say(`goes on: ${parts} parts are stored, ${offset} bytes in a row`),
)
upload.on('progress', (progress) => line.show(progress))

const source = createReadStream(file)
if (gzip === 'gzip') await pipeline(source, createGzip(), upload)
else await pipeline(source, upload)
line.end()

const { parts, partsReused, verified } = await upload.result
process.send?.({ parts, partsReused, verified })
await store.close()
