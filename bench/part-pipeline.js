/**
 * The part pipeline (`createPartStream`) beside its floors: xxh64 alone, and
 * xxh64 + one copy into reused buffers, over the same chunks.
 */
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createPartStream } from './modules/upload/source/part-stream.js'
import { loadXxh64 } from './modules/hash/xxh64.js'
import { gigabytesPerSecond, median, spread } from './support/report.js'

const MiB = 1024 * 1024
const partSize = 8 * MiB

export const title = 'the part pipeline'

const subjects = [
  { chunk: 1, total: 1 * MiB },
  { chunk: 64, total: 32 * MiB },
  { chunk: 4096, total: 256 * MiB },
  { chunk: 16 * 1024, total: 512 * MiB },
  { chunk: 64 * 1024, total: 512 * MiB },
  { chunk: MiB, total: 512 * MiB },
  { chunk: 8 * MiB, total: 512 * MiB },
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

const contenders = { hashOnly, hashAndCopy, partStreamWritten, partStream }

export async function run({ runs, quick }) {
  const rows = []
  const goals = []
  for (const { chunk, total: whole } of subjects) {
    const total = quick ? whole / 4 : whole
    const found = await measure({ chunk, total, runs: Math.max(3, runs * 2) })
    const rate = (name) => gigabytesPerSecond(total, found[name].seconds)
    const ofFloor = rate('partStreamWritten') / rate('hashAndCopy')
    rows.push({
      'chunk, bytes': chunk,
      'xxh64, GB/s': rate('hashOnly').toFixed(2),
      '+ copy, GB/s': rate('hashAndCopy').toFixed(2),
      'part stream, GB/s': rate('partStreamWritten').toFixed(2),
      'of floor': ofFloor.toFixed(2),
      'behind a Readable, GB/s': rate('partStream').toFixed(2),
      spread: found.partStreamWritten.spread,
    })
    if (chunk === 64 * 1024) {
      goals.push({
        goal: 'part pipeline at 64 KiB chunks, of xxh64 + one copy',
        atLeast: 0.8,
        measured: ofFloor,
      })
    }
  }
  return { tables: [{ title, rows }], goals }
}

/** CPU seconds of the process, medians: all in one process, in turn. */
async function measure({ chunk, total, runs }) {
  const names = Object.keys(contenders)
  const times = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -1; round < runs; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + names.length) % names.length]
      const start = process.cpuUsage()
      await contenders[name](chunk, total)
      const { user, system } = process.cpuUsage(start)
      if (round >= 0) times[name].push((user + system) / 1e6)
    }
  }
  return Object.fromEntries(
    names.map((name) => [
      name,
      { seconds: median(times[name]), spread: spread(times[name]) },
    ]),
  )
}
