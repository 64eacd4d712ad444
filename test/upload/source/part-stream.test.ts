import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  setImmediate as nextTurn,
  setTimeout as delay,
} from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import { hex64 } from '../../../lib/hash/xxh64.js'
import type { PartSizes } from '../../../lib/checkpoint/growth.js'
import { realEnvironment } from '../../../lib/environment.js'
import { Deferred } from '../../../lib/signals.js'
import { MemoryPool } from '../../../lib/upload/source/memory-pool.js'
import { PartBuffers, pooled } from '../../../lib/upload/source/part-buffers.js'
import {
  loadCuttingTools,
  PartCutter,
} from '../../../lib/upload/source/part-cutter.js'
import {
  createPartStream,
  type Part,
} from '../../../lib/upload/source/part-stream.js'

const tools = await loadCuttingTools()
const { xxh64 } = tools

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Cut {
  partNumber: number
  offset: number
  size: number
  bytes: Buffer
  xxh64: string
}

/** Writes chunks, releases each part when it has been copied. */
async function cut(
  chunks: Iterable<Uint8Array>,
  partSize: number,
  buffers = 2,
): Promise<Cut[]> {
  const cuts: Cut[] = []
  await pipeline(
    Readable.from(chunks, { objectMode: true }),
    createPartStream({ partSize, buffers }),
    new Writable({
      objectMode: true,
      write(part: Part, _encoding, done) {
        const { partNumber, offset, size, data, xxh64 } = part
        const bytes = Buffer.from(data)
        cuts.push({ partNumber, offset, size, bytes, xxh64 })
        part.release()
        done()
      },
    }),
  )
  return cuts
}

function hashOf(bytes: Buffer): string {
  const hash = xxh64.create()
  hash.update(bytes)
  return hex64(hash.digest())
}

/** What the parts must be: plain slices of the whole. */
function slices(whole: Buffer, partSize: number): Cut[] {
  return slicesOf(whole, () => partSize)
}

/** The same of parts that have each their own size. */
function slicesOf(
  whole: Buffer,
  sizeOf: (partNumber: number) => number,
): Cut[] {
  const cuts: Cut[] = []
  for (let offset = 0; offset < whole.length;) {
    const partNumber = cuts.length + 1
    const bytes = whole.subarray(offset, offset + sizeOf(partNumber))
    const size = bytes.length
    cuts.push({ partNumber, offset, size, bytes, xxh64: hashOf(bytes) })
    offset += size
  }
  return cuts
}

function* pieces(whole: Buffer, sizes: readonly number[]) {
  let offset = 0
  for (let i = 0; offset < whole.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield whole.subarray(offset, offset + size)
    offset += size
  }
}

const partSize = 1000
const lengths = [0, 1, 999, 1000, 1001, 1999, 2000, 2001, 4000, 5432]
const cuttings: [string, number[]][] = [
  ['one byte at a time', [1]],
  ['a byte less than a part', [999]],
  ['exactly parts', [1000]],
  ['a byte more than a part', [1001]],
  ['several parts at once', [3000]],
  ['all at once', [10_000]],
  ['with empty chunks between', [0, 400, 0, 600, 0]],
  ['uneven', [1, 7, 1300, 64, 250]],
]

for (const [name, sizes] of cuttings) {
  await t.test(`parts are plain slices for chunks ${name}`, async (t) => {
    for (const length of lengths) {
      const whole = randomBytes(length)
      t.same(
        await cut(pieces(whole, sizes), partSize),
        slices(whole, partSize),
        `${length} bytes`,
      )
    }
  })
}

await t.test('any cutting of any input gives the plain slices', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 4 }),
      async (chunks, size, buffers) => {
        const whole = Buffer.concat(chunks)
        const found = await cut(chunks, size, buffers)
        t.strictSame(found, slices(whole, size))
      },
    ),
    { numRuns: 200 },
  )
})

await t.test(
  'parts larger than the block that is hashed at once',
  async (t) => {
    const whole = randomBytes(1_000_003)
    const found = await cut(pieces(whole, [65_536]), 300_000)
    t.same(found, slices(whole, 300_000))
  },
)

