import t from 'tap'
import { DispatchQueue } from '../../lib/store/dispatch-queue.js'
import { answerLimit, MovingWatch, stallLimit } from '../../lib/store/moving.js'
import { handClock } from '../support/hand-clock.js'

function watched() {
  const clock = handClock()
  const timedOut: string[] = []
  const watch = new MovingWatch(clock, {
    onTimeOut: (phase, limit) => timedOut.push(`${phase} ${limit}`),
  })
  return { clock, watch, timedOut }
}

await t.test('a body that does not move is given up', async (t) => {
  const { clock, watch, timedOut } = watched()
  watch.sending(1000, () => 7)
  clock.advance(999)
  t.strictSame(timedOut, [])
  clock.advance(1)
  t.strictSame(timedOut, ['stall 1000'])
  clock.advance(10_000)
  t.strictSame(timedOut, ['stall 1000'], 'once')
  t.equal(clock.hanging, 0)
})

await t.test('one that moves by a byte now and then is not', async (t) => {
  const { clock, watch, timedOut } = watched()
  let left = 0
  watch.sending(1000, () => left)
  for (let i = 0; i < 100; i++) {
    clock.advance(700)
    left++
  }
  t.strictSame(timedOut, [])
  // Seen within a quarter of the limit after it moved.
  clock.advance(1251)
  t.strictSame(timedOut, ['stall 1000'])
})

await t.test('one that is held back for a rate is not', async (t) => {
  const { clock, watch, timedOut } = watched()
  let isHeld = true
  watch.sending(
    1000,
    () => 7,
    () => isHeld,
  )
  clock.advance(60_000)
  t.strictSame(timedOut, [])
  isHeld = false
  clock.advance(1251)
  t.strictSame(timedOut, ['stall 1000'])
})

await t.test('the wait for an answer is not extended', async (t) => {
  const { clock, watch, timedOut } = watched()
  watch.waiting(1000)
  clock.advance(999)
  t.strictSame(timedOut, [])
  clock.advance(1)
  t.strictSame(timedOut, ['headers 1000'])
})

await t.test('each phase ends the one before', async (t) => {
  const { clock, watch, timedOut } = watched()
  watch.connecting(1000)
  clock.advance(900)
  watch.sending(1000, () => 0)
  clock.advance(900)
  watch.waiting(1000)
  clock.advance(900)
  watch.end()
  clock.advance(10_000)
  t.strictSame(timedOut, [])
  t.equal(clock.hanging, 0)
})

await t.test('no limit, and limits beyond what timers can', async (t) => {
  for (const limit of [0, Infinity, 2 ** 40]) {
    const { clock, watch, timedOut } = watched()
    watch.waiting(limit)
    clock.advance(2 ** 31)
    t.strictSame(timedOut, [])
    watch.end()
  }
})

await t.test('what arrives in the turn after the limit counts', async (t) => {
  const { clock, watch, timedOut } = watched()
  let left = 0
  watch.sending(1000, () => left)
  clock.advance(750)
  clock.block(250)
  t.strictSame(timedOut, ['stall 1000'], 'nothing arrived')

  const answered = watched()
  answered.watch.waiting(1000)
  // The answer is read in that turn, before the limit is believed.
  answered.clock.soon(() => answered.watch.end())
  answered.clock.block(1000)
  t.strictSame(answered.timedOut, [])

  const moved = watched()
  moved.watch.sending(1000, () => left)
  moved.clock.soon(() => left++)
  moved.clock.block(1000)
  t.strictSame(moved.timedOut, [])
})

await t.test('a loop that was blocked begins the limit anew', async (t) => {
  const { clock, watch, timedOut } = watched()
  watch.waiting(1000)
  clock.block(60_000)
  t.strictSame(timedOut, [])
  clock.advance(999)
  t.strictSame(timedOut, [])
  clock.advance(1)
  t.strictSame(timedOut, ['headers 1000'])
})

await t.test('how long a body may stand', async (t) => {
  const cases: [stall: number, left: number, limit: number][] = [
    [60_000, 0, 60_000],
    [60_000, 300_000, 61_000],
    [60_000, 3_000_000, 70_000],
    [60_000, 8 * 1024 * 1024, 60_000 + (4 * 1024 * 1024) / 300],
    [1000, 3_000_000, 2000],
    [0, 3_000_000, 0],
  ]
  for (const [stall, left, limit] of cases) {
    t.equal(stallLimit(stall, left), limit)
  }
})

await t.test('a full buffer is given time to drain', async (t) => {
  const { clock, watch, timedOut } = watched()
  let left = 0
  watch.sending(1000, () => left)
  left = 3_000_000
  // Seen at the first look, after a quarter of the limit.
  clock.advance(2249)
  t.strictSame(timedOut, [])
  clock.advance(1)
  t.strictSame(timedOut, ['stall 1000'])
})

await t.test('how long an answer may take', async (t) => {
  const cases: [headers: number, size: number, took: number, limit: number][] =
    [
      [120_000, 0, 0, 120_000],
      [120_000, 8_000_000, 100, 200_000],
      [120_000, 8_000_000, 800_000, 920_000],
      [2000, 1_000_000, 0, 12_000],
      [0, 8_000_000, 100, 0],
    ]
  for (const [headers, size, took, limit] of cases) {
    t.equal(answerLimit(headers, { size, took }), limit)
  }
})

await t.test('a request in a queue is not connecting', async (t) => {
  const queue = new DispatchQueue()
  const first = queue.enter(0)
  t.equal(queue.connectingSince(first), 0)
  queue.begin(first, 100)
  const second = queue.enter(200)
  const third = queue.enter(300)
  t.equal(queue.connectingSince(second), undefined)
  // One that came later has begun: the second is not waiting for its turn.
  queue.begin(third, 400)
  queue.begin(third, 450)
  t.equal(queue.connectingSince(second), 400)
  queue.end(third, 500)
  queue.end(first, 600)
  t.equal(queue.connectingSince(second), 600, 'nothing is under way')
  queue.end(second, 700)
  const last = queue.enter(800)
  t.equal(queue.connectingSince(last), 800)
})

await t.test('its limit runs while nothing is under way', async (t) => {
  const { clock, watch, timedOut } = watched()
  const queue = new DispatchQueue()
  const first = queue.enter(clock.monotonic())
  queue.begin(first, clock.monotonic())
  const second = queue.enter(clock.monotonic())
  watch.connecting(1000, () => queue.connectingSince(second))
  clock.advance(60_000)
  t.strictSame(timedOut, [])
  queue.end(first, clock.monotonic())
  clock.advance(999)
  t.strictSame(timedOut, [])
  clock.advance(251)
  t.strictSame(timedOut, ['connect 1000'])
})
