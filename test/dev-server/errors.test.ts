import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call, create, element, putPart, type Call } from './raw-client.js'

const zeroMd5 = Buffer.alloc(16).toString('base64')

const rows: [string, Call, { status: number; code: string; ec?: string }][] = [
  [
    'no such bucket',
    { method: 'GET', key: 'k', bucket: 'nowhere' },
    { status: 404, code: 'NoSuchBucket' },
  ],
  [
    'a bucket that cannot be',
    { method: 'GET', key: 'k', bucket: 'No' },
    { status: 400, code: 'InvalidBucketName' },
  ],
  [
    'no such key',
    { method: 'GET', key: 'k' },
    { status: 404, code: 'NoSuchKey' },
  ],
  [
    'no such upload',
    { method: 'GET', key: 'k', query: { uploadId: 'FFFF' } },
    { status: 404, code: 'NoSuchUpload' },
  ],
  [
    'a key of 1024 bytes',
    { method: 'PUT', key: 'é'.repeat(512) },
    { status: 400, code: 'InvalidObjectName' },
  ],
  [
    'a key that begins with a slash',
    { method: 'PUT', key: '/k' },
    { status: 400, code: 'InvalidObjectName' },
  ],
  [
    'a key that begins with a backslash',
    { method: 'PUT', key: '\\k' },
    { status: 400, code: 'InvalidObjectName' },
  ],
  [
    'a Content-MD5 of other bytes',
    { method: 'PUT', key: 'k', headers: { 'content-md5': zeroMd5 }, body: 'x' },
    { status: 400, code: 'InvalidDigest', ec: '0017-00000503' },
  ],
  [
    'a Content-MD5 that is none',
    { method: 'PUT', key: 'k', headers: { 'content-md5': 'abc' } },
    { status: 400, code: 'InvalidDigest', ec: '0017-00000502' },
  ],
  [
    'metadata with an underscore',
    { method: 'PUT', key: 'k', headers: { 'x-oss-meta-a_b': '1' } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'metadata of more than 8 KB',
    { method: 'PUT', key: 'k', headers: { 'x-oss-meta-a': 'x'.repeat(8192) } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'an unknown storage class',
    { method: 'PUT', key: 'k', headers: { 'x-oss-storage-class': 'Cold' } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'an unknown encryption',
    {
      method: 'PUT',
      key: 'k',
      headers: { 'x-oss-server-side-encryption': 'ROT13' },
    },
    { status: 400, code: 'InvalidEncryptionAlgorithmError' },
  ],
  [
    'an unknown ACL',
    { method: 'PUT', key: 'k', headers: { 'x-oss-object-acl': 'all' } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'twice the same tag',
    { method: 'PUT', key: 'k', headers: { 'x-oss-tagging': 'a=1&a=2' } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'a traffic limit out of bounds',
    { method: 'PUT', key: 'k', headers: { 'x-oss-traffic-limit': '1000' } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'a copy of nothing',
    {
      method: 'PUT',
      key: 'k',
      headers: { 'x-oss-copy-source': '/examplebucket/none' },
    },
    { status: 404, code: 'NoSuchKey' },
  ],
  [
    'another sub-resource',
    { method: 'PUT', key: 'k', query: { acl: '' } },
    { status: 501, code: 'NotImplemented' },
  ],
  [
    'another method',
    { method: 'PATCH', key: 'k' },
    { status: 405, code: 'MethodNotAllowed' },
  ],
  [
    'max-uploads above 1000',
    { method: 'GET', query: { uploads: '', 'max-uploads': 1001 } },
    { status: 400, code: 'InvalidArgument' },
  ],
  [
    'another encoding',
    { method: 'GET', query: { uploads: '', 'encoding-type': 'base64' } },
    { status: 400, code: 'InvalidArgument' },
  ],
]

await t.test('each error has its status, code and documents', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  for (const [name, request, { status, code, ec }] of rows) {
    const answer = await call(server, request)
    t.match(answer, { status, code }, name)
    const requestId = answer.headers['x-oss-request-id']
    t.match(requestId, /^[0-9A-F]{24}$/)
    t.equal(element(answer.text, 'RequestId'), requestId)
    t.match(element(answer.text, 'HostId'), /^127\.0\.0\.1:/)
    t.type(element(answer.text, 'Message'), 'string')
    t.equal(element(answer.text, 'EC'), answer.headers['x-oss-ec'])
    if (ec !== undefined) t.equal(answer.headers['x-oss-ec'], ec)
    t.equal(server.requests.at(-1)?.applied, false)
  }
})

await t.test('errors of parts', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const uploadId = await create(server, 'k')
  for (const partNumber of [0, 10_001]) {
    const answer = await putPart(server, 'k', uploadId, partNumber, 'x')
    t.match(answer, { status: 400, code: 'InvalidArgument' })
    t.equal(answer.headers['x-oss-ec'], '0017-00000220')
    t.equal(element(answer.text, 'ArgumentName'), 'partNumber')
  }
  const part = (headers: Record<string, string>) =>
    putPart(server, 'k', uploadId, 1, 'x', { headers })
  t.match(await part({ 'x-oss-server-side-encryption': 'AES256' }), {
    code: 'InvalidArgument',
  })
  t.match(await part({ 'content-md5': zeroMd5 }), { code: 'InvalidDigest' })
  t.match(await part({ 'x-oss-copy-source': '/examplebucket/none' }), {
    code: 'NoSuchKey',
  })
  t.match(await part({ 'content-length': String(6 * 2 ** 30) }), {
    code: 'EntityTooLarge',
  })
  t.equal(server.openUploads()[0]?.parts, 0)
})

await t.test('a part without a length is refused, an object not', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const uploadId = await create(server, 'k')
  const chunked = { chunked: true }
  t.match(await putPart(server, 'k', uploadId, 1, 'x', chunked), {
    status: 411,
    code: 'MissingContentLength',
  })
  const put = { method: 'PUT', key: 'k', body: 'x', ...chunked }
  t.match(await call(server, put), { status: 200 })
})

await t.test('HEAD says it in a head of bearable size', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const headers = { 'x-oss-meta-a': 'x'.repeat(8000) }
  const head = { method: 'HEAD', key: 'k', headers, secret: 'wrong' }
  const answer = await call(server, head)
  t.equal(answer.status, 403)
  const encoded = String(answer.headers['x-oss-err'])
  const xml = Buffer.from(encoded, 'base64').toString()
  t.equal(element(xml, 'Code'), 'SignatureDoesNotMatch')
  t.ok(encoded.length < 8192)
})

await t.test('HEAD says in a header what went wrong', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const answer = await call(server, { method: 'HEAD', key: 'k' })
  t.match(answer, { status: 404, text: '' })
  const encoded = answer.headers['x-oss-err']
  t.type(encoded, 'string')
  const xml = Buffer.from(String(encoded), 'base64').toString()
  t.equal(element(xml, 'Code'), 'NoSuchKey')
})

await t.test(
  'a target that cannot be read is logged and refused',
  async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    for (const path of ['/examplebucket/%zz', '/examplebucket/%ff', '/?a=%']) {
      const response = await fetch(server.endpoint + path)
      t.equal(response.status, 400)
      t.match(await response.text(), '<Code>InvalidURI</Code>')
      t.match(server.requests.at(-1), { url: path, operation: 'Unknown' })
    }
  },
)