const KiB = 1024
const gatherings: [string, number[]][] = [
  ['gathered', [64 * KiB]],
  ['too small to be hashed on their own', [4 * KiB - 1]],
  ['small behind large', [16 * KiB, 5, 17 * KiB, 1]],
  ['around what is gathered', [128 * KiB - 1, 1, 128 * KiB, 128 * KiB + 1]],
  ['of every kind', [3, 64 * KiB, 300 * KiB, 20 * KiB, 1000, 700 * KiB]],
]

for (const [name, sizes] of gatherings) {
  await t.test(`large parts are plain slices for chunks ${name}`, async (t) => {
    const whole = randomBytes(1500 * KiB + 7)
    for (const size of [100 * KiB, 128 * KiB, 300 * KiB, 1024 * KiB]) {
      const found = await cut(pieces(whole, sizes), size)
      t.ok(
        found.every(({ bytes }, i) =>
          bytes.equals(slices(whole, size)[i]?.bytes ?? Buffer.alloc(0)),
        ),
        `bytes of parts of ${size}`,
      )
      const hashes = (cuts: Cut[]) => cuts.map(({ xxh64 }) => xxh64)
      t.same(hashes(found), hashes(slices(whole, size)))
    }
  })
}

await t.test('chunks in shared memory are taken like others', async (t) => {
  const shared = new Uint8Array(new SharedArrayBuffer(200 * KiB))
  shared.set(randomBytes(shared.length))
  const chunks = pieces(Buffer.from(shared.buffer), [64 * KiB, 100])
  const whole = Buffer.from(shared)
  t.same(await cut(chunks, 90 * KiB), slices(whole, 90 * KiB))
})

await t.test('a full part comes out before the next chunk', async (t) => {
  const stream = createPartStream({ partSize: 1000, buffers: 2 })
  for (const size of [400, 599, 1]) stream.write(randomBytes(size))
  const [part]: Part[] = await once(stream, 'data')
  t.equal(part?.size, 1000)
  stream.destroy()
  await once(stream, 'close')
})

await t.test('any cutting around the block that is gathered', async (t) => {
  const KiB = 1024
  const size = fc.oneof(
    fc.integer({ min: 0, max: 70 }),
    fc.integer({ min: 15 * KiB, max: 17 * KiB }),
    fc.integer({ min: 60 * KiB, max: 68 * KiB }),
    fc.integer({ min: 127 * KiB, max: 129 * KiB }),
    fc.integer({ min: 250 * KiB, max: 600 * KiB }),
  )
  const whole = randomBytes(8 * KiB * KiB)
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 40 }),
      fc.oneof(
        fc.integer({ min: 100 * KiB, max: 140 * KiB }),
        fc.constantFrom(128 * KiB, 192 * KiB, 256 * KiB, 300_000),
      ),
      fc.boolean(),
      async (sizes, partSize, isShared) => {
        const length = Math.min(
          sizes.reduce((sum, one) => sum + one, 0),
          whole.length,
        )
        const bytes = whole.subarray(0, length)
        const source = isShared ? shared(bytes) : bytes
        let at = 0
        const chunks = sizes.map((one) => {
          const chunk = source.subarray(at, Math.min(at + one, length))
          at += chunk.length
          return chunk
        })
        t.strictSame(await cut(chunks, partSize, 3), slices(bytes, partSize))
      },
    ),
    { numRuns: 150 },
  )
})

/** The same bytes in memory that another thread could write. */
function shared(bytes: Buffer): Buffer {
  const memory = new SharedArrayBuffer(bytes.length)
  const copy = Buffer.from(memory)
  bytes.copy(copy)
  return copy
}

