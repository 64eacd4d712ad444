import { inspect } from 'node:util'
import t from 'tap'
import type { StoreErrorKind } from '../../lib/store/store-error.js'
import { rejection } from '../support/attempts.js'
import {
  answer,
  bodyOf,
  scriptedServer,
  type Step,
} from '../support/scripted-server.js'
import { bodyFrom, storeCall } from '../support/store-call.js'
import { testOssStore } from '../support/stores.js'

const etag = '"E"'
const part = {
  key: 'k',
  uploadId: 'U',
  partNumber: 1,
  size: 9,
  body: bodyFrom(Buffer.from('123456789')),
}
const refusal = (status: number, code: string, inner = '') =>
  answer(
    status,
    { 'content-type': 'application/xml' },
    `<Error><Code>${code}</Code>${inner}</Error>`,
  )

/** `20240102T030405Z` as ms since 1970. */
function signingTime(header: string | string[] | undefined): number {
  return Date.parse(
    String(header).replace(
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
      '$1-$2-$3T$4:$5:$6Z',
    ),
  )
}

await t.test('a wrong clock is corrected from the answer', async (t) => {
  const hour = 3_600_000
  const date = new Date(Date.now() + 5 * hour).toUTCString()
  const server = await scriptedServer(t, {
    steps: [
      async (exchange) => {
        await bodyOf(exchange.request)
        exchange.response.sendDate = false
        exchange.response.writeHead(403, { date })
        exchange.response.end(
          '<Error><Code>RequestTimeTooSkewed</Code></Error>',
        )
      },
    ],
    otherwise: answer(200, { etag }),
  })
  const store = testOssStore(t, server)
  const error = await rejection(store.uploadPart(part, storeCall()))
  t.equal(error.kind, 'clock')
  await store.uploadPart(part, storeCall())
  await store.uploadPart(part, storeCall())
  const offsets = server.requests.map(
    ({ headers }) => signingTime(headers['x-oss-date']) - Date.now(),
  )
  t.strictSame(
    offsets.map((offset) => Math.round(offset / hour)),
    [0, 5, 5],
  )
})

await t.test('refused credentials are asked for again, once', async (t) => {
  let asked = 0
  const arrived: Step = async (exchange) => {
    await bodyOf(exchange.request)
    const old = exchange.request.headers.authorization?.includes('=ID1/')
    const step = old
      ? refusal(403, 'SecurityTokenExpired')
      : answer(200, { etag })
    await step(exchange)
  }
  const server = await scriptedServer(t, { otherwise: arrived })
  const store = testOssStore(t, server, {
    credentials: async () => ({
      accessKeyId: `ID${++asked}`,
      accessKeySecret: 's',
      securityToken: 'HUSH',
    }),
  })
  const send = () => store.uploadPart(part, storeCall())
  const errors = await Promise.all([1, 2, 3].map(() => rejection(send())))
  t.strictSame(
    errors.map(({ kind }) => kind),
    ['credentials', 'credentials', 'credentials'],
  )
  await Promise.all([send(), send(), send()])
  t.equal(asked, 2)
})

await t.test("a provider's bad answer is a credentials failure", async (t) => {
  const server = await scriptedServer(t)
  const store = testOssStore(t, server, {
    credentials: async () => ({ accessKeyId: '', accessKeySecret: 'HUSH' }),
  })
  const error = await rejection(store.uploadPart(part, storeCall()))
  t.equal(error.kind, 'credentials')
  t.notMatch(inspect(error, { depth: 10 }), /HUSH/)
  t.equal(server.requests.length, 0)
})

await t.test('an abort does not wait for a provider that hangs', async (t) => {
  const server = await scriptedServer(t)
  const store = testOssStore(t, server, {
    credentials: () => new Promise(() => undefined),
  })
  const controller = new AbortController()
  const sending = store.uploadPart(
    part,
    storeCall({ signal: controller.signal }),
  )
  setImmediate(() => controller.abort(new Error('enough')))
  await t.rejects(sending, { message: 'enough' })
})

