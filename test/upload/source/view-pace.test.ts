import t from 'tap'
import {
  largestView,
  nextViewSize,
  ViewPace,
} from '../../../lib/upload/source/view-pace.js'

const KiB = 1024
const MiB = 1024 * KiB

await t.test('views grow where they are fast, and shrink where slow', (t) => {
  const rows: [size: number, ms: number, next: number][] = [
    [512 * KiB, 0, MiB],
    [512 * KiB, 24, MiB],
    [512 * KiB, 25, 512 * KiB],
    [512 * KiB, 100, 512 * KiB],
    [512 * KiB, 101, 256 * KiB],
    [largestView, 0, largestView],
    [64 * KiB, 60_000, 64 * KiB],
  ]
  for (const [size, ms, next] of rows) {
    t.equal(nextViewSize(size, ms), next, `${size} bytes in ${ms} ms`)
  }
  t.end()
})

/** In the middle of a body. */
const whole = { size: 64 * MiB, sent: 32 * MiB }

function paceWithClock() {
  let now = 0
  const pace = new ViewPace(() => now)
  return {
    pace,
    /** A view goes out, in so many ms. */
    send: (bytes: number, ms: number, body = whole) => {
      const sent = pace.start(bytes, body)
      now += ms
      sent()
    },
  }
}

await t.test('the pace follows the views', (t) => {
  const { pace, send } = paceWithClock()
  t.equal(pace.size, 512 * KiB)
  for (let i = 0; i < 10; i++) send(pace.size, 5)
  t.equal(pace.size, largestView)
  send(pace.size, 3000)
  t.equal(pace.size, largestView / 2)
  t.end()
})

await t.test('the short end of a part makes it slower, never faster', (t) => {
  const { pace, send } = paceWithClock()
  send(1, 0)
  t.equal(pace.size, 512 * KiB)
  send(1, 500)
  t.equal(pace.size, 256 * KiB)
  t.end()
})

await t.test('what the system’s buffers take at once says nothing', (t) => {
  const rows: [size: number, sent: number, isTold: boolean][] = [
    [8 * MiB, 0, false],
    [8 * MiB, 4 * MiB - 1, false],
    [8 * MiB, 4 * MiB, true],
    [64 * MiB, 4 * MiB, true],
    [2 * MiB, MiB - 1, false],
    [2 * MiB, MiB, true],
  ]
  for (const [size, sent, isTold] of rows) {
    const { pace, send } = paceWithClock()
    send(pace.size, 0, { size, sent })
    const next = (isTold ? 1024 : 512) * KiB
    t.equal(pace.size, next, `${sent} bytes of ${size} have gone`)
    send(pace.size, 500, { size, sent })
    t.equal(pace.size, next / 2, 'that it was slow counts')
  }
  t.end()
})

await t.test('parts at the same time do not multiply the pace', (t) => {
  const { pace } = paceWithClock()
  const sent = [1, 2, 3, 4].map(() => pace.start(pace.size, whole))
  for (const one of sent) one()
  t.equal(pace.size, MiB)
  t.end()
})
