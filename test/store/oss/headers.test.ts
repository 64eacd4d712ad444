import t from 'tap'
import type { ObjectOptions } from '../../../lib/store/object-store.js'
import {
  ossBodyHeaders,
  ossObjectHeaders,
} from '../../../lib/store/oss/headers.js'

await t.test('each option goes on the calls that take it', async (t) => {
  const headers = ossObjectHeaders({
    contentType: 'video/mp4',
    cacheControl: ' no-cache ',
    contentDisposition: "attachment; filename*=UTF-8''a%20b",
    contentEncoding: 'gzip',
    expires: new Date('2024-01-02T03:04:05Z'),
    metadata: { Author: 'alice', 'x-y': '1' },
    acl: 'private',
    storageClass: 'IA',
    tagging: { 'k 1': 'v+1', k2: '' },
    encryption: { algorithm: 'KMS', keyId: 'id', dataEncryption: 'SM4' },
    forbidOverwrite: true,
    headers: { 'X-Oss-Persistent': 'yes' },
    callback: {
      url: ['https://a.example/', 'https://b.example/'],
      body: 'b=${bucket}',
      variables: { my: '1' },
    },
  })
  t.strictSame(headers.fixed, {
    'content-type': 'video/mp4',
    'cache-control': 'no-cache',
    'content-disposition': "attachment; filename*=UTF-8''a%20b",
    'content-encoding': 'gzip',
    expires: 'Tue, 02 Jan 2024 03:04:05 GMT',
    'x-oss-storage-class': 'IA',
    'x-oss-tagging': 'k%201=v%2B1&k2=',
    'x-oss-server-side-encryption': 'KMS',
    'x-oss-server-side-encryption-key-id': 'id',
    'x-oss-server-side-data-encryption': 'SM4',
    'x-oss-meta-author': 'alice',
    'x-oss-meta-x-y': '1',
    'x-oss-persistent': 'yes',
  })
  t.strictSame(headers.initiate, { 'x-oss-forbid-overwrite': 'true' })
  t.strictSame(headers.complete, headers.put)
  const { complete } = headers
  t.equal(complete['x-oss-object-acl'], 'private')
  t.equal(complete['x-oss-forbid-overwrite'], 'true')
  const decoded = (name: string): unknown =>
    JSON.parse(Buffer.from(complete[name] ?? '', 'base64').toString())
  t.strictSame(decoded('x-oss-callback'), {
    callbackUrl: 'https://a.example/;https://b.example/',
    callbackBody: 'b=${bucket}',
  })
  t.strictSame(decoded('x-oss-callback-var'), { 'x:my': '1' })
})

await t.test('no options, no headers', async (t) => {
  t.strictSame(ossObjectHeaders({}), {
    fixed: {},
    initiate: {},
    put: {},
    complete: {},
    touching: {},
  })
})

await t.test('a traffic limit is a whole number', async (t) => {
  const body = { key: 'k', size: 0, body: async function* () {} }
  t.strictSame(ossBodyHeaders(body), {})
  t.strictSame(ossBodyHeaders({ ...body, trafficLimit: 819_200 }), {
    'x-oss-traffic-limit': '819200',
  })
  for (const trafficLimit of [0, -1, 1.5, NaN]) {
    t.throws(() => ossBodyHeaders({ ...body, trafficLimit }), {
      code: 'PAWL_INVALID_OPTION',
    })
  }
})

const url = 'https://a.example/'
const refused: Record<string, ObjectOptions> = {
  'a line break in a value': {
    contentType: 'a\r\nx-oss-object-acl: public-read',
  },
  'a line break in metadata': { metadata: { a: 'b\nc' } },
  'metadata that is not ASCII': { metadata: { a: 'é' } },
  'a metadata name with a colon': { metadata: { 'a: b\r\nc': 'd' } },
  'two metadata names that fold to one': { metadata: { A: '1', a: '2' } },
  // The name is counted with its prefix of eleven characters.
  '8 KB of metadata': { metadata: { a: 'x'.repeat(8192 - 12) } },
  'an ACL that does not exist': { acl: 'nonsense' },
  'an empty value': { contentType: '' },
  'no date': { expires: new Date(NaN) },
  'a header name with a space': { headers: { 'a b': 'c' } },
  'a header name with a line break': { headers: { 'a\r\nb': 'c' } },
  authorization: { headers: { Authorization: 'x' } },
  'the host': { headers: { host: 'evil' } },
  'the length': { headers: { 'content-length': '1' } },
  'a header of signing': { headers: { 'x-oss-security-token': 'x' } },
  'an ACL on the wrong call': { headers: { 'x-oss-object-acl': 'private' } },
  'a header that an option has set': {
    contentType: 'a',
    headers: { 'Content-Type': 'b' },
  },
  'a key without KMS': { encryption: { algorithm: 'AES256', keyId: 'x' } },
  'a callback without URL': { callback: { url: [], body: 'x' } },
  'six callback URLs': { callback: { url: Array(6).fill(url), body: 'x' } },
  'a callback URL that is none': { callback: { url: 'ftp://x', body: 'x' } },
  'a callback without body': { callback: { url, body: '' } },
  'more than 5 KB of callback': { callback: { url, body: 'x'.repeat(4000) } },
  'a callback variable in upper case': {
    callback: { url, body: 'x', variables: { My: '1' } },
  },
  'half a surrogate in a tag': { tagging: { a: '\ud800' } },
}

for (const [name, object] of Object.entries(refused)) {
  await t.test(`refused: ${name}`, async (t) => {
    t.throws(() => ossObjectHeaders(object), { code: 'PAWL_INVALID_OPTION' })
  })
}
