import t from 'tap'
import { handClock } from '../../support/hand-clock.js'
import {
  ProgressCounter,
  type Progress,
} from '../../../lib/upload/options/progress.js'

function counter(total?: number) {
  const said: Progress[] = []
  const clock = handClock()
  const progress = new ProgressCounter(
    total,
    (counts) => said.push(counts),
    clock,
  )
  return { said, clock, progress }
}

await t.test('it speaks at most every 100 ms, and at the end', async (t) => {
  const { said, clock, progress } = counter(50)
  progress.read(1)
  progress.read(2)
  clock.advance(99)
  const flight = progress.flight(7)
  flight.attempt()
  flight.sent(3)
  t.equal(said.length, 1)
  flight.sent(4)
  t.equal(said.length, 1)
  clock.advance(1)
  t.equal(said.length, 2)
  flight.end()
  progress.stored(7)
  progress.end()
  t.same(said, [
    zero({ bytesRead: 1 }),
    zero({ bytesRead: 3, bytesSent: 7, bytesDone: 7 }),
    zero({ bytesRead: 3, bytesSent: 7, bytesStored: 7, bytesDone: 7 }),
  ])
  t.equal(clock.hanging, 0)
})

await t.test('an empty body counts for nothing', async (t) => {
  const { said, progress } = counter(0)
  const flight = progress.flight(0)
  flight.attempt()
  flight.sent(0)
  flight.end()
  progress.stored(0)
  t.same(said, [zero({ bytesTotal: 0 })])
})

await t.test(
  'what is counted last is said, though nothing follows',
  async (t) => {
    const { said, clock, progress } = counter(50)
    progress.read(1)
    progress.read(2)
    progress.read(3)
    clock.advance(100)
    t.same(said, [zero({ bytesRead: 1 }), zero({ bytesRead: 6 })])
    clock.advance(1000)
    t.equal(said.length, 2, 'once')
    progress.read(4)
    progress.read(5)
    progress.rest()
    clock.advance(1000)
    t.equal(said.length, 3, 'not when the run has ended')
  },
)

function zero(counts: Partial<Progress>): Progress {
  return {
    bytesRead: 0,
    bytesSent: 0,
    bytesStored: 0,
    bytesReused: 0,
    bytesDone: 0,
    bytesTotal: 50,
    ...counts,
  }
}

await t.test('what is reused is stored too', async (t) => {
  const { progress } = counter()
  progress.reused(10)
  progress.stored(5)
  t.match(progress.counts, {
    bytesReused: 10,
    bytesStored: 15,
    bytesTotal: undefined,
  })
})

await t.test('what is said does not change later', async (t) => {
  const { said, progress } = counter()
  progress.read(1)
  progress.read(1)
  t.equal(said[0]?.bytesRead, 1)
})

await t.test('starting over forgets all but what was sent', async (t) => {
  const { progress } = counter()
  progress.read(4)
  const flight = progress.flight(9)
  flight.attempt()
  flight.sent(3)
  flight.end()
  progress.reused(2)
  progress.startOver()
  t.match(progress.counts, {
    bytesRead: 0,
    bytesSent: 3,
    bytesStored: 0,
    bytesReused: 0,
    bytesDone: 0,
  })
})

await t.test(
  'what is done moves within parts, and never goes back',
  async (t) => {
    const { said, clock, progress } = counter(30)
    const done = (): number => {
      clock.advance(100)
      progress.read(0)
      return said.at(-1)?.bytesDone ?? -1
    }
    const [one, two] = [progress.flight(10), progress.flight(20)]
    one.attempt()
    two.attempt()
    one.sent(4)
    two.sent(6)
    t.equal(done(), 10)
    two.sent(14)
    t.equal(done(), 24)
    two.attempt()
    t.equal(done(), 24, 'an attempt fails after its last byte')
    two.sent(20)
    t.equal(done(), 24, 'and counts for no more than there is')
    one.attempt()
    one.sent(5)
    t.equal(done(), 27, 'another attempt counts for what is left of the part')
    one.sent(5)
    one.end()
    t.equal(done(), 30, 'between its end and its receipt a part stays done')
    progress.stored(10)
    t.equal(done(), 30)
    two.end()
    progress.stored(20)
    progress.end()
    t.match(said.at(-1), { bytesDone: 30, bytesStored: 30, bytesSent: 54 })
  },
)

await t.test('what is sent twice in one attempt is done once', async (t) => {
  const { said, progress } = counter()
  const flight = progress.flight(10)
  flight.attempt()
  flight.sent(10)
  flight.sent(10)
  progress.end()
  t.match(said.at(-1), { bytesDone: 10, bytesSent: 20 })
  flight.end()
  flight.end()
  progress.end()
  t.equal(said.at(-1)?.bytesDone, 10)
})

await t.test(
  'what buffers may hold counts little by little, and this is told',
  async (t) => {
    const MiB = 2 ** 20
    const size = 8 * MiB
    const { said, clock, progress } = counter(size)
    const flight = progress.flight(size)
    flight.attempt()
    let left = 0
    const leaves = (bytes: number): void => {
      left += bytes
      flight.sent(bytes)
    }
    const seconds: number[] = []
    const pass = (ms: number): void => {
      const before = said.length
      clock.advance(ms)
      t.ok(said.length >= before + ms / 100, 'nothing else has to be counted')
      seconds.push(said.at(-1)?.bytesDone ?? -1)
    }
    leaves(4 * MiB)
    t.ok((said.at(-1)?.bytesDone ?? -1) <= 64 * 1024, 'it is in a buffer')
    pass(1000)
    leaves(4 * MiB)
    // Nothing more is heard of it until it is stored.
    for (let second = 2; second <= 5; second++) pass(1000)
    let before = 0
    for (const done of seconds) {
      t.ok(done > before, seconds.join())
      before = done
    }
    t.ok(before < left, 'never beyond what has left')
    flight.attempt()
    clock.advance(1000)
    const last = said.length
    clock.advance(60_000)
    t.equal(said.length, last, 'of nothing on its way nothing is told')
    t.equal(said.at(-1)?.bytesDone, before, 'what has counted stays')
    leaves(size)
    pass(1000)
    flight.end()
    progress.stored(size)
    progress.end()
    t.match(said.at(-1), { bytesDone: size, bytesStored: size })
    t.equal(clock.hanging, 0)
  },
)

await t.test('it ends in little, which counts at once', async (t) => {
  const { said, clock, progress } = counter()
  const flight = progress.flight(100_000)
  flight.attempt()
  flight.sent(100_000)
  t.equal(said.at(-1)?.bytesDone, 64 * 1024)
  clock.advance(1000)
  t.equal(said.at(-1)?.bytesDone, 100_000)
  const last = said.length
  clock.advance(10_000)
  t.equal(said.length, last)
})