/** The same into blocks of the process's, as an upload has it. */
async function cutIntoBlocks(
  chunks: Iterable<Uint8Array>,
  sizes: PartSizes,
  pool: MemoryPool,
): Promise<Cut[]> {
  const cuts: Cut[] = []
  const done = new Deferred<void>()
  const cutter = new PartCutter({
    sizes,
    buffers: new PartBuffers(sizes.partSize, 2, pooled(pool, true), {
      isShortFirst: true,
    }),
    tools,
    collections: { took: () => false, retain: () => false },
    onPart({ pieces, release, ...part }, next) {
      cuts.push({ ...part, bytes: Buffer.concat(pieces) })
      release()
      next()
    },
    onError: (error) => done.reject(error),
  })
  for (const chunk of chunks) {
    await new Promise<void>((resolve) => cutter.write(chunk, resolve))
  }
  cutter.end(() => done.resolve())
  await done.promise
  return cuts
}

await t.test('parts of many blocks are plain slices', async (t) => {
  const pool = new MemoryPool(realEnvironment, () => undefined)
  const whole = randomBytes(3 * 1024 * KiB)
  const size = fc.oneof(
    fc.integer({ min: 0, max: 70 }),
    fc.integer({ min: 63 * KiB, max: 65 * KiB }),
    fc.integer({ min: 127 * KiB, max: 129 * KiB }),
    fc.integer({ min: 250 * KiB, max: 1500 * KiB }),
  )
  const partSize = fc.oneof(
    fc.integer({ min: 1, max: 70 * KiB }),
    fc.integer({ min: 300 * KiB, max: 400 * KiB }),
    fc.constantFrom(64 * KiB, 128 * KiB, 320 * KiB, 1344 * KiB, 2048 * KiB),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 20 }),
      partSize,
      fc.boolean(),
      async (sizes, wanted, isShared) => {
        const length = Math.min(
          sizes.reduce((sum, one) => sum + one, 0),
          whole.length,
        )
        // Thousands of parts of a few bytes would take long and say no more.
        const size = Math.max(wanted, length >> 8, 1)
        const bytes = whole.subarray(0, length)
        const source = isShared ? shared(bytes) : bytes
        let at = 0
        const chunks = sizes.map((one) => {
          const chunk = source.subarray(at, Math.min(at + one, length))
          at += chunk.length
          return chunk
        })
        const found = await cutIntoBlocks(chunks, { partSize: size }, pool)
        t.strictSame(found, slices(bytes, size))
        t.equal(pool.bytesInUse, 0)
      },
    ),
    { numRuns: 60 },
  )
})

await t.test(
  'parts that grow are plain slices, each of its size',
  async (t) => {
    const pool = new MemoryPool(realEnvironment, () => undefined)
    const whole = randomBytes(2 * 1024 * KiB)
    const size = fc.oneof(
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 15 * KiB, max: 17 * KiB }),
      fc.integer({ min: 127 * KiB, max: 129 * KiB }),
      fc.integer({ min: 250 * KiB, max: 1500 * KiB }),
    )
    const partSize = fc.oneof(
      fc.integer({ min: 8 * KiB, max: 70 * KiB }),
      fc.constantFrom(16 * KiB, 64 * KiB, 128 * KiB),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { minLength: 1, maxLength: 20 }),
        partSize,
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 6 }),
            fc.integer({ min: 1, max: 5 }),
          ),
          {
            minLength: 1,
            maxLength: 3,
          },
        ),
        async (sizes, first, steps) => {
          let [from, last] = [1, first]
          const growth = steps.map(([after, times]) => {
            from += after
            last += times * first
            return { from, partSize: last }
          })
          let at = 0
          const chunks = sizes.map((one) => {
            const chunk = whole.subarray(at, at + one)
            at += chunk.length
            return chunk
          })
          const all = { partSize: first, growth }
          const found = await cutIntoBlocks(chunks, all, pool)
          const sizeOf = (n: number): number =>
            growth.findLast((step) => step.from <= n)?.partSize ?? first
          t.strictSame(found, slicesOf(whole.subarray(0, at), sizeOf))
          t.equal(pool.bytesInUse, 0)
        },
      ),
      { numRuns: 60 },
    )
  },
)

