/** What a lease is believed by, on clocks that are set by hand. */
import t from 'tap'
import { LeasedCheckpoint } from '../../lib/lease/leased-checkpoint.js'
import { Unheard, type LeaseSteps } from '../../lib/lease/steps.js'

const lease = 30_000

/** A service on which each step succeeds, until the log is another run's. */
function service() {
  const asked: string[] = []
  let isTaken = false
  const answer = async (step: string) => {
    asked.push(step)
    return isTaken ? ('taken' as const) : ('done' as const)
  }
  const steps: LeaseSteps = {
    name: 'a log',
    open: async () => ({
      bytes: new Uint8Array(),
      freeFor: undefined,
      canLose: false,
    }),
    peek: async () => new Uint8Array(),
    append: () => answer('append'),
    renew: () => answer('renew'),
    setAside: () => answer('setAside'),
    remove: () => answer('remove'),
    close: () => answer('close'),
  }
  return { steps, asked, take: () => void (isTaken = true) }
}

function clocks() {
  const at = { monotonic: 0, now: 1e12 }
  const environment = {
    monotonic: () => at.monotonic,
    now: () => at.now,
    // It is asked for, and never rings: a machine that is stopped renews nothing.
    timer: () => ({ cancel: () => undefined }),
    id: () => 'a'.repeat(32),
  }
  return { at, environment }
}

await t.test('a lease is as old as the older of two clocks says', async (t) => {
  const rows: [string, { monotonic: number; now: number }, boolean][] = [
    ['nothing has passed', { monotonic: 0, now: 0 }, false],
    ['less than half of it', { monotonic: 14_999, now: 14_999 }, false],
    ['half of it', { monotonic: 15_000, now: 15_000 }, true],
    ['the machine was suspended', { monotonic: 0, now: 15_000 }, true],
    ['the clock was set back', { monotonic: 15_000, now: -1e9 }, true],
    ['and little has passed', { monotonic: 10, now: -1e9 }, false],
  ]
  for (const [name, passed, isRenewed] of rows) {
    const { steps, asked } = service()
    const { at, environment } = clocks()
    const log = new LeasedCheckpoint(steps, { lease, environment })
    await log.open()
    await log.append(Buffer.from('one'))
    at.monotonic += passed.monotonic
    at.now += passed.now
    await log.confirm()
    t.equal(asked.includes('renew'), isRenewed, name)
  }
})

await t.test('a machine that was suspended finds its log taken', async (t) => {
  const { steps, take } = service()
  const { at, environment } = clocks()
  const log = new LeasedCheckpoint(steps, { lease, environment })
  await log.open()
  await log.append(Buffer.from('one'))
  const { lost } = log
  take()
  at.now += 3_600_000
  await t.rejects(log.confirm(), { code: 'PAWL_CHECKPOINT_LOST' })
  t.equal(lost?.aborted, true)
  await t.rejects(log.append(Buffer.from('two')), {
    code: 'PAWL_CHECKPOINT_LOST',
  })
})

await t.test(
  'a renewal that was not heard makes nothing younger',
  async (t) => {
    const { steps, asked } = service()
    const { at, environment } = clocks()
    let isDeaf = false
    const renew = steps.renew.bind(steps)
    steps.renew = async (hold) => {
      if (isDeaf) {
        // The next attempt is late, and the last.
        at.monotonic += 60_000
        throw new Unheard('no answer')
      }
      return renew(hold)
    }
    const now = {
      ...environment,
      timer: (_ms: number, ring: () => void, { isIdle = false } = {}) => {
        if (!isIdle) setImmediate(ring)
        return { cancel: () => undefined }
      },
    }
    const log = new LeasedCheckpoint(steps, { lease, environment: now })
    await log.open()
    at.monotonic += 20_000
    isDeaf = true
    await t.rejects(log.confirm(), {
      code: 'PAWL_CHECKPOINT_IO',
      transient: true,
    })
    isDeaf = false
    await log.confirm()
    t.same(asked, ['renew'], 'it is asked for again')
  },
)
