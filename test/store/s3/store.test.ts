import { createHash } from 'node:crypto'
import t from 'tap'
import { s3Store, type S3StoreOptions } from '../../../lib/store/s3/store.js'
import type { StoreErrorKind } from '../../../lib/store/store-error.js'
import { rejection } from '../../support/attempts.js'
import {
  answer,
  bodyOf,
  scriptedServer,
  type Step,
} from '../../support/scripted-server.js'
import { bodyFrom, storeCall } from '../../support/store-call.js'
import { testS3Store } from '../../support/stores.js'

const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const etag = '"25f9e794323b453885f5181f1b624d0b"'
const crc64 = BigInt('0xae8b14860a799888').toString()
const part = {
  key: 'a/../b c',
  uploadId: 'U',
  partNumber: 2,
  size: 9,
  body: bodyFrom(Buffer.from('123456789')),
  md5: 'JfnnlDI7RTiF9RgfG2JNCw==',
  crc64,
}
const complete = {
  key: 'k',
  uploadId: 'U',
  size: 9,
  crc64,
  parts: [{ partNumber: 1, etag }],
  object: {},
}
const completed = (inner: string) =>
  `<?xml version="1.0"?><CompleteMultipartUploadResult ${namespace}>${inner}</CompleteMultipartUploadResult>`

await t.test('a part goes out unsigned, with its MD5 only', async (t) => {
  const server = await scriptedServer(t, {
    steps: [answer(200, { etag, 'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=' })],
  })
  const store = testS3Store(t, server)
  t.equal(store.digest, 'md5')
  const receipt = await store.uploadPart(part, storeCall())
  t.strictSame(receipt, { etag, crc64: undefined })
  const { url, headers } = server.requests[0] ?? {}
  t.equal(url, '/examplebucket/a/../b%20c?partNumber=2&uploadId=U')
  t.match(headers, {
    'content-length': '9',
    'content-md5': part.md5,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    authorization:
      /^AWS4-HMAC-SHA256 Credential=FAKEID\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=content-length;content-md5;host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
  })
  t.notOk(Object.keys(headers ?? {}).some((name) => name.includes('checksum')))
})

await t.test('checksums are sent and read when asked for', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(
        200,
        {},
        `<InitiateMultipartUploadResult ${namespace}><UploadId>U</UploadId></InitiateMultipartUploadResult>`,
      ),
      answer(200, { etag, 'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=' }),
      answer(
        200,
        {},
        `<ListPartsResult ${namespace}><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag><Size>9</Size><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></Part></ListPartsResult>`,
      ),
      answer(
        200,
        { 'x-amz-version-id': 'v1' },
        completed(
          '<ETag>"a-1"</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>',
        ),
      ),
    ],
  })
  const store = testS3Store(t, server, { checksum: 'crc64nvme' })
  t.equal(store.digest, 'crc64nvme')
  const call = storeCall()
  t.equal(
    (await store.createUpload({ key: 'k', object: {} }, call)).uploadId,
    'U',
  )
  t.equal((await store.uploadPart(part, call)).crc64, crc64)
  const page = await store.listParts({ key: 'k', uploadId: 'U' }, call)
  t.equal(page.parts[0]?.crc64, crc64)
  t.match(await store.completeUpload(complete, call), {
    etag: 'a-1',
    crc64,
    versionId: 'v1',
  })
  const [create, upload, list, end] = server.requests
  t.equal(create?.url, '/examplebucket/k?uploads=')
  t.match(create?.headers, {
    'x-amz-checksum-algorithm': 'CRC64NVME',
    'x-amz-checksum-type': 'FULL_OBJECT',
  })
  t.equal(upload?.headers['x-amz-checksum-crc64nvme'], 'rosUhgp5mIg=')
  t.equal(
    list?.url,
    '/examplebucket/k?max-parts=1000&part-number-marker=0&uploadId=U',
  )
  t.match(end?.headers, {
    'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=',
    'x-amz-checksum-type': 'FULL_OBJECT',
    'x-amz-mp-object-size': '9',
  })
})

await t.test('the body of Complete is signed', async (t) => {
  let received: Buffer = Buffer.alloc(0)
  const server = await scriptedServer(t, {
    steps: [
      async (exchange) => {
        received = await bodyOf(exchange.request)
        await answer(
          200,
          {},
          completed('<ETag>&quot;a-1&quot;</ETag>'),
        )(exchange)
      },
    ],
  })
  const store = testS3Store(t, server)
  t.equal((await store.completeUpload(complete, storeCall())).etag, 'a-1')
  t.equal(
    server.requests[0]?.headers['x-amz-content-sha256'],
    createHash('sha256').update(received).digest('hex'),
  )
  t.match(received.toString(), `<CompleteMultipartUpload ${namespace}>`)
})

