/** The simulator itself: what it does is decided by its seed, or by a list. */
import t from 'tap'
import { planOf } from './plan.js'
import { seedOf } from './random.js'
import { playSchedule, type Played } from './scene.js'

const seeds = Array.from({ length: 100 }, (_, index) => seedOf(20_261, index))

function traceOf({ trace, violation }: Played) {
  const lines = trace.map(({ at, who, text }) => `${at} ${who}: ${text}`)
  return [...lines, violation?.invariant ?? 'every invariant holds']
}

/** Each seed, played once. */
const firsts = new Map<number, Played>()
for (const seed of seeds) {
  firsts.set(seed, await playSchedule(seed, planOf(seed)))
}

await t.test('the same seed gives the same trace', async (t) => {
  let events = 0
  for (const [seed, first] of firsts) {
    const second = await playSchedule(seed, planOf(seed))
    t.strictSame(traceOf(second), traceOf(first), `seed ${seed}`)
    events += first.events
  }
  t.ok(events > 2000, `${events} events`)
})

await t.test('decisions that were written down give it again', async (t) => {
  for (const [seed, first] of firsts) {
    const { decisions, waits } = first
    const list = { decisions, waits }
    const second = await playSchedule(seed, planOf(seed), { list })
    t.strictSame(traceOf(second), traceOf(first), `seed ${seed}`)
  }
})

await t.test('no real timer is armed', async (t) => {
  const armed = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = armed()
  for (const seed of seeds.slice(0, 20)) {
    await playSchedule(seed, planOf(seed))
    t.equal(armed(), before, `seed ${seed}`)
  }
})
