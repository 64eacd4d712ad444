/** What is done so that V8 frees chunks before it has to collect everything. */
import { once } from 'node:events'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import { ChunkCollections } from '../../../lib/upload/source/chunk-collections.js'
import {
  createPartStream,
  createResumableUploadStream,
} from '../../../lib/index.js'
import { devStore } from '../../support/dev-store.js'
import { until } from '../../support/small-upload.js'

const MiB = 1024 ** 2
const KiB64 = 64 * 1024

const isNew = Number.parseInt(process.versions.node) >= 24
/** Bytes of chunks between two collections. */
const every = (isNew ? 10 : 12) * MiB

await t.test('a young collection for every few MiB', async (t) => {
  const chunkCollections = new ChunkCollections()
  for (const when of ['first', 'counted anew']) {
    for (let bytes = KiB64; bytes < every; bytes += KiB64) {
      t.notOk(chunkCollections.took(KiB64), when)
    }
    t.ok(chunkCollections.took(KiB64), when)
  }
})

await t.test('of large chunks only where few are too many', async (t) => {
  const chunkCollections = new ChunkCollections()
  const led = Array.from({ length: 10 }, () => chunkCollections.took(4 * MiB))
  t.equal(led.includes(true), isNew)
})

await t.test('memory that is kept for chunks is not touched', async (t) => {
  const chunkCollections = new ChunkCollections()
  const before = process.memoryUsage.rss()
  t.ok(chunkCollections.retain(), 'the first time')
  t.notOk(chunkCollections.retain(), 'once a process is enough')
  // 16 MiB would be seen; the rest of the process takes some, too.
  t.ok(process.memoryUsage.rss() - before < 12 * MiB)
})

await t.test('the collections are those of V8', async (t) => {
  const chunkCollections = new ChunkCollections()
  const found: object[] = []
  const observer = new PerformanceObserver((list) => {
    found.push(...list.getEntries())
  })
  observer.observe({ entryTypes: ['gc'] })
  const of = (kind: number): number =>
    found.filter((entry) => kindOf(entry) === kind).length
  const young = (): number => of(constants.NODE_PERFORMANCE_GC_MINOR)
  for (let i = 0; i < 16 * 160; i++) {
    const { byteLength } = Buffer.alloc(KiB64)
    chunkCollections.took(byteLength)
    // As between two chunks of a source.
    await new Promise(setImmediate)
  }
  // By itself V8 makes five.
  await until(() => young() >= 10)
  observer.disconnect()
  t.ok(young() >= 10, `${young()} for 160 MiB`)
  const whole = of(constants.NODE_PERFORMANCE_GC_MAJOR)
  t.ok(whole < 6, `${whole} of the whole heap`)
})

function kindOf(entry: object): number | undefined {
  return (entry as { detail?: { kind?: number } }).detail?.kind
}

/** The bytes counted while 160 chunks of 64 KiB, 10 MiB, are cut into parts. */
async function counted(
  t: Test,
  chunk: (i: number) => Buffer,
  chunkCollections?: boolean,
): Promise<number> {
  const calls = t.capture(ChunkCollections.prototype, 'took', () => false)
  const chunks = Array.from({ length: 160 }, (_, i) => i)
  const parts = createPartStream({
    partSize: MiB,
    ...(chunkCollections === undefined ? {} : { chunkCollections }),
  })
  parts.on('data', ({ release }: { release: () => void }) => release())
  const ended = once(parts, 'end')
  await pipeline(Readable.from(chunks).map(chunk), parts)
  await ended
  return calls().reduce((sum, { args: [bytes] }) => sum + bytes, 0)
}

await t.test('what a source allocates is counted', async (t) => {
  t.equal(await counted(t, () => Buffer.alloc(KiB64), true), 10 * MiB)
})

await t.test('that is done unless somebody says otherwise', async (t) => {
  const rows: [boolean | undefined, boolean][] = [
    [undefined, true],
    [true, true],
    [false, false],
  ]
  for (const [asked, isDone] of rows) {
    const bytes = await counted(t, () => Buffer.alloc(KiB64), asked)
    t.equal(bytes > 0, isDone, `${asked}: parts`)
    const calls = t.capture(ChunkCollections.prototype, 'took', () => false)
    const { store } = await devStore(t)
    const upload = createResumableUploadStream({
      store,
      key: 'k',
      checkpoint: false,
      ...(asked === undefined ? {} : { chunkCollections: asked }),
    })
    await pipeline(Readable.from([Buffer.alloc(KiB64)]), upload)
    t.equal(calls().length > 0, isDone, `${asked}: an upload`)
  }
})

await t.test('what is neither is refused', async (t) => {
  const chunkCollections = 1 as never
  const refused = { code: 'PAWL_INVALID_OPTION', message: /chunkCollections/ }
  t.throws(() => createPartStream({ partSize: 1, chunkCollections }), refused)
  const { store } = await devStore(t)
  const options = {
    store,
    key: 'k',
    checkpoint: false,
    chunkCollections,
  } as const
  t.throws(() => createResumableUploadStream(options), refused)
})

await t.test('views of one buffer are counted once', async (t) => {
  const memory = Buffer.alloc(MiB)
  const view = (i: number): Buffer => {
    const at = (i % 16) * KiB64
    return memory.subarray(at, at + KiB64)
  }
  t.equal(await counted(t, view, true), MiB)
})
