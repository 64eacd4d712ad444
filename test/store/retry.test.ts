import t from 'tap'
import {
  isWorthRetrying,
  parseRetryAfter,
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
    t.equal(isWorthRetrying(error, undefined), when !== 'never')
    t.equal(isWorthRetrying(error, failure(kind)), when === 'always')
    const other = failure(kind === 'server' ? 'timeout' : 'server')
    t.equal(isWorthRetrying(error, other), when !== 'never')
  })
}

await t.test('conflicts that ask for it are tried again', async (t) => {
  for (const serverCode of ['OperationAborted', 'ConditionalRequestConflict']) {
    t.ok(isWorthRetrying(failure('conflict', { serverCode }), undefined))
  }
  const worm = failure('conflict', { serverCode: 'FileImmutable' })
  t.notOk(isWorthRetrying(worm, undefined))
})

await t.test('a certificate is not asked for again', async (t) => {
  for (const code of [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ]) {
    const cause = Object.assign(new Error('tls'), { code })
    t.notOk(isWorthRetrying(failure('network', { cause }), undefined), code)
  }
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
})

await t.test('Retry-After in seconds or as a date', async (t) => {
  const now = Date.parse('2024-01-02T03:04:05Z')
  t.equal(parseRetryAfter('7', now), 7000)
  t.equal(parseRetryAfter(' 0 ', now), 0)
  t.equal(parseRetryAfter('Tue, 02 Jan 2024 03:04:15 GMT', now), 10_000)
  t.equal(parseRetryAfter('Tue, 02 Jan 2024 03:00:00 GMT', now), 0)
  // What callers wait for by it must fit a timer.
  const day = 24 * 3_600_000
  for (const long of ['86401', '4294967296', '9'.repeat(400)]) {
    t.equal(parseRetryAfter(long, now), day, long)
  }
  t.equal(parseRetryAfter('Thu, 04 Jan 2024 03:04:05 GMT', now), day)
  for (const bad of [undefined, '', '-1', '1.5', 'soon', 'Tue, 99']) {
    t.equal(parseRetryAfter(bad, now), undefined, `${bad}`)
  }
})
