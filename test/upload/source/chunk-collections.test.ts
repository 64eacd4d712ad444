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

await t.test('one young collection for every 10 MiB', async (t) => {
  const chunkCollections = new ChunkCollections()
  t.notOk(chunkCollections.took(10 * MiB - 1))
  t.ok(chunkCollections.took(1))
  t.notOk(chunkCollections.took(10 * MiB - 1), 'counted anew')
  t.ok(chunkCollections.took(1))
})

await t.test('the collections are those of V8', async (t) => {
  const chunkCollections = new ChunkCollections()
  const found: object[] = []
  const observer = new PerformanceObserver((list) => {
    found.push(...list.getEntries().filter(isYoung))
  })
  observer.observe({ entryTypes: ['gc'] })
  for (let i = 0; i < 100; i++) chunkCollections.took(MiB)
  await until(() => found.length >= 10)
  observer.disconnect()
  t.ok(found.length >= 10, `${found.length} for 100 MiB`)
})

function isYoung(entry: object): boolean {
  const { detail } = entry as { detail?: { kind?: number } }
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR
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

await t.test(
  'that is done from Node 24 on, or where it is asked for',
  async (t) => {
    const isNew = Number.parseInt(process.versions.node) >= 24
    const rows: [boolean | undefined, boolean][] = [
      [undefined, isNew],
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
  },
)

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
