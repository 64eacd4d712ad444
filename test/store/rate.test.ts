import t from 'tap'
import {
  checkRate,
  partsWithin,
  Rate,
  rateOfPart,
  viewWithin,
} from '../../lib/store/rate.js'
import { handClock } from '../support/hand-clock.js'

const KiB = 1024
const none = new AbortController().signal

/** When each of some views may go, in ms. */
async function turnsOf(rate: number, views: readonly number[]) {
  const clock = handClock()
  const began = clock.monotonic()
  const paced = new Rate(rate, clock)
  const turns: number[] = []
  const all = views.map(async (bytes) => {
    await paced.take(bytes, none)
    turns.push(clock.monotonic() - began)
  })
  for (let ms = 0; turns.length < views.length; ms++) {
    for (let ticks = 0; ticks < 5; ticks++) await Promise.resolve()
    clock.advance(1)
  }
  await Promise.all(all)
  return turns
}

await t.test('views go at their rate, in the order they came', async (t) => {
  const turns = await turnsOf(1000, [100, 200, 50, 100])
  t.same(turns, [0, 50, 250, 300], 'behind the first by what may be made good')
})

await t.test('what was not used is not saved up', async (t) => {
  const clock = handClock()
  const rate = new Rate(1000, clock)
  await rate.take(10, none)
  clock.advance(60_000)
  const waiting: number[] = []
  const began = clock.monotonic()
  const all = Array.from({ length: 10 }, async () => {
    await rate.take(100, none)
    waiting.push(clock.monotonic() - began)
  })
  while (waiting.length < 10) {
    for (let ticks = 0; ticks < 5; ticks++) await Promise.resolve()
    clock.advance(1)
  }
  await Promise.all(all)
  t.equal(waiting[0], 0)
  t.ok((waiting[9] ?? 0) >= 850, waiting.join())
})

await t.test('who is stopped waits no longer', async (t) => {
  const clock = handClock()
  const rate = new Rate(1, clock)
  await rate.take(1000, none)
  const stop = new AbortController()
  const waiting = rate.take(1, stop.signal)
  const reason = new Error('stopped')
  stop.abort(reason)
  await t.rejects(waiting, reason)
  t.equal(clock.hanging, 0)
})

await t.test('parts and views within a rate', (t) => {
  const rows: [rate: number, parts: number, ofPart: number, view: number][] = [
    [1, 1, 1, 1],
    [1000, 1, 1000, 1000],
    [64 * KiB, 1, 64 * KiB, 16 * KiB],
    [256 * KiB, 4, 64 * KiB, 16 * KiB],
    [5_000_000, 76, 64 * KiB, 78_125],
    [100_000_000, 1525, 64 * KiB, 1_562_500],
  ]
  for (const [rate, parts, ofPart, view] of rows) {
    t.equal(partsWithin(rate), parts, `${rate}`)
    t.equal(rateOfPart(rate), ofPart, `${rate}`)
    t.equal(viewWithin(rate), view, `${rate}`)
  }
  t.end()
})

await t.test('what is no rate is refused', (t) => {
  t.equal(checkRate(undefined), undefined)
  t.equal(checkRate(1), 1)
  for (const bytes of [0, -1, 1.5, NaN, Infinity, '5M', null]) {
    t.throws(() => checkRate(bytes), { code: 'PAWL_INVALID_OPTION' })
  }
  t.end()
})
