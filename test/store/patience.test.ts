/** Which outages are waited out, on a clock that is turned by hand. */
import { setMaxListeners } from 'node:events'
import t from 'tap'
import { delay } from '../../lib/environment.js'
import { mayBeMisspelt, Patience } from '../../lib/store/patience.js'
import { ProbeGate } from '../../lib/store/probe-gate.js'
import { StoreError, type StoreErrorKind } from '../../lib/store/store-error.js'
import { handClock } from '../support/hand-clock.js'

const limits = { patience: 120_000, baseDelay: 200, maxDelay: 20_000 }
const second = 1000

/** Of a kind, as a store throws it. */
function failure(
  kind: StoreErrorKind,
  {
    code,
    ...fields
  }: { code?: string; isStranger?: boolean; status?: number } = {},
): StoreError {
  const cause =
    code === undefined ? undefined : Object.assign(new Error(code), { code })
  return new StoreError(kind, { kind, cause, ...fields })
}

interface Attempt {
  /** ms since the beginning. */
  at: number
  part: number
}

interface Scenario {
  /** Undefined: it succeeds. */
  server: (attempt: Attempt) => StoreError | undefined
  inFlight: number
  parts: number
  /** ms that an attempt takes. */
  takes?: (attempt: Attempt) => number
  random?: () => number
}

/** Parts are sent, so many at once, and tried again by the rule. */
async function upload({
  server,
  inFlight,
  parts,
  takes = () => 1000,
  random = () => 0.5,
}: Scenario) {
  const clock = handClock()
  const start = clock.monotonic()
  const patience = new Patience(limits, { ...clock, random })
  const gate = new ProbeGate()
  const ending = new AbortController()
  setMaxListeners(0, ending.signal)
  const attempts: Attempt[] = []
  let next = 1
  const send = async (part: number): Promise<void> => {
    const visitor = {}
    const tries = patience.begin()
    try {
      for (;;) {
        await gate.pass(visitor, ending.signal)
        const attempt = { at: clock.monotonic() - start, part }
        attempts.push(attempt)
        await delay(clock, takes(attempt), ending.signal)
        const error = server(attempt)
        if (error === undefined) {
          patience.succeed()
          gate.succeed()
          return
        }
        gate.fail()
        const decision = tries.fail(error)
        if (!decision.retry) throw error
        await delay(clock, decision.delay, ending.signal)
      }
    } finally {
      gate.leave(visitor)
    }
  }
  const worker = async (): Promise<void> => {
    while (next <= parts) await send(next++)
  }
  const work = Promise.all(
    Array.from({ length: inFlight }, () =>
      worker().catch((error: unknown) => {
        ending.abort(error)
        throw error
      }),
    ),
  )
  const error = await clock.runWith(work).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, attempts, took: clock.monotonic() - start }
}

const refused = failure('network', { code: 'ECONNREFUSED' })

/** Away from the tenth second on, for so many ms. */
function awayFor(ms: number) {
  const from = 10 * second
  return ({ at }: Attempt) =>
    at >= from && at < from + ms ? refused : undefined
}

for (const inFlight of [1, 11, 32]) {
  for (const away of [8, 30, 90]) {
    await t.test(`${away} s away with ${inFlight} in flight`, async (t) => {
      const { error, attempts } = await upload({
        server: awayFor(away * second),
        inFlight,
        parts: inFlight * 20,
        takes: () => 500,
      })
      t.equal(error, undefined)
      const lost = attempts.filter((attempt) => awayFor(away * second)(attempt))
      // Those in flight, and then one that asks on.
      t.ok(lost.length <= inFlight + 20, `${lost.length} attempts were lost`)
    })
  }

  await t.test(`away for good with ${inFlight} in flight`, async (t) => {
    const { error, took } = await upload({
      server: awayFor(Infinity),
      inFlight,
      parts: inFlight * 40,
      takes: () => 500,
    })
    t.equal(error, refused)
    t.ok(took >= 130 * second, `after ${took} ms`)
    t.ok(took <= 155 * second, `after ${took} ms`)
  })
}

await t.test('a server that answers nothing is asked four times', async (t) => {
  const silent = failure('timeout')
  const { error, attempts } = await upload({
    server: () => silent,
    inFlight: 1,
    parts: 1,
    takes: () => 120 * second,
  })
  t.equal(error, silent)
  t.equal(attempts.length, 4)
})

