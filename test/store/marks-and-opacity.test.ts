/** What a store sends and reads besides the bytes, the same for both dialects. */
import t from 'tap'
import type { Test } from 'tap'
import type { ObjectStore } from '../../lib/store/object-store.js'
import {
  answer,
  scriptedServer,
  type Step,
} from '../support/scripted-server.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { testOssStore, testS3Store } from '../support/stores.js'

const mark = '0123456789abcdef0123456789abcdef'
const etag = '"25F9E794323B453885F5181F1B624D0B"'
const bytes = Buffer.from('123456789')
const md5 = 'JfnnlDI7RTiF9RgfG2JNCw=='

const dialects = [
  ['oss', 'x-oss-', testOssStore] as const,
  ['s3', 'x-amz-', testS3Store] as const,
]

const initiated = answer(
  200,
  {},
  '<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>',
)
const completed = (headers = {}): Step =>
  answer(
    200,
    headers,
    '<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>',
  )

for (const [name, prefix, storeAt] of dialects) {
  const scripted = async (
    t: Test,
    ...steps: Step[]
  ): Promise<[ObjectStore, Awaited<ReturnType<typeof scriptedServer>>]> => {
    const server = await scriptedServer(t, { steps })
    return [storeAt(t, server), server]
  }

  await t.test(
    `${name}: a mark goes with Initiate and PutObject`,
    async (t) => {
      const [store, server] = await scripted(
        t,
        initiated,
        answer(200, { etag }),
        initiated,
      )
      const object = { metadata: { author: 'alice', pawl: 'of a copy' } }
      await store.createUpload({ key: 'k', object, mark }, storeCall())
      await store.putObject(
        { key: 'k', object, mark, md5, size: 9, body: bodyFrom(bytes) },
        storeCall(),
      )
      await store.createUpload({ key: 'k', object }, storeCall())
      t.strictSame(
        server.requests.map(({ headers }) => headers[`${prefix}meta-pawl`]),
        [mark, mark, undefined],
      )
      t.equal(server.requests[1]?.headers['content-md5'], md5)
      t.strictSame(store.fixedHeaders(object), {
        [`${prefix}meta-author`]: 'alice',
      })
    },
  )

  await t.test(`${name}: HEAD reads it back`, async (t) => {
    const head = (value?: string): Step =>
      answer(200, {
        etag,
        'content-length': 9,
        ...(value === undefined ? {} : { [`${prefix}meta-pawl`]: value }),
      })
    const [store] = await scripted(t, head(mark), head('mine'), head())
    t.equal((await store.headObject('k', storeCall()))?.mark, mark)
    t.equal((await store.headObject('k', storeCall()))?.mark, undefined)
    t.equal((await store.headObject('k', storeCall()))?.mark, undefined)
  })

  await t.test(`${name}: whether a mark fits`, async (t) => {
    const [store] = await scripted(t)
    t.equal(store.canMark?.({}), true)
    const most = name === 'oss' ? 8150 : 2000
    t.equal(store.canMark?.({ metadata: { a: 'x'.repeat(most) } }), false)
  })

  await t.test(`${name}: what goes with Complete and PutObject`, async (t) => {
    const [store] = await scripted(t)
    const condition =
      name === 'oss'
        ? { 'x-oss-forbid-overwrite': 'true', 'x-oss-object-acl': 'private' }
        : { 'if-none-match': '*' }
    t.strictSame(
      store.sentHeaders?.({
        acl: 'private',
        contentType: 'a/b',
        forbidOverwrite: true,
      }),
      condition,
    )
    t.strictSame(store.sentHeaders?.({ contentType: 'a/b' }), {})
  })

  const own = { [`${prefix}server-side-encryption`]: 'AES256' }
  const kms = name === 'oss' ? 'KMS' : 'aws:kms'
  const opaque: Record<string, Record<string, string>> = {
    KMS: { [`${prefix}server-side-encryption`]: kms },
    'another key service': {
      [`${prefix}server-side-encryption`]:
        name === 'oss' ? 'SM4' : 'aws:kms:dsse',
    },
    "the caller's key": {
      [`${prefix}server-side-encryption-customer-algorithm`]: 'AES256',
    },
  }
  const cases = [
    ['no encryption', {}, undefined] as const,
    ["the service's own keys", own, undefined] as const,
    ...Object.entries(opaque).map(
      ([what, headers]) => [what, headers, true] as const,
    ),
  ]
  for (const [what, headers, expected] of cases) {
    await t.test(`${name}: an ETag under ${what}`, async (t) => {
      const [store] = await scripted(
        t,
        answer(200, { etag, ...headers }),
        completed(headers),
        answer(200, { etag, ...headers }),
        answer(200, { etag, 'content-length': 9, ...headers }),
      )
      const parts = [{ partNumber: 1, etag }]
      const body = bodyFrom(bytes)
      const upload = { key: 'k', uploadId: 'U', size: 9 }
      const part = await store.uploadPart(
        { ...upload, partNumber: 1, body },
        storeCall(),
      )
      t.equal(part.isOpaque, expected)
      const complete = { ...upload, parts, object: {} }
      const whole = await store.completeUpload(complete, storeCall())
      t.equal(whole.isOpaque, expected)
      const put = { key: 'k', size: 9, body, object: {} }
      t.equal((await store.putObject(put, storeCall())).isOpaque, expected)
      t.equal((await store.headObject('k', storeCall()))?.isOpaque, expected)
    })
  }

  await t.test(`${name}: a weak ETag is the strong one`, async (t) => {
    const weak = `W/${etag}`
    const listed = `<Part><PartNumber>1</PartNumber><LastModified>2012-02-23T07:01:34.000Z</LastModified><ETag>${weak}</ETag><Size>9</Size></Part>`
    const [store] = await scripted(
      t,
      answer(200, { etag: weak }),
      answer(200, {}, `<ListPartsResult>${listed}</ListPartsResult>`),
      answer(200, { etag: weak, 'content-length': 9 }),
    )
    const upload = { key: 'k', uploadId: 'U', size: 9 }
    const part = { ...upload, partNumber: 1, body: bodyFrom(bytes) }
    t.equal((await store.uploadPart(part, storeCall())).etag, etag)
    const { parts } = await store.listParts(upload, storeCall())
    t.equal(parts[0]?.etag, etag)
    const head = await store.headObject('k', storeCall())
    t.equal(head?.etag, etag.slice(1, -1))
  })

  await t.test(
    `${name}: encryption that the server does not echo`,
    async (t) => {
      const [store] = await scripted(
        t,
        answer(200, { etag }),
        completed(),
        answer(200, { etag }),
      )
      const object = { encryption: { algorithm: kms } }
      const parts = [{ partNumber: 1, etag }]
      const body = bodyFrom(bytes)
      const upload = { key: 'k', uploadId: 'U', size: 9 }
      const part = await store.uploadPart(
        { ...upload, partNumber: 1, body },
        storeCall({ object }),
      )
      t.equal(part.isOpaque, true)
      const whole = { ...upload, parts, object }
      t.match(await store.completeUpload(whole, storeCall()), {
        isOpaque: true,
      })
      const put = { key: 'k', size: 9, body, object }
      t.match(await store.putObject(put, storeCall()), { isOpaque: true })
    },
  )
}

