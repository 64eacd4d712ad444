import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import {
  startDevServer,
  type DevServer,
  type DevServerOptions,
} from '../../lib/dev-server/index.js'
import { call, element } from './raw-client.js'

const day = 24 * 3600_000

async function start(
  t: { teardown(fn: () => unknown): void },
  options: DevServerOptions = {},
): Promise<DevServer> {
  const server = await startDevServer(options)
  t.teardown(() => server.close())
  return server
}

/** The query of a presigned GET by V1. */
function presignedV1(key: string, expires: number, secret = 'dev-secret') {
  const seconds = String(Math.floor(expires / 1000))
  const signature = createHmac('sha1', secret)
    .update(`GET\n\n\n${seconds}\n/examplebucket/${key}`)
    .digest('base64')
  return { OSSAccessKeyId: 'dev', Expires: seconds, Signature: signature }
}

/** The query of a presigned GET by V4. */
function presignedV4(key: string, time: number, seconds: number) {
  const stamp = new Date(time).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${stamp.slice(0, 8)}/cn-hangzhou/oss/aliyun_v4_request`
  const query: Record<string, string> = {
    'x-oss-credential': `dev/${scope}`,
    'x-oss-date': stamp,
    'x-oss-expires': String(seconds),
    'x-oss-signature-version': 'OSS4-HMAC-SHA256',
  }
  const canonical = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
  const digest = createHash('sha256')
    .update(`GET\n/examplebucket/${key}\n${canonical}\n\n\nUNSIGNED-PAYLOAD`)
    .digest('hex')
  let signing: string | Buffer = 'aliyun_v4dev-secret'
  for (const word of scope.split('/')) {
    signing = createHmac('sha256', signing).update(word).digest()
  }
  query['x-oss-signature'] = createHmac('sha256', signing)
    .update(`OSS4-HMAC-SHA256\n${stamp}\n${scope}\n${digest}`)
    .digest('hex')
  return query
}

await t.test(
  'a wrong secret is told what should have been signed',
  async (t) => {
    const server = await start(t)
    const answer = await call(server, {
      method: 'PUT',
      key: 'k',
      headers: { 'x-oss-meta-a': 'b' },
      secret: 'wrong',
    })
    t.match(answer, { status: 403, code: 'SignatureDoesNotMatch' })
    const stringToSign = element(answer.text, 'StringToSign') ?? ''
    t.match(
      stringToSign,
      /^PUT\n\n\n.* GMT\nx-oss-meta-a:b\n\/examplebucket\/k$/,
    )
    const bytes = element(answer.text, 'StringToSignBytes') ?? ''
    t.equal(
      Buffer.from(bytes.replaceAll(' ', ''), 'hex').toString(),
      stringToSign,
    )
    t.equal(element(answer.text, 'OSSAccessKeyId'), 'dev')
    t.equal(server.requests[0]?.applied, false)
  },
)

await t.test('unknown keys and no keys at all are refused', async (t) => {
  const server = await start(t)
  const get = { method: 'GET', key: 'k' }
  t.match(await call(server, { ...get, accessKeyId: 'nobody' }), {
    status: 403,
    code: 'InvalidAccessKeyId',
  })
  t.match(await call(server, { ...get, anonymous: true }), {
    status: 403,
    code: 'AccessDenied',
  })
})

await t.test('tokens: missing, wrong, right, replaced', async (t) => {
  const keys = { accessKeyId: 'dev', accessKeySecret: 'dev-secret' }
  const server = await start(t, {
    credentials: { ...keys, securityToken: 'first' },
  })
  const put = async (token?: string) => {
    const headers: Record<string, string> =
      token === undefined ? {} : { 'x-oss-security-token': token }
    return call(server, { method: 'PUT', key: 'k', headers })
  }
  t.match(await put(), { code: 'InvalidAccessKeyId' })
  t.match(await put('wrong'), { status: 403, code: 'InvalidSecurityToken' })
  t.match(await put('first'), { status: 200 })
  server.setCredentials({ ...keys, securityToken: 'second' })
  const expired = await put('first')
  t.match(expired, { status: 403, code: 'SecurityTokenExpired' })
  t.equal(element(expired.text, 'SecurityToken'), 'first')
  t.match(await put('second'), { status: 200 })
  server.setCredentials({ ...keys, securityToken: 'first' })
  t.match(await put('first'), { status: 200 })
})

await t.test('a clock off by more than 15 minutes is refused', async (t) => {
  const clockOffset = 16 * 60_000
  const server = await start(t, { clockOffset })
  const answer = await call(server, { method: 'GET', key: 'k' })
  t.match(answer, { status: 403, code: 'RequestTimeTooSkewed' })
  const serverTime = Date.parse(element(answer.text, 'ServerTime') ?? '')
  t.ok(Math.abs(serverTime - Date.now() - clockOffset) < 60_000)
  const date = Date.parse(answer.headers.date ?? '')
  t.ok(Math.abs(date - Date.now() - clockOffset) < 60_000)
  const corrected = { date: new Date(date).toUTCString() }
  t.match(await call(server, { method: 'PUT', key: 'k', headers: corrected }), {
    status: 200,
  })
})

await t.test('presigned URLs hold until they expire', async (t) => {
  const server = await start(t)
  await call(server, { method: 'PUT', key: 'k', body: 'content' })
  const now = Date.now()
  const get = { method: 'GET', key: 'k', anonymous: true }
  const rows: [string, Record<string, string>, object][] = [
    ['V1', presignedV1('k', now + day), { status: 200, text: 'content' }],
    ['V1, old', presignedV1('k', now - 5000), { code: 'AccessDenied' }],
    [
      'V1, wrong',
      presignedV1('k', now + day, 'no'),
      { code: 'SignatureDoesNotMatch' },
    ],
    ['V4', presignedV4('k', now, 60), { status: 200, text: 'content' }],
    [
      'V4, an hour ago',
      presignedV4('k', now - 3600_000, 7200),
      { status: 200 },
    ],
    ['V4, old', presignedV4('k', now - 61_000, 60), { code: 'AccessDenied' }],
    [
      'V4, other key',
      presignedV4('other', now, 60),
      { code: 'SignatureDoesNotMatch' },
    ],
    [
      'V4, for ever',
      presignedV4('k', now, 604_801),
      { code: 'InvalidArgument' },
    ],
    [
      'V4, early',
      presignedV4('k', now + 3600_000, 60),
      { code: 'RequestTimeTooSkewed' },
    ],
  ]
  for (const [name, query, expected] of rows) {
    t.match(await call(server, { ...get, query }), expected, name)
  }
})

const badV4: [string, Record<string, string>, string][] = [
  [
    'empty AdditionalHeaders',
    {
      authorization:
        'OSS4-HMAC-SHA256 Credential=dev/20240102/r/oss/aliyun_v4_request,AdditionalHeaders=,Signature=00',
      'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-oss-date': '20240102T030405Z',
    },
    'InvalidArgument',
  ],
  [
    'no payload header',
    {
      authorization:
        'OSS4-HMAC-SHA256 Credential=dev/20240102/r/oss/aliyun_v4_request,Signature=00',
      'x-oss-date': '20240102T030405Z',
    },
    'InvalidArgument',
  ],
  [
    'the oss- region',
    {
      authorization:
        'OSS4-HMAC-SHA256 Credential=dev/20240102/oss-cn-hangzhou/oss/aliyun_v4_request,Signature=00',
      'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-oss-date': '20240102T030405Z',
    },
    'InvalidArgument',
  ],
  [
    'another day in the scope',
    {
      authorization:
        'OSS4-HMAC-SHA256 Credential=dev/20240103/r/oss/aliyun_v4_request,Signature=00',
      'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-oss-date': '20240102T030405Z',
    },
    'AccessDenied',
  ],
  ['no V1 date', { date: 'today', authorization: 'OSS dev:x' }, 'AccessDenied'],
  ['no V1 colon', { authorization: 'OSS dev' }, 'InvalidArgument'],
  [
    'S3 without host among the signed headers',
    {
      authorization:
        'AWS4-HMAC-SHA256 Credential=dev/20240102/r/s3/aws4_request, SignedHeaders=x-amz-date;x-amz-content-sha256, Signature=00',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-date': '20240102T030405Z',
    },
    'AccessDenied',
  ],
  [
    'S3 with another terminator',
    {
      authorization:
        'AWS4-HMAC-SHA256 Credential=dev/20240102/r/s3/aliyun_v4_request, SignedHeaders=host, Signature=00',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    },
    'AuthorizationHeaderMalformed',
  ],
]

await t.test('malformed claims are named', async (t) => {
  const server = await start(t)
  for (const [name, headers, code] of badV4) {
    const answer = await call(server, { method: 'GET', key: 'k', headers })
    t.match(answer, { code }, name)
  }
})

await t.test('a refused body with 100-continue is never sent', async (t) => {
  const server = await start(t)
  const sent = request({
    port: server.port,
    host: '127.0.0.1',
    method: 'PUT',
    path: '/examplebucket/k',
    headers: { expect: '100-continue', 'content-length': 1000 },
  })
  sent.on('continue', () => t.fail('the body was asked for'))
  sent.flushHeaders()
  const [response] = await once(sent, 'response')
  t.equal(response.statusCode, 403)
  t.equal(response.headers.connection, 'close')
  t.match(await text(response), 'AccessDenied')
  sent.destroy()
  t.equal(server.requests[0]?.bytes, 0)
})