await t.test('a provider that hangs is given up, and asked anew', async (t) => {
  const server = await scriptedServer(t, { otherwise: answer(200, { etag }) })
  let asked = 0
  const hung = new Promise<never>(() => undefined)
  const keys = { accessKeyId: 'ID', accessKeySecret: 'S' }
  const store = testOssStore(t, server, {
    credentials: () => (++asked === 1 ? hung : Promise.resolve(keys)),
  })
  const timeouts = { connect: 1000, stall: 1000, headers: 20 }
  // Both wait for the one question.
  const errors = await Promise.all(
    [1, 2].map(() =>
      rejection(store.uploadPart(part, storeCall({ timeouts }))),
    ),
  )
  for (const error of errors) {
    t.match(error, {
      kind: 'credentials',
      code: 'PAWL_CREDENTIALS',
      message: /has not answered within 0\.02 s/,
      cause: { code: 'ETIMEDOUT' },
    })
  }
  t.equal(asked, 1)
  await store.uploadPart(part, storeCall())
  t.equal(asked, 2)
})

await t.test('64 requests at once, the others wait unsigned', async (t) => {
  const open: Parameters<Step>[0][] = []
  let full: () => void = () => undefined
  const sixtyFour = new Promise<void>((resolve) => {
    full = resolve
  })
  let free = false
  const server = await scriptedServer(t, {
    otherwise: async (exchange) => {
      if (free) return answer(204)(exchange)
      if (open.push(exchange) === 64) full()
      return undefined
    },
  })
  let asked = 0
  const store = testOssStore(t, server, {
    credentials: async () => ({
      accessKeyId: `ID${++asked}`,
      accessKeySecret: 's',
      // Always about to expire, so that each signing asks.
      expiration: Date.now() + 1000,
    }),
  })
  const calls = Array.from({ length: 70 }, () =>
    store.abortUpload({ key: 'k', uploadId: 'U' }, storeCall()),
  )
  await sixtyFour
  t.equal(server.requests.length, 64)
  t.equal(server.sockets.size, 64)
  const before = asked
  free = true
  for (const exchange of open) await answer(204)(exchange)
  await Promise.all(calls)
  t.equal(server.requests.length, 70)
  t.ok(asked > before, 'credentials were asked for when the queue moved')
})

const answers: [
  name: string,
  step: Step,
  kind: StoreErrorKind,
  fields?: object,
][] = [
  ['404 NoSuchUpload', refusal(404, 'NoSuchUpload'), 'no-upload'],
  ['404 NoSuchBucket', refusal(404, 'NoSuchBucket'), 'no-bucket'],
  ['404 without a word', answer(404), 'request'],
  [
    '404 by a proxy',
    answer(404, {}, '<html><body>no</body></html>'),
    'request',
  ],
  ['403 AccessDenied', refusal(403, 'AccessDenied'), 'denied'],
  [
    '403 AccessDenied elsewhere',
    refusal(
      403,
      'AccessDenied',
      '<Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint>',
    ),
    'request',
    { message: /The bucket is at oss-cn-beijing\.aliyuncs\.com/ },
  ],
  ['403 without a word', answer(403), 'denied'],
  [
    '403 SignatureDoesNotMatch',
    refusal(403, 'SignatureDoesNotMatch'),
    'denied',
  ],
  ['403 InvalidAccessKeyId', refusal(403, 'InvalidAccessKeyId'), 'credentials'],
  [
    '403 SecondLevelDomainForbidden',
    refusal(403, 'SecondLevelDomainForbidden'),
    'request',
    { message: /addressing/ },
  ],
  ['400 RequestTimeout', refusal(400, 'RequestTimeout'), 'timeout'],
  ['400 InvalidDigest', refusal(400, 'InvalidDigest'), 'digest'],
  ['400 InvalidPart', refusal(400, 'InvalidPart'), 'invalid-part'],
  ['400 EntityTooSmall', refusal(400, 'EntityTooSmall'), 'too-small'],
  ['400 InvalidArgument', refusal(400, 'InvalidArgument'), 'request'],
  [
    '400 a code of later days',
    refusal(400, 'SomethingNew'),
    'request',
    { serverCode: 'SomethingNew' },
  ],
  [
    '409 FileAlreadyExists',
    refusal(409, 'FileAlreadyExists'),
    'exists',
    { code: 'PAWL_ALREADY_EXISTS' },
  ],
  ['409 PartAlreadyExist', refusal(409, 'PartAlreadyExist'), 'conflict'],
  ['405', refusal(405, 'MethodNotAllowed'), 'unsupported'],
  ['408', answer(408), 'server'],
  ['411', refusal(411, 'MissingContentLength'), 'request'],
  [
    '429',
    answer(429, { 'retry-after': '2' }),
    'throttled',
    { retryAfter: 2000 },
  ],
  ['500 InternalError', refusal(500, 'InternalError'), 'server'],
  ['501', answer(501), 'unsupported'],
  ['502 by a proxy', answer(502, {}, '<html>'), 'server'],
  ['503 ServiceBusy', refusal(503, 'ServiceBusy'), 'throttled'],
  ['301', answer(301, { location: 'http://127.0.0.1:1/' }), 'request'],
  [
    '200 with an error',
    refusal(200, 'InternalError'),
    'server',
    { status: 200 },
  ],
  ['200 with a new error', refusal(200, 'SomethingNew'), 'server'],
  ['a huge refusal', answer(503, {}, 'x'.repeat(70_000)), 'throttled'],
  [
    'a refusal with a document type',
    answer(403, {}, '<!DOCTYPE x><Error><Code>NoSuchUpload</Code></Error>'),
    'denied',
  ],
]