await t.test('one silent answer costs its own time', async (t) => {
  const { error, attempts } = await upload({
    server: ({ part, at }) =>
      part === 3 && at < 60 * second ? failure('timeout') : undefined,
    takes: ({ part, at }) =>
      part === 3 && at < 60 * second ? 120 * second : second,
    inFlight: 4,
    parts: 40,
  })
  t.equal(error, undefined)
  t.equal(attempts.filter(({ part }) => part === 3).length, 2)
})

await t.test('one part that always fails, while others succeed', async (t) => {
  const broken = failure('server')
  const { error, attempts, took } = await upload({
    server: ({ part }) => (part === 3 ? broken : undefined),
    inFlight: 4,
    parts: 1000,
  })
  t.equal(error, broken)
  t.ok(attempts.filter(({ part }) => part === 3).length >= 8)
  t.ok(took >= 120 * second && took <= 180 * second, `after ${took} ms`)
})

await t.test('one that is always throttled is not given up', async (t) => {
  const { error } = await upload({
    server: ({ part, at }) =>
      part === 3 && at < 600 * second ? failure('throttled') : undefined,
    inFlight: 4,
    parts: 2500,
  })
  t.equal(error, undefined)
})

await t.test('but all that are throttled are', async (t) => {
  const slow = failure('throttled')
  const { error, took } = await upload({
    server: () => slow,
    inFlight: 4,
    parts: 100,
  })
  t.equal(error, slow)
  t.ok(took >= 120 * second && took <= 145 * second, `after ${took} ms`)
})

await t.test('damage is no outage', async (t) => {
  const damaged = failure('digest')
  const { error, attempts } = await upload({
    server: () => damaged,
    inFlight: 1,
    parts: 1,
  })
  t.equal(error, damaged)
  t.equal(attempts.length, 4)
})

await t.test('nor is what is not understood, however often', async (t) => {
  const tries = new Patience(limits, {
    ...handClock(),
    random: () => 0.5,
  }).begin()
  const portal = failure('response')
  for (let attempt = 1; attempt <= 4; attempt++) {
    t.equal(tries.fail(portal).retry, attempt < 4)
    tries.forget()
  }
})

await t.test('a failure that was made good is no outage', async (t) => {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const list = patience.begin()
  list.fail(refused)
  const head = patience.begin()
  head.fail(refused)
  clock.advance(second)
  list.succeed()
  list.end()
  t.equal(patience.failingFor, second, 'another call is failing still')
  head.succeed()
  t.equal(patience.failingSince, undefined)
  // Hours later the store is away for a while.
  clock.advance(3600 * second)
  const part = patience.begin()
  for (let i = 0; i < 10; i++) t.ok(part.fail(refused).retry)
})

await t.test('what was given up counts until the next success', async (t) => {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const abort = patience.begin({ attempts: 1 })
  t.notOk(abort.fail(refused).retry)
  abort.end()
  clock.advance(119 * second)
  const head = patience.begin()
  for (let i = 0; i < 4; i++) t.ok(head.fail(refused).retry)
  clock.advance(second)
  t.notOk(head.fail(refused).retry, 'away for as long as the patience')
  head.end()
  const list = patience.begin()
  list.succeed()
  t.equal(patience.failingSince, undefined)
})

await t.test('an attempt that moved for long was no outage', async (t) => {
  const silence = 250 * second
  for (const [kind, took, isAnew] of [
    ['network', 119 * second, false],
    ['network', 200 * second, true],
    ['timeout', 200 * second, false],
    ['timeout', 300 * second, true],
    ['server', 200 * second, false],
  ] as const) {
    const clock = handClock()
    const patience = new Patience(limits, { ...clock, random: () => 0.5 })
    const tries = patience.begin()
    for (let i = 0; i < 4; i++) tries.fail(refused)
    clock.advance(took)
    patience.attempted(failure(kind), took, silence)
    t.equal(patience.failingFor === 0, isAnew, `${kind} after ${took} ms`)
  }
})

await t.test('but a part that is cut off each time is given up', async (t) => {
  const cut = failure('network', { code: 'ECONNRESET' })
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const tries = patience.begin()
  let attempts = 0
  do {
    attempts++
    clock.advance(200 * second)
    patience.attempted(cut, 200 * second, 250 * second)
  } while (tries.fail(cut).retry)
  t.equal(attempts, 8)
})

