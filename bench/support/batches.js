/** Batches of uploads in one process, and the memory that each of them leaves. */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createResumableUploadStream, uploadFile } from '../../dist/index.js'
import { storeOf, uploadOptions } from '../clients/pawl.js'

const { kind, path, port, batches, atOnce } = JSON.parse(process.argv[2])
const store = storeOf({ port })
const bytes = kind === 'stream' ? await readFile(path) : undefined
const chunk = 64 * 1024

function* chunks() {
  for (let at = 0; at < bytes.length; at += chunk) {
    yield bytes.subarray(at, at + chunk)
  }
}

async function upload(key) {
  const options = uploadOptions({ crc: true }, store, key)
  if (kind === 'file') return uploadFile(path, options)
  const stream = createResumableUploadStream(options)
  await pipeline(Readable.from(chunks()), stream)
  return stream.result
}

const curve = []
for (let batch = 0; batch < batches; batch++) {
  await Promise.all(
    Array.from({ length: atOnce }, (_, i) => upload(`${batch}-${i}`)),
  )
  curve.push(process.memoryUsage.rss())
}
await store.close()
process.send(curve, () => process.exit())
