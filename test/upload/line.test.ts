/**
 * Whole uploads over lines that are none, on a clock turned by hand. Of streams:
 * nothing is read from a disk, which would take its time by another clock.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  StoreError,
  type Progress,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { loadXxh64 } from '../../lib/hash/xxh64.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { noise } from '../support/dev-store.js'
import { handClock } from '../support/hand-clock.js'
import { environmentOn, key, turning } from '../support/hand-upload.js'
import { chunksOf } from '../support/small-upload.js'
import {
  type LineOfStore,
  pacedStore,
  type PacedStore,
} from '../support/paced-store.js'

const KiB = 1024
const MiB = 1024 * KiB
const MB = 1e6

const slow: LineOfStore = {
  connection: 4 * MB,
  total: 4 * MB,
  roundTrip: 200,
  buffer: MiB,
}
const fast: LineOfStore = {
  connection: 40 * MB,
  total: 40 * MB,
  roundTrip: 20,
  buffer: MiB,
}

interface Watched extends PacedStore {
  /** `bytesDone`, by the second. */
  seconds: number[]
  /** Of them, what is not stored yet, and a suspension could lose. */
  flying: number[]
  began: number
}

const size = 40 * MiB
const source = noise(size)

/** An upload, and what was seen of it each second. */
async function watched(
  t: Test,
  line: LineOfStore,
  size: number,
  options: Partial<UploadStreamOptions> & {
    prepare?: (store: PacedStore) => void
  } = {},
): Promise<Watched> {
  const { prepare, ...more } = options
  const clock = handClock()
  const paced = pacedStore(line, clock)
  prepare?.(paced)
  const bytes = source.subarray(0, size)
  await loadXxh64()
  const seconds: number[] = []
  const flying: number[] = []
  const began = clock.monotonic()
  let last = 0
  const upload = new ResumableUploadStream(
    { store: paced.store, key, checkpoint: false, size, ...more },
    environmentOn(clock),
  )
  upload.on('progress', ({ bytesDone, bytesStored }: Progress) => {
    t.ok(bytesDone >= last, 'never back')
    last = bytesDone
    const second = Math.floor((clock.monotonic() - began) / 1000)
    seconds[second] = bytesDone
    flying[second] = bytesDone - bytesStored
  })
  const sending = pipeline(Readable.from(chunksOf(bytes, MiB)), upload)
  await turning(clock, sending)
  t.ok(bytes.equals(paced.objects.get(key) ?? Buffer.alloc(0)))
  t.equal(last, size, 'at the end the size')
  return { ...paced, seconds, flying, began }
}

/** Until nothing is left but to make the object. */
function risesEverySecond(t: Test, { seconds }: Watched, size: number): void {
  t.ok(seconds.length >= 8, `${seconds.length} seconds`)
  for (let second = 1; second < seconds.length; second++) {
    const [before = 0, now = 0] = seconds.slice(second - 1)
    const isOver = before === size
    t.ok(now > before || isOver, `second ${second}: ${before}, ${now}`)
  }
}

// What is loaded when it is first needed takes its time by another clock.
await t.test('an upload in small parts is whole', async (t) => {
  const { begun } = await watched(t, slow, MiB, { partSize: 256 * KiB })
  t.equal(begun.length, 4)
})

await t.test('little of it is lost there to who stops it', async (t) => {
  const { seconds, flying } = await watched(t, slow, size)
  for (const [second, bytes] of flying.entries()) {
    t.ok(bytes <= 16 * MiB, `second ${second}: ${bytes} are not stored`)
  }
  const [sent = 0, lost = Infinity] = [seconds[8], flying[8]]
  t.ok(sent > 24 * MiB && lost < sent / 2, `${lost} of ${sent}`)
})

for (const buffer of [MiB, 4 * MiB]) {
  const line = { ...slow, buffer }
  const held = `of buffers of ${buffer / MiB} MiB`

  await t.test(`what is done rises every second, ${held}`, async (t) => {
    risesEverySecond(t, await watched(t, line, size), size)
  })

  await t.test(`also where parts are sent again, ${held}`, async (t) => {
    const failed = new Set<number>()
    const run = await watched(t, line, size, {
      retry: { baseDelay: 100, maxDelay: 400 },
      prepare: (store) => {
        store.fail = (partNumber) => {
          if (failed.has(partNumber) || partNumber % 2 === 0) return undefined
          failed.add(partNumber)
          const error = new StoreError('reset', { kind: 'network' })
          return { after: partNumber * MiB, error }
        }
      },
    })
    t.same([...failed], [1, 3, 5])
    risesEverySecond(t, run, size)
  })
}

for (const where of ['the upload', 'the store'] as const) {
  await t.test(`seconds of a rate of ${where} are alike`, async (t) => {
    const maxRate = 5 * MB
    const run = await watched(t, fast, size, {
      ...(where === 'the upload' ? { maxRate } : {}),
      prepare: (paced) => {
        if (where === 'the store') Object.assign(paced.store, { maxRate })
      },
    })
    const seconds: number[] = []
    for (const { at, bytes } of run.left) {
      const second = Math.floor((at - run.began) / 1000)
      seconds[second] = (seconds[second] ?? 0) + bytes
    }
    t.equal(seconds.length, 9)
    for (const bytes of seconds.slice(3, -1)) {
      t.ok(Math.abs(bytes / maxRate - 1) <= 0.1, `${bytes} bytes in a second`)
    }
  })
}

const far: LineOfStore = {
  connection: 10 * MB,
  total: 100 * MB,
  roundTrip: 50,
  buffer: 64 * KiB,
}

await t.test('it begins with one part, and comes to many', async (t) => {
  const { begun } = await watched(t, far, size, { partSize: MiB })
  t.same(begun.slice(0, 5), [1, 1, 2, 3, 4])
  t.ok(Math.max(...begun) >= 11, begun.join())
})

const numbers: [string, Partial<UploadStreamOptions>, most: number][] = [
  ['a number fixes it', { concurrency: 3 }, 3],
  ['memory bounds it', { memory: 6 * MiB }, 6],
  ['parts in order go alone', { sequential: true }, 1],
  ['a limit for each is for four', { trafficLimit: 838_860_800 }, 4],
]
for (const [name, options, most] of numbers) {
  await t.test(name, async (t) => {
    const more = { partSize: MiB, ...options }
    const { begun } = await watched(t, far, 16 * MiB, more)
    t.equal(Math.max(...begun), most)
  })
}