for (const [name, error] of [
  ['a name', failure('network', { code: 'ENOTFOUND', isStranger: true })],
  ['a port', failure('network', { code: 'ECONNREFUSED', isStranger: true })],
  ['a scheme', failure('network', { code: 'EPROTO', isStranger: true })],
  ['a proxy', failure('network', { status: 502, isStranger: true })],
] as const) {
  await t.test(`${name} that may be misspelt: ten seconds`, async (t) => {
    const misspelt = await upload({
      server: () => error,
      inFlight: 1,
      parts: 1,
      takes: () => 5,
    })
    t.equal(misspelt.error, error)
    t.ok(misspelt.attempts.length >= 4)
    t.ok(misspelt.took <= 20 * second, `after ${misspelt.took} ms`)
  })
}

await t.test('what may be misspelt', async (t) => {
  const stranger = { isStranger: true }
  const may = (code: string, fields = stranger) =>
    mayBeMisspelt(failure('network', { code, ...fields }))
  t.ok(may('ENOTFOUND'))
  t.ok(may('ERR_SSL_WRONG_VERSION_NUMBER'))
  t.ok(may('HPE_INVALID_CONSTANT'))
  t.notOk(may('ENOTFOUND', { isStranger: false }))
  t.notOk(may('ECONNRESET'))
  t.notOk(may('EAI_AGAIN'), 'the resolver is away, not the name')
})

await t.test('a cap on attempts, for who wants one', async (t) => {
  const clock = handClock()
  const environment = { ...clock, random: () => 0.5 }
  const patience = new Patience({ ...limits, attempts: 2 }, environment)
  const tries = patience.begin()
  t.equal(tries.fail(refused).retry, true)
  t.equal(tries.fail(refused).retry, false)
  const once = patience.begin({ attempts: 1 })
  t.equal(once.fail(refused).retry, false)
})

await t.test('a stale connection counts for nothing, once', async (t) => {
  const environment = { ...handClock(), random: () => 0.5 }
  const tries = new Patience(limits, environment).begin({ attempts: 1 })
  const stale = new StoreError('x', { kind: 'network', staleConnection: true })
  t.match(tries.fail(stale), { retry: true, delay: 0, countsAttempt: false })
  t.equal(tries.failures, 0)
  t.match(tries.fail(stale), { retry: false, countsAttempt: true })
})

await t.test('what another try does not mend is not tried', async (t) => {
  const environment = { ...handClock(), random: () => 0.5 }
  const patience = new Patience(limits, environment)
  for (const kind of ['denied', 'no-upload', 'exists', 'request'] as const) {
    t.equal(patience.begin().fail(failure(kind)).retry, false, kind)
  }
  t.equal(patience.failingSince, undefined, 'and is no outage')
  for (const kind of ['clock', 'credentials', 'response'] as const) {
    const tries = patience.begin()
    t.equal(tries.fail(failure(kind)).retry, true, kind)
    t.equal(tries.fail(failure(kind)).retry, false, `${kind}, twice`)
  }
})

await t.test('the pause grows, within its bounds', async (t) => {
  const environment = { ...handClock(), random: () => 0.999_999 }
  const tries = new Patience(limits, environment).begin()
  const pauses = Array.from(
    { length: 9 },
    () => Math.round(tries.fail(refused).delay / 100) * 100,
  )
  t.strictSame(
    pauses,
    [400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000, 20_000],
  )
  const asked = new StoreError('x', { kind: 'throttled', retryAfter: 30_000 })
  t.equal(tries.fail(asked).delay, 30_000)
  const long = new StoreError('x', { kind: 'throttled', retryAfter: 1e12 })
  t.equal(tries.fail(long).delay, 300_000)
})

await t.test('after sleep a call has its own time anew as well', async (t) => {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const tries = patience.begin()
  for (let i = 0; i < 8; i++) t.ok(tries.fail(refused).retry)
  clock.advance(3600 * second)
  patience.waited(1000, 3600 * second)
  t.ok(tries.fail(refused).retry)
})

await t.test('sleep begins the patience anew', async (t) => {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const tries = patience.begin()
  for (let i = 0; i < 4; i++) t.ok(tries.fail(refused).retry)
  const since = patience.failingSince
  clock.advance(3_600_000)
  patience.waited(1000, 1500)
  t.equal(patience.failingSince, since, 'a wait as it should be')
  patience.waited(1000, 3_600_000)
  t.equal(patience.failingSince, clock.monotonic())
  t.ok(tries.fail(refused).retry)
  patience.succeed()
  patience.waited(1000, 3_600_000)
  t.equal(patience.failingSince, undefined)
})
