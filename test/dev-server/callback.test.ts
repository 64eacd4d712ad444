import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call, complete, create, putPart } from './raw-client.js'

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

/** A server that answers callbacks and remembers them. */
async function listener(
  t: { teardown(fn: () => unknown): void },
  status: number,
  answer: string,
) {
  const seen: {
    type: string | undefined
    host: string | undefined
    body: string
  }[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { host } = request.headers
      seen.push({ type: request.headers['content-type'], host, body })
      response.writeHead(status).end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/done`, seen }
}

await t.test('Complete answers what the callback answered', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const { url, seen } = await listener(t, 200, '{"ok":true}')
  const uploadId = await create(server, 'dir/a b')
  const part = await putPart(server, 'dir/a b', uploadId, 1, '123456789')
  const done = await complete(
    server,
    'dir/a b',
    uploadId,
    [{ partNumber: 1, etag: part.headers.etag }],
    {
      headers: {
        'x-oss-callback': base64({
          callbackUrl: url,
          callbackBody:
            'bucket=${bucket}&object=${object}&size=${size}&crc=${crc64}&my=${x:my}&no=${x:no}',
          callbackHost: 'example.test',
        }),
        'x-oss-callback-var': base64({ 'x:my': 'a&b' }),
      },
    },
  )
  t.match(done, {
    status: 200,
    text: '{"ok":true}',
    headers: {
      'content-type': 'application/json',
      'x-oss-hash-crc64ecma': '11051210869376104954',
      etag: /^"[0-9A-F]{32}-1"$/,
    },
  })
  t.strictSame(seen, [
    {
      type: 'application/x-www-form-urlencoded',
      host: 'example.test',
      body: 'bucket=examplebucket&object=dir%2Fa%20b&size=9&crc=11051210869376104954&my=a%26b&no=',
    },
  ])
})

await t.test('PutObject calls back too, in JSON, by the query', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const { url, seen } = await listener(t, 200, '{}')
  const query = {
    callback: base64({
      callbackUrl: url,
      callbackBody: '{"object":${object},"size":${size},"my":${x:my}}',
      callbackBodyType: 'application/json',
    }),
    'callback-var': base64({ 'x:my': '"' }),
  }
  const put = { method: 'PUT', key: 'k', body: 'x', query }
  t.match(await call(server, put), { status: 200, text: '{}' })
  t.strictSame(JSON.parse(seen[0]?.body ?? ''), {
    object: 'k',
    size: 1,
    my: '"',
  })
})

await t.test(
  'a failing callback is a 203, and the object is there',
  async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const failing = await listener(t, 500, '{}')
    const html = await listener(t, 200, '<html>')
    const urls = [
      failing.url,
      html.url,
      'https://127.0.0.1:1/',
      'http://192.0.2.1/',
      'http://127.0.0.1:1/',
      'no url:',
    ]
    for (const [index, callbackUrl] of urls.entries()) {
      const key = `k${index}`
      const headers = {
        'x-oss-callback': base64({ callbackUrl, callbackBody: 'a=b' }),
      }
      t.match(
        await call(server, { method: 'PUT', key, headers }),
        { status: 203, code: 'CallbackFailed' },
        callbackUrl,
      )
      t.ok(server.requests.at(-1)?.applied)
      t.not(server.objectPath('examplebucket', key), undefined)
    }
    const good = await listener(t, 200, '{"second":1}')
    const callbackUrl = `${failing.url};${good.url}`
    const headers = {
      'x-oss-callback': base64({ callbackUrl, callbackBody: 'a=b' }),
    }
    t.match(await call(server, { method: 'PUT', key: 'k', headers }), {
      status: 200,
      text: '{"second":1}',
    })
  },
)

await t.test('callbacks that make no sense are refused first', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const fine = base64({ callbackUrl: 'http://127.0.0.1/', callbackBody: 'a' })
  const rows = [
    { headers: { 'x-oss-callback': '!!!' } },
    { headers: { 'x-oss-callback': base64({ callbackUrl: 'http://x/' }) } },
    {
      headers: {
        'x-oss-callback': base64({
          callbackUrl: 'a;b;c;d;e;f',
          callbackBody: 'x',
        }),
      },
    },
    { headers: { 'x-oss-callback': fine, 'x-oss-callback-var': 'no' } },
    { headers: { 'x-oss-callback': fine }, query: { callback: fine } },
  ]
  for (const row of rows) {
    t.match(await call(server, { method: 'PUT', key: 'k', ...row }), {
      status: 400,
      code: 'InvalidArgument',
    })
  }
  t.equal(server.objectPath('examplebucket', 'k'), undefined)
})
