import { createHmac } from 'node:crypto'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call } from './raw-client.js'
import { s3Call } from './raw-s3.js'

const key = { accessKeyId: 'own', accessKeySecret: 'own-secret' }

await t.test('only names that mean this machine are answered', async (t) => {
  const server = await startDevServer({
    hosts: { 'Files.test': 'examplebucket' },
  })
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: 'x' })
  const { port } = server
  const rows: [host: string, isAnswered: boolean][] = [
    [`127.0.0.1:${port}`, true],
    [`127.0.0.1`, true],
    [`localhost:${port}`, true],
    [`LOCALHOST:${port}`, true],
    [`localhost.:${port}`, true],
    [`[::1]:${port}`, true],
    [`examplebucket.localhost:${port}`, true],
    ['files.test', true],
    ['FILES.TEST:80', true],
    ['examplebucket.oss-cn-hangzhou.aliyuncs.com', true],
    ['examplebucket.s3.us-east-1.amazonaws.com', true],
    ['evil.example', false],
    [`evil.example:${port}`, false],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['evillocalhost', false],
    ['evilaliyuncs.com', false],
    ['oss-cn-hangzhou.aliyuncs.com.evil.example', false],
    ['s3.evilamazonaws.com', false],
    ['constructor', false],
    ['__proto__', false],
  ]
  for (const [host, isAnswered] of rows) {
    // A wrong key is told from a wrong name by the words.
    const get = { method: 'GET', key: 'k', anonymous: true }
    const answer = await call(server, { ...get, headers: { host } })
    t.match(answer, { status: 403, code: 'AccessDenied' }, host)
    t.equal(/on loopback/.test(answer.text), !isAnswered, host)
  }
  const headers = { host: 'evil.example' }
  const drop = { method: 'DELETE', key: 'k', headers }
  t.match(await call(server, drop), { status: 403 })
  t.match(await s3Call(server, drop), { status: 403 })
  t.match(await call(server, { method: 'GET', key: 'k' }), { text: 'x' })
})

await t.test(
  'pages of elsewhere are not let in with the key that all know',
  async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const rows: [origin: string, status: number][] = [
      ['https://evil.example', 403],
      ['null', 403],
      ['http://localhost:3000', 200],
      ['http://127.0.0.1:8080', 200],
    ]
    for (const [origin, status] of rows) {
      const put = { method: 'PUT', key: 'k', headers: { origin } }
      t.equal((await call(server, put)).status, status, origin)
      t.equal((await s3Call(server, put)).status, status, origin)
    }
    server.setCredentials(key)
    const own = { secret: key.accessKeySecret, accessKeyId: key.accessKeyId }
    const headers = { origin: 'https://evil.example' }
    const put = { method: 'PUT', key: 'k', headers, ...own }
    t.equal((await call(server, put)).status, 200, 'with a key of its own')
  },
)

await t.test('other machines need a key of its own', async (t) => {
  const remote = { host: '0.0.0.0', allowRemote: true }
  const weak = [
    {},
    { credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' } },
    { credentials: { accessKeyId: 'other', accessKeySecret: 'dev-secret' } },
  ]
  for (const options of weak) {
    await t.rejects(startDevServer({ ...remote, ...options }), {
      code: 'PAWL_INVALID_OPTION',
      message: /everybody knows/,
    })
  }
  const server = await startDevServer({ ...remote, credentials: key })
  t.teardown(() => server.close())
  t.throws(
    () =>
      server.setCredentials({
        accessKeyId: 'dev',
        accessKeySecret: 'dev-secret',
      }),
    { code: 'PAWL_INVALID_OPTION' },
  )
  const own = { secret: key.accessKeySecret, accessKeyId: key.accessKeyId }
  const headers = { host: 'dev.example' }
  const put = { method: 'PUT', key: 'k', headers, ...own }
  t.equal((await call(server, put)).status, 200, 'under any name')
  t.match(await call(server, { method: 'GET', key: 'k' }), {
    status: 403,
    code: 'InvalidAccessKeyId',
  })
})

/** A URL that V1 signed; its overrides are part of what is signed. */
function presigned(overrides: Record<string, string>): Record<string, string> {
  const expires = String(Math.floor(Date.now() / 1000) + 60)
  const known = Object.entries(overrides)
    .filter(([name]) => !name.startsWith('response-access'))
    .map(([name, value]) => `${name}=${value}`)
    .toSorted()
  const resource = `/examplebucket/k${known.length > 0 ? '?' : ''}${known.join('&')}`
  const Signature = createHmac('sha1', 'dev-secret')
    .update(`GET\n\n\n${expires}\n${resource}`)
    .digest('base64')
  return { OSSAccessKeyId: 'dev', Expires: expires, Signature, ...overrides }
}

await t.test(
  'a URL chooses six headers of the answer, and no other',
  async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    await call(server, { method: 'PUT', key: 'k', body: 'x' })
    const get = (query: Record<string, string>) =>
      call(server, { method: 'GET', key: 'k', query, anonymous: true })
    const six = {
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="a.txt"',
      'content-encoding': 'identity',
      'content-language': 'de',
      'content-type': 'text/x',
      expires: 'Sat, 03 Feb 2024 04:05:06 GMT',
    }
    const names = Object.entries(six)
    const query = names.map(([name, value]) => [`response-${name}`, value])
    const answer = await get(presigned(Object.fromEntries(query)))
    t.match(answer, { status: 200, headers: six, text: 'x' })
    for (const name of [
      'response-access-control-allow-origin',
      'response-set-cookie',
      'response-content-length',
      'response-',
    ]) {
      const refused = await get(presigned({ [name]: '*' }))
      t.notOk('access-control-allow-origin' in refused.headers)
      t.ok(refused.status === 501 || refused.status === 403, name)
    }
    for (const value of ['a\r\nset-cookie: b', 'a\0', '\u007f']) {
      t.match(await get(presigned({ 'response-content-type': value })), {
        status: 400,
        code: 'InvalidArgument',
      })
    }
    const name = presigned({ 'response-content-disposition': 'a; b="报"' })
    const named = await get(name)
    t.equal(named.status, 200)
    t.equal(
      Buffer.from(
        String(named.headers['content-disposition']),
        'latin1',
      ).toString(),
      'a; b="报"',
    )
  },
)