await t.test('nothing is cut while all buffers are out', async (t) => {
  const stream = createPartStream({ partSize: 10, buffers: 2 })
  const parts: Part[] = []
  stream.on('data', (part: Part) => parts.push(part))
  const writing = pipeline(Readable.from([randomBytes(95)]), stream)
  while (parts.length < 2) await nextTurn()
  for (let turn = 0; turn < 50; turn++) await nextTurn()
  t.equal(parts.length, 2, 'two buffers, two parts')
  const [first, second] = parts
  t.not(first?.data.buffer, second?.data.buffer)
  first?.release()
  first?.release()
  while (parts.length < 3) await nextTurn()
  for (let turn = 0; turn < 50; turn++) await nextTurn()
  t.equal(parts.length, 3, 'one came back, one more was cut')
  t.equal(parts[2]?.data.buffer, first?.data.buffer, 'into the same memory')
  for (let i = 1; i < 10; i++) {
    while (parts.length <= i) await nextTurn()
    parts[i]?.release()
  }
  await writing
  t.equal(parts.length, 10)
})

await t.test('the bytes taken stop when nobody reads', async (t) => {
  const stream = createPartStream({ partSize: 1000, buffers: 3 })
  let taken = 0
  function* source() {
    for (;;) {
      taken += 100
      yield randomBytes(100)
    }
  }
  const readable = Readable.from(source(), { highWaterMark: 1 })
  readable.pipe(stream)
  let before = -1
  while (taken !== before) {
    before = taken
    for (let turn = 0; turn < 50; turn++) await nextTurn()
  }
  const bound = 3 * 1000 + stream.writableHighWaterMark + 1000
  t.ok(taken <= bound, `${taken} bytes taken, at most ${bound}`)
  readable.destroy()
  stream.destroy()
  await once(stream, 'close')
})

await t.test('chunks are copied, never kept', async (t) => {
  const stream = createPartStream({ partSize: 8, buffers: 2 })
  const parts: Part[] = []
  stream.on('data', (part: Part) => parts.push(part))
  const chunk = Buffer.from('abcdefgh')
  await new Promise<void>((resolve) => stream.write(chunk, () => resolve()))
  chunk.fill(0)
  stream.end()
  await once(stream, 'end')
  t.equal(Buffer.from(parts[0]?.data ?? []).toString(), 'abcdefgh')
})

await t.test('small views of large buffers do not pin them', async (t) => {
  const stream = createPartStream({ partSize: 1 << 20, buffers: 2 })
  stream.on('data', (part: Part) => part.release())
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 2000; i++) {
    const large = Buffer.alloc(64 * 1024)
    if (!stream.write(large.subarray(0, 64))) await once(stream, 'drain')
  }
  const grown = (): number => process.memoryUsage().arrayBuffers - before
  // Node 26 leaves them for later, and frees them beside the program.
  for (let tries = 0; tries < 100 && grown() >= 50 << 20; tries++) {
    collectGarbage()
    await delay(20)
  }
  // 2000 buffers of 64 KiB are 125 MiB.
  t.ok(grown() < 50 << 20, `${grown()} bytes more`)
  stream.destroy()
  await once(stream, 'close')
})

await t.test('an error of the source ends the stream with it', async (t) => {
  const failure = new Error('the disk is gone')
  function* source() {
    yield randomBytes(1500)
    throw failure
  }
  await t.rejects(cut(source(), 1000), failure)
})

await t.test('a destroyed stream closes in the middle of a part', async (t) => {
  const stream = createPartStream({ partSize: 1000, buffers: 1 })
  stream.write(randomBytes(1500))
  await once(stream, 'readable')
  stream.destroy()
  await once(stream, 'close')
  t.ok(stream.destroyed)
})

for (const options of [
  { partSize: 0 },
  { partSize: 1.5 },
  { partSize: Number.NaN },
  { partSize: 10, buffers: 0 },
]) {
  await t.test(`refuses ${JSON.stringify(options)}`, async (t) => {
    t.throws(() => createPartStream(options), { code: 'PAWL_INVALID_OPTION' })
  })
}