await t.test('an empty or bare ETag after Complete', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(200, {}, completed('<ETag></ETag>')),
      answer(200, {}, completed('<ETag>a-1</ETag>')),
      answer(200, {}, completed('')),
    ],
  })
  const store = testS3Store(t, server)
  const etags: string[] = []
  for (let i = 0; i < 3; i++) {
    etags.push((await store.completeUpload(complete, storeCall())).etag)
  }
  t.strictSame(etags, ['', 'a-1', ''])
})

/** Begins to answer with 200 and white space, and ends with `body`. */
const early =
  (body: string): Step =>
  async ({ request, response }) => {
    await bodyOf(request)
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    for (let i = 0; i < 3; i++) response.write('   \n')
    response.end(body)
  }

await t.test('a 200 that began before the work was done', async (t) => {
  const result = completed('<ETag>"a-1"</ETag>').replace(/^<\?.*?\?>/, '')
  const server = await scriptedServer(t, {
    steps: [
      early(result),
      early('<Error><Code>InternalError</Code></Error>'),
      early('<Error><Code>InvalidPart</Code></Error>'),
      early(''),
    ],
  })
  const store = testS3Store(t, server)
  t.equal((await store.completeUpload(complete, storeCall())).etag, 'a-1')
  const kinds: StoreErrorKind[] = []
  for (let i = 0; i < 3; i++) {
    const { kind } = await rejection(
      store.completeUpload(complete, storeCall()),
    )
    kinds.push(kind)
  }
  t.strictSame(kinds, ['server', 'invalid-part', 'response'])
})

const refusal = (status: number, code: string, inner = '') =>
  answer(status, {}, `<Error><Code>${code}</Code>${inner}</Error>`)

const answers: [
  name: string,
  step: Step,
  kind: StoreErrorKind,
  fields?: object,
][] = [
  ['Ceph: an unknown upload', refusal(404, 'NoSuchKey'), 'no-upload'],
  [
    'Ceph: an unknown upload in Complete',
    refusal(500, 'InternalError'),
    'server',
  ],
  ['NoSuchUpload', refusal(404, 'NoSuchUpload'), 'no-upload'],
  ['BadDigest', refusal(400, 'BadDigest'), 'digest'],
  ['a malformed MD5', refusal(400, 'InvalidDigest'), 'request'],
  ['ExpiredToken', refusal(400, 'ExpiredToken'), 'credentials'],
  ['RequestTimeTooSkewed', refusal(403, 'RequestTimeTooSkewed'), 'clock'],
  ['RequestTimeout', refusal(400, 'RequestTimeout'), 'timeout'],
  ['SlowDown', refusal(503, 'SlowDown'), 'throttled'],
  ['SlowDown with another status', refusal(400, 'SlowDown'), 'throttled'],
  ['OperationAborted', refusal(409, 'OperationAborted'), 'conflict'],
  ['a condition that failed', refusal(412, 'PreconditionFailed'), 'exists'],
  ['Swift: a condition that failed', refusal(412, 'InvalidRequest'), 'exists'],
  ['NotImplemented', refusal(501, 'NotImplemented'), 'unsupported'],
  [
    'a wrong region',
    refusal(
      400,
      'AuthorizationHeaderMalformed',
      '<Region>eu-central-1</Region>',
    ),
    'request',
    { message: /region is eu-central-1/ },
  ],
  [
    'a wrong endpoint',
    refusal(
      301,
      'PermanentRedirect',
      '<Endpoint>s3.eu-central-1.amazonaws.com</Endpoint>',
    ),
    'request',
    { message: /at s3\.eu-central-1\.amazonaws\.com:/ },
  ],
]

for (const [name, step, kind, fields = {}] of answers) {
  await t.test(`${name} is ${kind}`, async (t) => {
    const server = await scriptedServer(t, { steps: [step] })
    const store = testS3Store(t, server)
    const error = await rejection(store.uploadPart(part, storeCall()))
    t.equal(error.kind, kind)
    t.match(error, fields)
  })
}

await t.test('HEAD asks for checksums only when they are wanted', async (t) => {
  const server = await scriptedServer(t, {
    otherwise: answer(200, {
      etag: '"a-1"',
      'content-length': 9,
      'x-amz-checksum-crc64nvme': 'rosUhgp5mIg=',
    }),
  })
  const plain = testS3Store(t, server)
  t.match(await plain.headObject('k', storeCall()), {
    etag: 'a-1',
    size: 9,
    crc64: undefined,
  })
  const checked = testS3Store(t, server, { checksum: 'crc64nvme' })
  t.match(await checked.headObject('k', storeCall()), { crc64 })
  t.strictSame(
    server.requests.map(({ headers }) => headers['x-amz-checksum-mode']),
    [undefined, 'ENABLED'],
  )
})

