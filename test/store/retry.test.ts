import t from 'tap'
import {
  decideRetry,
  parseRetryAfter,
  RetryBudget,
  retryDelay,
} from '../../lib/store/retry.js'
import {
  StoreError,
  type StoreErrorFields,
  type StoreErrorKind,
} from '../../lib/store/store-error.js'

function failure(
  kind: StoreErrorKind,
  fields: Partial<StoreErrorFields> = {},
): StoreError {
  return new StoreError('failed', { kind, ...fields })
}

const first = { attempt: 1, attempts: 5, random: () => 0.5 }

const kinds: Record<StoreErrorKind, 'always' | 'once' | 'never'> = {
  network: 'always',
  timeout: 'always',
  throttled: 'always',
  server: 'always',
  digest: 'always',
  clock: 'once',
  credentials: 'once',
  response: 'once',
  conflict: 'never',
  denied: 'never',
  unsupported: 'never',
  'no-bucket': 'never',
  'no-upload': 'never',
  'no-key': 'never',
  'invalid-part': 'never',
  'too-small': 'never',
  exists: 'never',
  request: 'never',
}

for (const [name, when] of Object.entries(kinds)) {
  const kind = name as StoreErrorKind
  await t.test(`${kind} is tried again: ${when}`, async (t) => {
    const error = failure(kind)
    t.equal(decideRetry(error, first).retry, when !== 'never')
    const again = { ...first, attempt: 2, previous: failure(kind) }
    t.equal(decideRetry(error, again).retry, when === 'always')
    const last = { ...first, attempt: 5 }
    t.equal(decideRetry(error, last).retry, false)
  })
}

await t.test('conflicts that ask for it are tried again', async (t) => {
  for (const serverCode of ['OperationAborted', 'ConditionalRequestConflict']) {
    t.ok(decideRetry(failure('conflict', { serverCode }), first).retry)
  }
  const worm = failure('conflict', { serverCode: 'FileImmutable' })
  t.notOk(decideRetry(worm, first).retry)
})

await t.test('a certificate is not asked for again', async (t) => {
  for (const code of [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ]) {
    const cause = Object.assign(new Error('tls'), { code })
    t.notOk(decideRetry(failure('network', { cause }), first).retry, code)
  }
})

await t.test('a dead reused connection is free, but not twice', async (t) => {
  const stale = failure('network', { staleConnection: true })
  t.strictSame(decideRetry(stale, { ...first, attempt: 5 }), {
    retry: true,
    delay: 0,
    countsAttempt: false,
  })
  const second = decideRetry(stale, { ...first, previous: stale })
  t.strictSame(second, { retry: true, delay: 200, countsAttempt: true })
})

await t.test('the delay is a share of a bound that doubles', async (t) => {
  t.equal(
    retryDelay(1, () => 0),
    0,
  )
  t.equal(
    retryDelay(1, () => 0.5),
    200,
  )
  t.equal(
    retryDelay(2, () => 0.5),
    400,
  )
  t.equal(
    retryDelay(3, () => 0.5),
    800,
  )
  t.equal(
    retryDelay(50, () => 0.5),
    10_000,
  )
  t.equal(
    retryDelay(2000, () => 0.5),
    10_000,
  )
  t.equal(
    retryDelay(1, () => 0.5, { baseDelay: 10, maxDelay: 12 }),
    6,
  )
  const { delay } = decideRetry(failure('server'), {
    ...first,
    baseDelay: 1000,
    maxDelay: 1000,
  })
  t.equal(delay, 500)
})

await t.test('what the server asks for is waited, within reason', async (t) => {
  const asked = (retryAfter: number) =>
    decideRetry(failure('throttled', { retryAfter }), first).delay
  t.equal(asked(3000), 3000)
  t.equal(asked(1), 200)
  t.equal(asked(86_400_000), 300_000)
})

await t.test('a budget ends and is earned back', async (t) => {
  const budget = new RetryBudget(2)
  const decide = () =>
    decideRetry(failure('server'), { ...first, budget }).retry
  t.ok(decide())
  t.ok(decide())
  t.notOk(decide())
  budget.succeed()
  t.ok(decide())
  const free = failure('network', { staleConnection: true })
  const empty = new RetryBudget(0)
  t.ok(decideRetry(free, { ...first, budget: empty }).retry)
})

await t.test('Retry-After in seconds or as a date', async (t) => {
  const now = Date.parse('2024-01-02T03:04:05Z')
  t.equal(parseRetryAfter('7', now), 7000)
  t.equal(parseRetryAfter(' 0 ', now), 0)
  t.equal(parseRetryAfter('Tue, 02 Jan 2024 03:04:15 GMT', now), 10_000)
  t.equal(parseRetryAfter('Tue, 02 Jan 2024 03:00:00 GMT', now), 0)
  // Nobody is waited for longer than five minutes.
  for (const long of ['301', '4294967296', '9'.repeat(400)]) {
    t.equal(parseRetryAfter(long, now), 300_000, long)
  }
  t.equal(parseRetryAfter('Wed, 03 Jan 2024 03:04:05 GMT', now), 300_000)
  for (const bad of [undefined, '', '-1', '1.5', 'soon', 'Tue, 99']) {
    t.equal(parseRetryAfter(bad, now), undefined, `${bad}`)
  }
})