await t.test("a key of the caller's own goes with every call", async (t) => {
  const name = 'x-amz-server-side-encryption-customer'
  const customer = {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: 'K7QkYpBkM5',
    [`${name}-key-md5`]: '4XvB3tbNTN',
  }
  const server = await scriptedServer(t, {
    steps: [
      initiated,
      answer(200, { etag }),
      answer(200, {}, '<ListPartsResult></ListPartsResult>'),
      completed(),
      answer(200, { etag, 'content-length': 9 }),
      answer(204),
    ],
  })
  const store = testS3Store(t, server)
  const object = { headers: customer, contentType: 'a/b' }
  const call = storeCall({ object })
  const upload = { key: 'k', uploadId: 'U' }
  const parts = [{ partNumber: 1, etag }]
  const body = bodyFrom(bytes)
  await store.createUpload({ key: 'k', object }, call)
  await store.uploadPart({ ...upload, partNumber: 1, size: 9, body }, call)
  await store.listParts(upload, call)
  await store.completeUpload({ ...upload, parts, object, size: 9 }, call)
  await store.headObject('k', call)
  await store.abortUpload(upload, call)
  t.strictSame(
    server.requests.map(({ method, headers }) => [
      method,
      ...Object.keys(headers).filter((header) => header.startsWith(name)),
    ]),
    [
      ['POST', ...Object.keys(customer)],
      ['PUT', ...Object.keys(customer)],
      ['GET', ...Object.keys(customer)],
      ['POST', ...Object.keys(customer)],
      ['HEAD', ...Object.keys(customer)],
      ['DELETE'],
    ],
  )
  t.equal(server.requests[1]?.headers['content-type'], undefined)
})
