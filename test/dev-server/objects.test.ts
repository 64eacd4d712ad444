import { createHmac } from 'node:crypto'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { call } from './raw-client.js'

const digits = '0123456789'

async function start(t: {
  teardown(fn: () => unknown): void
}): Promise<DevServer> {
  const server = await startDevServer()
  t.teardown(() => server.close())
  return server
}

await t.test('ranges', async (t) => {
  const server = await start(t)
  await call(server, { method: 'PUT', key: 'k', body: digits })
  const rows: [range: string, status: number, text: string, of?: string][] = [
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=7-99', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-99', 206, digits, 'bytes 0-9/10'],
    ['bytes=10-', 200, digits],
    ['bytes=4-2', 200, digits],
    ['lines=1-2', 200, digits],
  ]
  for (const [range, status, text, contentRange] of rows) {
    const headers = { range }
    const got = await call(server, { method: 'GET', key: 'k', headers })
    t.match(got, { status, text }, range)
    t.equal(got.headers['content-range'], contentRange, range)
  }
  const headers = { range: 'bytes=10-', 'x-oss-range-behavior': 'standard' }
  t.match(await call(server, { method: 'GET', key: 'k', headers }), {
    status: 416,
    code: 'InvalidRange',
  })
})

await t.test('an empty object', async (t) => {
  const server = await start(t)
  const put = await call(server, { method: 'PUT', key: 'k' })
  t.match(put.headers, {
    etag: '"D41D8CD98F00B204E9800998ECF8427E"',
    'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==',
    'x-oss-hash-crc64ecma': '0',
  })
  t.match(await call(server, { method: 'GET', key: 'k' }), {
    status: 200,
    text: '',
    headers: { 'content-length': '0', 'x-oss-object-type': 'Normal' },
  })
})

await t.test('headers of answers can be asked for in the query', async (t) => {
  const server = await start(t)
  await call(server, { method: 'PUT', key: 'k', body: digits })
  const expires = String(Math.floor(Date.now() / 1000) + 60)
  const signature = createHmac('sha1', 'dev-secret')
    .update(
      `GET\n\n\n${expires}\n/examplebucket/k?response-content-type=text/x`,
    )
    .digest('base64')
  const query = {
    OSSAccessKeyId: 'dev',
    Expires: expires,
    Signature: signature,
    'response-content-type': 'text/x',
  }
  const get = { method: 'GET', key: 'k', query, anonymous: true }
  t.match(await call(server, get), {
    status: 200,
    headers: { 'content-type': 'text/x' },
  })
})

await t.test('metadata in UTF-8 comes back as the same bytes', async (t) => {
  const server = await start(t)
  const value = Buffer.from('报告').toString('latin1')
  const headers = { 'x-oss-meta-name': value }
  // The raw client signs text, so the signature is made of the same bytes.
  const date = new Date().toUTCString()
  const signature = createHmac('sha1', 'dev-secret')
    .update(
      `PUT\n\n\n${date}\nx-oss-meta-name:${value}\n/examplebucket/k`,
      'latin1',
    )
    .digest('base64')
  const authorization = `OSS dev:${signature}`
  t.match(
    await call(server, {
      method: 'PUT',
      key: 'k',
      headers: { ...headers, date, authorization },
    }),
    { status: 200 },
  )
  const head = await call(server, { method: 'HEAD', key: 'k' })
  t.equal(
    Buffer.from(String(head.headers['x-oss-meta-name']), 'latin1').toString(),
    '报告',
  )
})

await t.test('buckets are made and looked for', async (t) => {
  const server = await start(t)
  const head = { method: 'HEAD', bucket: 'new-bucket' }
  t.equal((await call(server, head)).status, 404)
  const put = { method: 'PUT', bucket: 'new-bucket' }
  t.equal((await call(server, put)).status, 200)
  t.equal((await call(server, put)).status, 200)
  t.equal((await call(server, head)).status, 200)
})

await t.test(
  'who reads an object that is replaced gets one of both',
  async (t) => {
    const server = await start(t)
    const bodies = ['a', 'b'].map((letter) => letter.repeat(1000))
    const put = (n: number) =>
      call(server, { method: 'PUT', key: 'k', body: bodies[n % 2] ?? '' })
    await put(0)
    const got: string[] = []
    const read = async () => {
      const { error, text } = await call(server, { method: 'GET', key: 'k' })
      got.push(error ?? text)
    }
    const many = Array.from({ length: 40 }, (_, index) => index)
    for (let round = 0; round < 4; round++) {
      await Promise.all(many.flatMap((n) => [put(n), read(), read()]))
    }
    t.same(
      got.filter((text) => !bodies.includes(text)),
      [],
    )
  },
)