for (const [name, step, kind, fields = {}] of answers) {
  await t.test(`${name} is ${kind}`, async (t) => {
    const server = await scriptedServer(t, { steps: [step] })
    const store = testOssStore(t, server)
    const error = await rejection(store.uploadPart(part, storeCall()))
    t.equal(error.kind, kind)
    t.match(error, { key: 'k', uploadId: 'U', partNumber: 1, ...fields })
    t.match(error.message, /^UploadPart at 127\.0\.0\.1:\d+: /)
  })
}

await t.test('what the server said is kept, its secrets are not', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(
        403,
        {
          'x-oss-request-id': '636B68BA80DA8539399FFAKE',
          'x-oss-ec': '0002-00000040',
        },
        `<?xml version="1.0"?>
<Error><Code>SignatureDoesNotMatch</Code><Message>HUSH</Message>
<RequestId>636B68BA80DA8539399FFAKE</RequestId><HostId>b.oss.example</HostId>
<OSSAccessKeyId>HUSH</OSSAccessKeyId><StringToSign>HUSH</StringToSign>
<SecurityToken>HUSH</SecurityToken><EC>
0002-00000040 </EC></Error>`,
      ),
    ],
  })
  const store = testOssStore(t, server)
  const error = await rejection(store.uploadPart(part, storeCall()))
  t.match(error, {
    code: 'PAWL_ACCESS_DENIED',
    status: 403,
    serverCode: 'SignatureDoesNotMatch',
    requestId: '636B68BA80DA8539399FFAKE',
    hostId: 'b.oss.example',
    ec: '0002-00000040',
  })
  t.notMatch(inspect(error, { depth: 20, showHidden: true }), /HUSH|FAKESECRET/)
})

await t.test('a code that is no code is not repeated', async (t) => {
  const server = await scriptedServer(t, {
    steps: [refusal(403, 'HUSH &lt;b&gt; token=HUSH')],
  })
  const store = testOssStore(t, server)
  const error = await rejection(store.uploadPart(part, storeCall()))
  t.equal(error.serverCode, undefined)
  t.notMatch(error.message, /HUSH/)
})

await t.test('a refusal without a body speaks through x-oss-err', async (t) => {
  const said = Buffer.from('<Error><Code>NoSuchUpload</Code></Error>')
  const server = await scriptedServer(t, {
    steps: [answer(404, { 'x-oss-err': said.toString('base64') })],
  })
  const store = testOssStore(t, server)
  const error = await rejection(store.uploadPart(part, storeCall()))
  t.equal(error.kind, 'no-upload')
})

