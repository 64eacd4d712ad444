/**
 * The part pipeline (`createPartStream`) beside its floors: xxh64 alone, and
 * xxh64 + one copy into reused buffers, over the same chunks.
 */
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { createPartStream } from '../dist/upload/part-stream.js'
import { loadXxh64 } from '../dist/hash/xxh64.js'
import {
  median,
  spread,
  gigabytesPerSecond,
  printTable,
} from './support/report.js'

const MiB = 1024 * 1024
const partSize = 8 * MiB
const quick = process.argv.includes('--quick')
const runs = quick ? 5 : 7

const subjects = [
  { chunk: 1, total: 1 * MiB },
  { chunk: 64, total: 32 * MiB },
  { chunk: 4096, total: 512 * MiB },
  { chunk: 16 * 1024, total: 1024 * MiB },
  { chunk: 64 * 1024, total: 1024 * MiB },
  { chunk: MiB, total: 1024 * MiB },
  { chunk: 8 * MiB, total: 1024 * MiB },
]

const xxh64 = await loadXxh64()

/** Chunks from a source larger than the processor's cache, as a file's are. */
function* chunks(size, total) {
  const ring = ringOf(size)
  for (let sent = 0, i = 0; sent < total; sent += size, i++) {
    yield ring[i % ring.length]
  }
}

const rings = new Map()
function ringOf(size) {
  let ring = rings.get(size)
  if (ring === undefined) {
    const memory = Buffer.alloc(64 * MiB, 'pawl')
    const count = Math.min(Math.floor(memory.length / size), 1024)
    ring = Array.from({ length: count }, (_, i) =>
      memory.subarray(i * size, (i + 1) * size),
    )
    rings.set(size, ring)
  }
  return ring
}

function hashOnly(size, total) {
  let hash = xxh64.create()
  let filled = 0
  for (const chunk of chunks(size, total)) {
    hash.update(chunk)
    filled += size
    if (filled >= partSize) {
      hash.digest()
      hash = xxh64.create()
      filled = 0
    }
  }
}

const reused = [new Uint8Array(partSize), new Uint8Array(partSize)]
function hashAndCopy(size, total) {
  let hash = xxh64.create()
  let filled = 0
  let part = 0
  for (const chunk of chunks(size, total)) {
    reused[part % 2].set(chunk, filled)
    hash.update(chunk)
    filled += size
    if (filled >= partSize) {
      hash.digest()
      hash = xxh64.create()
      filled = 0
      part++
    }
  }
}

async function partStream(size, total) {
  await pipeline(
    Readable.from(chunks(size, total), { objectMode: true, highWaterMark: 1 }),
    createPartStream({ partSize, buffers: 2 }),
    new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(part, _encoding, done) {
        part.release()
        done()
      },
    }),
  )
}

/** Writes without a Readable in front: what the part stream itself costs. */
async function partStreamWritten(size, total) {
  const stream = createPartStream({ partSize, buffers: 2 })
  stream.on('data', (part) => part.release())
  const ended = new Promise((resolve, reject) => {
    stream.once('end', resolve)
    stream.once('error', reject)
  })
  for (const chunk of chunks(size, total)) {
    if (!stream.write(chunk)) {
      await new Promise((resolve) => stream.once('drain', resolve))
    }
  }
  stream.end()
  await ended
}

const rows = []
for (const { chunk, total } of subjects) {
  const contenders = { hashOnly, hashAndCopy, partStreamWritten, partStream }
  const times = Object.fromEntries(Object.keys(contenders).map((n) => [n, []]))
  for (let run = -1; run < runs; run++) {
    for (const [name, work] of Object.entries(contenders)) {
      const start = process.hrtime.bigint()
      await work(chunk, total)
      const seconds = Number(process.hrtime.bigint() - start) / 1e9
      if (run >= 0) times[name].push(seconds)
    }
  }
  const rate = (name) => gigabytesPerSecond(total, median(times[name]))
  rows.push({
    'chunk (bytes)': chunk,
    'xxh64 (GB/s)': rate('hashOnly').toFixed(2),
    'xxh64 + copy (GB/s)': rate('hashAndCopy').toFixed(2),
    'part stream (GB/s)': rate('partStreamWritten').toFixed(2),
    'of floor': (rate('partStreamWritten') / rate('hashAndCopy')).toFixed(2),
    'behind a Readable (GB/s)': rate('partStream').toFixed(2),
    spread: spread(times.partStreamWritten),
  })
}
printTable(`part pipeline, ${runs} runs interleaved, medians`, rows)
