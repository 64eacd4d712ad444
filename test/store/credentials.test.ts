import { inspect } from 'node:util'
import t from 'tap'
import {
  checkCredentials,
  credentialsFromEnvironment,
  CredentialSource,
  type Credentials,
} from '../../lib/store/credentials.js'

const names = { id: 'X_ID', secret: 'X_SECRET', token: 'X_TOKEN' }

function provider(answers: (() => Credentials)[]) {
  const state = { asked: 0 }
  const load = async () => {
    const make = answers[Math.min(state.asked++, answers.length - 1)]
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    if (make === undefined) throw new Error('no answer')
    return make()
  }
  return { state, load }
}

const make = (id: string, expiration?: number): (() => Credentials) => {
  return () => ({ id, secret: 's', expiration })
}

await t.test('the environment', async (t) => {
  t.strictSame(
    credentialsFromEnvironment(names, {
      X_ID: 'i',
      X_SECRET: 's',
      X_TOKEN: '',
    }),
    { id: 'i', secret: 's', token: undefined, expiration: undefined },
  )
  const { token } = credentialsFromEnvironment(names, {
    X_ID: 'i',
    X_SECRET: 's',
    X_TOKEN: 't',
  })
  t.equal(token, 't')
  t.throws(() => credentialsFromEnvironment(names, { X_ID: 'i' }), {
    code: 'PAWL_CREDENTIALS',
    message: /X_SECRET/,
  })
  t.throws(() => credentialsFromEnvironment(names, {}), {
    message: /X_ID and X_SECRET/,
  })
})

await t.test('what cannot go into a header is refused unquoted', async (t) => {
  for (const secret of ['', 'HUSH\r\nx: y', 'HU SH', 'HÜSH', 7, undefined]) {
    try {
      checkCredentials({ id: 'i', secret })
      t.fail('it was taken')
    } catch (error) {
      t.match(error, { code: 'PAWL_CREDENTIALS' })
      t.notMatch(String(error), /HU|SH/)
    }
  }
  t.throws(
    () => checkCredentials({ id: 'i', secret: 's', expiration: 'soon' }),
    {
      code: 'PAWL_CREDENTIALS',
    },
  )
})

await t.test('expiration in any of its spellings', async (t) => {
  const iso = '2024-01-02T03:04:05Z'
  for (const expiration of [iso, new Date(iso), Date.parse(iso)]) {
    t.equal(
      checkCredentials({ id: 'i', secret: 's', expiration }).expiration,
      Date.parse(iso),
    )
  }
})

await t.test('an object stays what it is', async (t) => {
  const fixed = { id: 'i', secret: 's', expiration: 1 }
  const source = new CredentialSource(fixed, Date.now)
  source.invalidate(await source.get())
  t.equal(await source.get(), fixed)
})

await t.test('a provider is asked once for many', async (t) => {
  const { state, load } = provider([make('a'), make('b')])
  const source = new CredentialSource(load, Date.now)
  const all = await Promise.all([source.get(), source.get(), source.get()])
  t.equal(state.asked, 1)
  t.equal(new Set(all).size, 1)
  await source.get()
  t.equal(state.asked, 1)
})

await t.test('parts that fail together ask once again', async (t) => {
  const { state, load } = provider([make('a'), make('b')])
  const source = new CredentialSource(load, Date.now)
  const used = await source.get()
  source.invalidate(used)
  source.invalidate(used)
  const fresh = await Promise.all([source.get(), source.get()])
  t.equal(state.asked, 2)
  t.strictSame(
    fresh.map(({ id }) => id),
    ['b', 'b'],
  )
  // A part that was slower to fail names the old ones.
  source.invalidate(used)
  t.equal((await source.get()).id, 'b')
  t.equal(state.asked, 2)
})

await t.test('a provider is asked before its answer expires', async (t) => {
  let now = 0
  const { state, load } = provider([make('a', 600_000), make('b')])
  const source = new CredentialSource(load, () => now)
  t.equal((await source.get()).id, 'a')
  now = 479_999
  t.equal((await source.get()).id, 'a')
  now = 480_000
  t.equal((await source.get()).id, 'b')
  t.equal(state.asked, 2)
})

await t.test('a failed renewal is forgiven until the end', async (t) => {
  let now = 0
  const fails = () => {
    throw new Error('down')
  }
  const { load } = provider([make('a', 600_000), fails])
  const source = new CredentialSource(load, () => now)
  await source.get()
  now = 599_999
  t.equal((await source.get()).id, 'a')
  now = 600_000
  await t.rejects(source.get(), { code: 'PAWL_CREDENTIALS' })
})

await t.test("a provider's error keeps its name and code only", async (t) => {
  const failure = Object.assign(new TypeError('token HUSH is bad'), {
    code: 'E_STS',
    request: { headers: { authorization: 'HUSH' } },
  })
  const source = new CredentialSource(() => Promise.reject(failure), Date.now)
  const error: unknown = await source.get().catch((reason: unknown) => reason)
  t.match(error, { kind: 'credentials', code: 'PAWL_CREDENTIALS' })
  t.match(error, { cause: { name: 'TypeError', code: 'E_STS' } })
  t.notMatch(inspect(error, { depth: 10, showHidden: true }), /HUSH/)
  // And the next call asks again.
  await t.rejects(source.get(), { code: 'PAWL_CREDENTIALS' })
})