await t.test('a page may be full, and no larger', async (t) => {
  const part = (number: number): string =>
    `<Part><PartNumber>${number}</PartNumber><LastModified>2012-02-23T07:01:34.000Z</LastModified>` +
    `<ETag>&quot;${'E'.repeat(64)}&quot;</ETag><HashCrc64ecma>11051210869376104954</HashCrc64ecma>` +
    `<ChecksumSHA256>${'x'.repeat(44)}</ChecksumSHA256><Size>5368709120</Size></Part>`
  const parts = Array.from({ length: 1000 }, (_, i) => part(i + 1)).join('')
  const key = encodeURIComponent('日'.repeat(341))
  const upload = (i: number): string =>
    `<Upload><Key>${key}</Key><UploadId>${`${1000 + i}`.repeat(256)}</UploadId>` +
    `<Initiator><ID>${'i'.repeat(64)}</ID><DisplayName>i</DisplayName></Initiator>` +
    `<Owner><ID>${'o'.repeat(64)}</ID><DisplayName>o</DisplayName></Owner>` +
    '<StorageClass>STANDARD</StorageClass><Initiated>2012-02-23T06:14:27.000Z</Initiated></Upload>'
  const uploads = Array.from({ length: 200 }, (_, i) => upload(i)).join('')
  const server = await scriptedServer(t, {
    steps: [
      answer(200, {}, `<ListPartsResult>${parts}</ListPartsResult>`),
      answer(
        200,
        {},
        `<ListMultipartUploadsResult><EncodingType>url</EncodingType>${uploads}</ListMultipartUploadsResult>`,
      ),
    ],
    otherwise: answer(200, {}, `<A>${'x'.repeat(1024 * 1024)}</A>`),
  })
  const store = testOssStore(t, server)
  const request = { key: 'k', uploadId: 'U' }
  const listed = await store.listParts(request, storeCall())
  t.equal(listed.parts.length, 1000)
  const found = await store.listUploads({}, storeCall())
  t.equal(found.uploads.length, 200)
  const kind = async (call: Promise<unknown>) => (await rejection(call)).kind
  t.equal(await kind(store.listParts(request, storeCall())), 'response')
  t.equal(await kind(store.listUploads({}, storeCall())), 'response')
})

await t.test('an answer about one thing is small', async (t) => {
  const server = await scriptedServer(t, {
    otherwise: answer(200, { etag }, `<A>${' '.repeat(64 * 1024)}</A>`),
  })
  const store = testOssStore(t, server)
  const upload = { key: 'k', uploadId: 'U', size: 9 }
  const parts = [{ partNumber: 1, etag }]
  const body = bodyFrom(Buffer.from('123456789'))
  const calls = [
    store.createUpload({ key: 'k', object: {} }, storeCall()),
    store.completeUpload({ ...upload, parts, object: {} }, storeCall()),
    store.putObject({ key: 'k', size: 9, body, object: {} }, storeCall()),
    store.uploadPart({ ...upload, partNumber: 1, body }, storeCall()),
  ]
  for (const call of calls) {
    const error = await rejection(call)
    t.equal(error.kind, 'response')
    t.match(error.message, /larger than 65536 bytes/)
  }
})

await t.test('blanks before an error are no success', async (t) => {
  const blanks = ' \n'.repeat(2000)
  const server = await scriptedServer(t, {
    otherwise: answer(
      200,
      {},
      `${blanks}<Error><Code>InternalError</Code></Error>`,
    ),
  })
  const store = testOssStore(t, server)
  const upload = { key: 'k', uploadId: 'U', size: 9, object: {} }
  const parts = [{ partNumber: 1, etag }]
  const error = await rejection(
    store.completeUpload({ ...upload, parts }, storeCall()),
  )
  t.match(error, { kind: 'server', serverCode: 'InternalError' })
})

await t.test(
  "an upload's time is only told by a clock that can be",
  async (t) => {
    const list = '<ListMultipartUploadsResult></ListMultipartUploadsResult>'
    const at = (ms: number) =>
      answer(200, { date: new Date(Date.now() + ms).toUTCString() }, list)
    const server = await scriptedServer(t, {
      steps: [at(0), at(86_400_000), at(-86_400_000)],
    })
    const store = testOssStore(t, server)
    t.type((await store.listUploads({}, storeCall())).date, 'number')
    t.equal((await store.listUploads({}, storeCall())).date, undefined)
    t.equal((await store.listUploads({}, storeCall())).date, undefined)
  },
)
