import t from 'tap'
import { Budget, limitedStore } from '../../lib/fleet/limited-store.js'
import { StoreError } from '../../lib/index.js'
import { devStore } from '../support/dev-store.js'
import { handClock } from '../support/hand-clock.js'
import { wrapStore } from '../support/small-store.js'

const call = {
  signal: new AbortController().signal,
  timeouts: { connect: 1000, stall: 1000, headers: 1000 },
}
const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

await t.test('a budget is taken evenly, and what is left goes', async (t) => {
  const clock = handClock()
  const budget = new Budget(10, clock)
  let taken = 0
  const take = async (): Promise<void> => {
    await budget.take(1, call.signal)
    taken += 1
  }
  const all = Promise.all(Array.from({ length: 25 }, take))
  for (const expected of [10, 20, 25]) {
    clock.advance(1000)
    await turn()
    t.ok(Math.abs(taken - expected) <= 1, `${taken} of ${expected}`)
  }
  await all
  clock.advance(60_000)
  // An hour's rest is no hour's budget.
  const more = Promise.all(Array.from({ length: 20 }, take))
  await turn()
  t.ok(taken <= 27, `${taken} at once`)
  clock.advance(3000)
  await more
  const stop = new AbortController()
  const waiting = budget.take(5, stop.signal)
  stop.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
})

await t.test('a store that asks for less gets less at once', async (t) => {
  const { store, server } = await devStore(t)
  // As OSS says that it has held a request back.
  let held: { delay?: string } = {}
  server.setFault(() =>
    held.delay === undefined
      ? undefined
      : {
          kind: 'status',
          status: 200,
          headers: { 'x-oss-qos-delay-time': held.delay, etag: '"e"' },
        },
  )
  let inFlight = 0
  let most = 0
  let isThrottling = false
  const answers: (() => void)[] = []
  const watched = wrapStore(store, {
    async around(_call, run) {
      most = Math.max(most, ++inFlight)
      await new Promise<void>((resolve) => answers.push(resolve))
      inFlight -= 1
      if (!isThrottling) return run()
      throw new StoreError('slow down', { kind: 'throttled' })
    },
  })
  const clock = handClock()
  const limited = limitedStore(watched, {}, 8, clock)
  t.equal(limited.identity, store.identity)
  const round = async (count: number): Promise<number> => {
    most = 0
    const left = { count }
    const asked = Array.from({ length: count }, () =>
      limited
        .headObject('key', call)
        .catch((error: unknown) => {
          if (!(error instanceof StoreError)) throw error
        })
        .finally(() => (left.count -= 1)),
    )
    while (left.count > 0) {
      for (const answer of answers.splice(0)) answer()
      await turn()
    }
    await Promise.all(asked)
    return most
  }
  t.equal(await round(20), 8)
  isThrottling = true
  await round(2)
  isThrottling = false
  t.equal(await round(2), 2)
  t.equal(await round(4), 2, 'halved twice')
  await round(60)
  t.equal(await round(20), 8, 'and brought back by successes')
  held = { delay: '40' }
  await round(3)
  held = {}
  t.equal(await round(5), 4, 'held back together they are one word')
  clock.advance(1000)
  held = { delay: '0' }
  await round(1)
  held = { delay: 'none' }
  await round(1)
  t.equal(await round(6), 5, 'and what says no time is none')
})
