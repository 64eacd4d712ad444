import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import t from 'tap'
import { createFixedChunkStream } from '../lib/index.js'
import { noise } from './support/dev-store.js'

async function rechunk(
  chunks: Iterable<Buffer>,
  size: number,
): Promise<Buffer[]> {
  const out: Buffer[] = []
  await pipeline(
    Readable.from(chunks, { objectMode: true }),
    createFixedChunkStream(size),
    async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) out.push(chunk)
    },
  )
  return out
}

function slices(whole: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
    whole.subarray(index * size, (index + 1) * size),
  )
}

await t.test('every cutting gives the plain slices', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.integer({ min: 1, max: 50 }),
      async (chunks, size) => {
        const buffers = chunks.map((chunk) => Buffer.from(chunk))
        const whole = Buffer.concat(buffers)
        t.same(await rechunk(buffers, size), slices(whole, size))
      },
    ),
    { numRuns: 200 },
  )
})

const size = 1000
for (const length of [0, 1, 999, 1000, 1001, 2000, 5432]) {
  await t.test(`${length} bytes in chunks of ${size}`, async (t) => {
    const whole = noise(length)
    t.same(await rechunk([whole], size), slices(whole, size))
  })
}

await t.test('many small writes are copied once', async (t) => {
  const whole = noise(1 << 20)
  const bytes = Array.from(whole, (_, i) => whole.subarray(i, i + 1))
  t.same(await rechunk(bytes, 1 << 20), [whole])
})

await t.test('a reader that waits holds the writer back', async (t) => {
  const stream = createFixedChunkStream(10)
  const slow = new Writable({ objectMode: true, write: () => undefined })
  stream.pipe(slow)
  let taken = 0
  const source = Readable.from(
    (function* () {
      for (; taken < 1000; taken++) yield Buffer.alloc(16_384)
    })(),
  )
  source.pipe(stream)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  // What the streams hold on the way, of 1,000.
  t.ok(taken < 20)
  source.destroy()
  stream.destroy()
  slow.destroy()
})

await t.test('a size that is none is refused', async (t) => {
  for (const wrong of [0, -1, 1.5, Number.NaN]) {
    t.throws(() => createFixedChunkStream(wrong), {
      code: 'PAWL_INVALID_OPTION',
    })
  }
})
