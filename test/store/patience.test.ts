/** Which outages are waited out, on a clock that is turned by hand. */
import t from 'tap'
import { mayBeMisspelt, Patience } from '../../lib/store/patience.js'
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

/** One call that fails so each time; `beside` it others store something. */
function giveUp(
  error: StoreError,
  { takes = second, beside = false }: { takes?: number; beside?: boolean } = {},
): { attempts: number; took: number } {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  const tries = patience.begin()
  const began = clock.monotonic()
  for (let attempts = 1; attempts <= 1000; attempts++) {
    clock.advance(takes)
    if (beside) patience.succeed()
    const { retry, delay } = tries.fail(error)
    if (!retry) return { attempts, took: clock.monotonic() - began }
    clock.advance(delay)
  }
  return { attempts: Infinity, took: Infinity }
}

const refused = failure('network', { code: 'ECONNREFUSED' })
const stranger = { isStranger: true }

for (const [name, error, how, { attempts, took }] of [
  [
    'a store that is away: as long as the patience',
    refused,
    {},
    { attempts: [16, 20], took: [121, 122] },
  ],
  [
    'an answer that never comes: four attempts',
    failure('timeout'),
    { takes: 120 * second },
    { attempts: [4, 4], took: [480, 485] },
  ],
  [
    'a part that always fails, while others are stored: eight and the patience',
    failure('server'),
    { beside: true },
    { attempts: [8, 30], took: [120, 135] },
  ],
  [
    'one that takes long as well',
    failure('server'),
    { beside: true, takes: 60 * second },
    { attempts: [8, 8], took: [480, 520] },
  ],
  [
    'one that is throttled, while others are stored: never',
    failure('throttled'),
    { beside: true },
    { attempts: [Infinity, Infinity], took: [Infinity, Infinity] },
  ],
  [
    'all that are throttled: as long as the patience',
    failure('throttled'),
    {},
    { attempts: [16, 20], took: [121, 122] },
  ],
  [
    'damage: four attempts',
    failure('digest'),
    {},
    { attempts: [4, 4], took: [4, 10] },
  ],
  [
    'a name that may be misspelt: ten seconds',
    failure('network', { code: 'ENOTFOUND', ...stranger }),
    { takes: 5 },
    { attempts: [4, 10], took: [10, 10.1] },
  ],
  [
    'a port that may be',
    failure('network', { code: 'ECONNREFUSED', ...stranger }),
    { takes: 5 },
    { attempts: [4, 10], took: [10, 10.1] },
  ],
  [
    'a scheme that may be',
    failure('network', { code: 'EPROTO', ...stranger }),
    { takes: 5 },
    { attempts: [4, 10], took: [10, 10.1] },
  ],
  [
    'a proxy that may be',
    failure('network', { status: 502, ...stranger }),
    { takes: 5 },
    { attempts: [4, 10], took: [10, 10.1] },
  ],
] as const) {
  await t.test(name, async (t) => {
    const found = giveUp(error, how)
    const [fewest, most] = attempts
    t.ok(
      found.attempts >= fewest && found.attempts <= most,
      `${found.attempts}`,
    )
    const [soonest, latest] = took
    const seconds = found.took / second
    t.ok(seconds >= soonest && seconds <= latest, `after ${seconds} s`)
  })
}

await t.test('parts that fail together have one patience', async (t) => {
  const clock = handClock()
  const patience = new Patience(limits, { ...clock, random: () => 0.5 })
  patience.begin().fail(refused)
  clock.advance(119 * second)
  const later = patience.begin()
  for (let i = 0; i < 4; i++) t.ok(later.fail(refused).retry)
  clock.advance(second)
  t.notOk(later.fail(refused).retry)
  t.equal(patience.failingFor, 120 * second)
})

await t.test(
  'what is not understood has four attempts, however often',
  async (t) => {
    const tries = new Patience(limits, {
      ...handClock(),
      random: () => 0.5,
    }).begin()
    const portal = failure('response')
    for (let attempt = 1; attempt <= 4; attempt++) {
      t.equal(tries.fail(portal).retry, attempt < 4)
      tries.forget()
    }
  },
)

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
})

/** The waits for a server that asks for so much each time, and when it is given up. */
function waitsFor(
  retryAfter: number,
  {
    patience = 120 * second,
    kind = 'throttled',
  }: { patience?: number; kind?: StoreErrorKind } = {},
): { waits: number[]; took: number } {
  const clock = handClock()
  const environment = { ...clock, random: () => 0 }
  const began = clock.monotonic()
  const tries = new Patience({ ...limits, patience }, environment).begin()
  const asked = new StoreError('x', { kind, retryAfter })
  const waits: number[] = []
  for (;;) {
    const { retry, delay } = tries.fail(asked)
    if (!retry) return { waits, took: clock.monotonic() - began }
    waits.push(delay)
    clock.advance(delay)
  }
}

await t.test('what a server asks to wait has the patience as its end', (t) => {
  for (const [asked, patience, waits] of [
    [30, 120, [30, 30, 30, 30]],
    [50, 120, [50, 50, 20]],
    [120, 120, [120]],
    [3600, 120, [120]],
    [1e9, 120, [120]],
    [60, 5, [5]],
    [300, 600, [300, 300]],
    [60, 0, []],
  ] as const) {
    for (const kind of ['throttled', 'server'] as const) {
      const found = waitsFor(asked * second, {
        patience: patience * second,
        kind,
      })
      const name = `asks for ${asked} s, patience of ${patience} s, ${kind}`
      t.same(
        found.waits,
        waits.map((wait) => wait * second),
        name,
      )
      t.ok(found.took <= patience * second, 'not behind its end')
    }
  }
  // No wish to wait: as any other failure.
  t.ok(waitsFor(0, { patience: 0 }).waits.length === 3)
  t.end()
})

await t.test(
  'while others are stored a wish is waited for again',
  async (t) => {
    const clock = handClock()
    const patience = new Patience(limits, { ...clock, random: () => 0 })
    const tries = patience.begin()
    const asked = new StoreError('x', {
      kind: 'throttled',
      retryAfter: 300 * second,
    })
    for (let i = 0; i < 10; i++) {
      const { retry, delay } = tries.fail(asked)
      t.ok(retry)
      t.equal(delay, limits.patience)
      clock.advance(delay)
      patience.succeed()
    }
  },
)

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