await t.test('a key that is not there', async (t) => {
  const server = await scriptedServer(t, { otherwise: answer(404) })
  const store = testS3Store(t, server)
  t.equal(await store.headObject('k', storeCall()), undefined)
})

await t.test('keys of a list are taken as they are', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(
        200,
        {},
        `<ListMultipartUploadsResult ${namespace}><IsTruncated>false</IsTruncated><Upload><Key> a%20b&#x1; </Key><UploadId>U</UploadId><Initiated>2012-02-23T06:14:27.000Z</Initiated></Upload></ListMultipartUploadsResult>`,
      ),
    ],
  })
  const store = testS3Store(t, server)
  const { uploads } = await store.listUploads({}, storeCall())
  t.equal(uploads[0]?.key, ' a%20b\u0001 ')
  t.notMatch(server.requests[0]?.url, 'encoding-type')
})

await t.test('a session token is sent and signed', async (t) => {
  const server = await scriptedServer(t, { steps: [answer(204)] })
  const store = testS3Store(t, server, {
    credentials: {
      accessKeyId: 'i',
      secretAccessKey: 's',
      sessionToken: 'FAKETOKEN',
    },
  })
  await store.abortUpload({ key: 'k', uploadId: 'U' }, storeCall())
  t.match(server.requests[0]?.headers, {
    'x-amz-security-token': 'FAKETOKEN',
    authorization: /;x-amz-security-token,/,
  })
})

await t.test('options and the environment', async (t) => {
  const env = { ...process.env }
  delete env['AWS_REGION']
  delete env['AWS_ACCESS_KEY_ID']
  t.intercept(process, 'env', { value: env })
  const credentials = { accessKeyId: 'i', secretAccessKey: 's' }
  const bucket = 'examplebucket'
  t.throws(() => s3Store({ bucket, credentials }), {
    code: 'PAWL_INVALID_OPTION',
    message: /AWS_REGION/,
  })
  t.throws(() => s3Store({ bucket, region: 'eu-central-1' }), {
    code: 'PAWL_CREDENTIALS',
    message: /AWS_ACCESS_KEY_ID/,
  })
  t.throws(
    () =>
      s3Store({
        bucket,
        region: 'r',
        credentials,
        checksum: 'md5' as 'crc64nvme',
      }),
    { code: 'PAWL_INVALID_OPTION' },
  )
  env['AWS_REGION'] = 'eu-central-1'
  t.equal(
    s3Store({ bucket, credentials }).identity,
    's3:eu-central-1/examplebucket',
  )
  const named = s3Store({ bucket, credentials, identity: 'nas/backups' })
  t.equal(named.identity, 'nas/backups')
  t.equal(named.maxRate, undefined)
  const slow = s3Store({ bucket, credentials, maxRate: 5_000_000 })
  t.equal(slow.maxRate, 5_000_000)
  t.equal(named.limits.maxParts, 10_000)
  const few = s3Store({ bucket, credentials, maxParts: 1000 })
  t.equal(few.limits.maxParts, 1000)
  for (const bad of [
    { identity: 'a\nb' },
    { equalParts: 1 as never },
    { maxRate: 0.5 },
    { maxParts: 0 },
    { maxParts: 1.5 },
    { maxParts: 10_001 },
  ]) {
    t.throws(() => s3Store({ bucket, credentials, ...bad }), {
      code: 'PAWL_INVALID_OPTION',
    })
  }
})

await t.test('what the host says of the service', async (t) => {
  const at = (options: Partial<S3StoreOptions>) => {
    const { precedence, limits } = s3Store({
      bucket: 'examplebucket',
      region: 'eu-central-1',
      credentials: { accessKeyId: 'i', secretAccessKey: 's' },
      ...options,
    })
    return [precedence, limits.equalParts]
  }
  const r2 = 'https://0123abc.r2.cloudflarestorage.com'
  t.strictSame(at({}), ['initiate', undefined])
  t.strictSame(at({ endpoint: r2 }), [undefined, true])
  t.strictSame(at({ endpoint: r2, equalParts: false }), [undefined, undefined])
  const other = { endpoint: 'https://s3.example' }
  t.strictSame(at(other), [undefined, undefined])
  t.strictSame(at({ ...other, equalParts: true }), [undefined, true])
})
