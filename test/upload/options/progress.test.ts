import t from 'tap'
import {
  ProgressCounter,
  type Progress,
} from '../../../lib/upload/options/progress.js'

function counter(total?: number) {
  const said: Progress[] = []
  const clock = { now: 0 }
  const progress = new ProgressCounter(
    total,
    (counts) => said.push(counts),
    () => clock.now,
  )
  return { said, clock, progress }
}

await t.test('it speaks at most every 100 ms, and at the end', async (t) => {
  const { said, clock, progress } = counter(50)
  progress.read(1)
  progress.read(2)
  clock.now = 99
  progress.sent(3)
  t.equal(said.length, 1)
  clock.now = 100
  progress.sent(4)
  t.equal(said.length, 2)
  progress.stored(5)
  progress.end()
  t.same(said, [
    zero({ bytesRead: 1 }),
    zero({ bytesRead: 3, bytesSent: 7 }),
    zero({ bytesRead: 3, bytesSent: 7, bytesStored: 5 }),
  ])
})

function zero(counts: Partial<Progress>): Progress {
  return {
    bytesRead: 0,
    bytesSent: 0,
    bytesStored: 0,
    bytesReused: 0,
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
  progress.sent(3)
  progress.reused(2)
  progress.startOver()
  t.match(progress.counts, {
    bytesRead: 0,
    bytesSent: 3,
    bytesStored: 0,
    bytesReused: 0,
  })
})
