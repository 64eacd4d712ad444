/**
 * Batches of uploads in one process, the memory that each of them leaves, and what
 * of V8's heap is in use in the end, when all garbage is collected.
 */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
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
  const { total_physical_size: heap } = v8.getHeapStatistics()
  curve.push({ resident: process.memoryUsage.rss(), heap })
}
const live = await collected()
await store.close()
process.send({ curve, live }, () => process.exit())

/** Bytes in use after a full collection. */
async function collected() {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc')
  collect()
  // What finalizers let go is garbage of the next one.
  await delay(100)
  collect()
  return process.memoryUsage().heapUsed
}
