import t from 'tap'
import {
  answer,
  bodyOf,
  scriptedServer,
} from '../../support/scripted-server.js'
import { bodyFrom, storeCall } from '../../support/store-call.js'
import { testOssStore } from '../../support/stores.js'

const etag = '"25F9E794323B453885F5181F1B624D0B"'
const bytes = Buffer.from('123456789')
const xml = (root: string, inner: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">${inner}</${root}>`

await t.test('InitiateMultipartUpload', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(
        200,
        { date: 'Tue, 02 Jan 2024 03:04:05 GMT' },
        xml(
          'InitiateMultipartUploadResult',
          '<EncodingType>url</EncodingType><UploadId> 0004098943221888 </UploadId>',
        ),
      ),
    ],
  })
  const store = testOssStore(t, server)
  const created = await store.createUpload(
    {
      key: 'k',
      object: {
        contentType: 'text/plain',
        acl: 'private',
        forbidOverwrite: true,
      },
      sequential: true,
    },
    storeCall({ requestPayer: 'requester' }),
  )
  t.strictSame(created, {
    uploadId: '0004098943221888',
    date: Date.parse('2024-01-02T03:04:05Z'),
  })
  const [request] = server.requests
  t.equal(request?.method, 'POST')
  t.equal(request?.url, '/examplebucket/k?encoding-type=url&sequential&uploads')
  t.match(request?.headers, {
    'content-length': '0',
    'content-type': 'text/plain',
    'x-oss-forbid-overwrite': 'true',
    'x-oss-request-payer': 'requester',
    'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
    authorization:
      /^OSS4-HMAC-SHA256 Credential=FAKEID\/\d{8}\/cn-hangzhou\/oss\//,
  })
  t.equal(request?.headers['x-oss-object-acl'], undefined)
})

await t.test('UploadPart', async (t) => {
  let received: Buffer | undefined
  const server = await scriptedServer(t, {
    steps: [
      async (exchange) => {
        received = await bodyOf(exchange.request)
        await answer(200, {
          etag,
          'x-oss-hash-crc64ecma': '11051210869376104954',
        })(exchange)
      },
    ],
  })
  const store = testOssStore(t, server, { region: 'oss-cn-hangzhou' })
  const receipt = await store.uploadPart(
    {
      key: 'a/../b//c d',
      uploadId: 'U/+&',
      partNumber: 3,
      size: 9,
      body: bodyFrom(bytes, 4),
      md5: 'JfnnlDI7RTiF9RgfG2JNCw==',
      trafficLimit: 819_200,
    },
    storeCall(),
  )
  t.strictSame(receipt, { etag, crc64: '11051210869376104954' })
  t.strictSame(received, bytes)
  const [request] = server.requests
  t.equal(
    request?.url,
    '/examplebucket/a/../b//c%20d?partNumber=3&uploadId=U%2F%2B%26',
  )
  t.match(request?.headers, {
    'content-length': '9',
    'content-md5': 'JfnnlDI7RTiF9RgfG2JNCw==',
    'x-oss-traffic-limit': '819200',
  })
  t.equal(request?.headers['content-type'], undefined)
  t.equal(request?.headers['transfer-encoding'], undefined)
})

await t.test('ListParts', async (t) => {
  const part = (n: number, crc: string) =>
    `<Part><PartNumber>${n}</PartNumber><LastModified>2012-02-23T07:01:34.000Z</LastModified><ETag>&quot;E${n}&quot;</ETag>${crc}<Size>6291456</Size></Part>`
  const page = (inner: string) => answer(200, {}, xml('ListPartsResult', inner))
  const server = await scriptedServer(t, {
    steps: [
      page(
        `<NextPartNumberMarker>5</NextPartNumberMarker><IsTruncated>true</IsTruncated>${part(1, '<HashCrc64ecma>11051210869376104954</HashCrc64ecma>')}${part(5, '')}`,
      ),
      page(
        '<NextPartNumberMarker>5</NextPartNumberMarker><IsTruncated>false</IsTruncated>',
      ),
      page(
        '<NextPartNumberMarker>5</NextPartNumberMarker><IsTruncated>true</IsTruncated>',
      ),
    ],
  })
  const store = testOssStore(t, server)
  const first = await store.listParts({ key: 'k', uploadId: 'U' }, storeCall())
  const lastModified = Date.parse('2012-02-23T07:01:34Z')
  t.strictSame(first, {
    parts: [
      {
        partNumber: 1,
        etag: '"E1"',
        size: 6_291_456,
        crc64: '11051210869376104954',
        lastModified,
      },
      { partNumber: 5, etag: '"E5"', size: 6_291_456, lastModified },
    ],
    next: 5,
  })
  t.equal(
    server.requests[0]?.url,
    '/examplebucket/k?encoding-type=url&max-parts=1000&part-number-marker=0&uploadId=U',
  )
  const next = { key: 'k', uploadId: 'U', after: 5 }
  t.strictSame(await store.listParts(next, storeCall()), { parts: [] })
  t.match(server.requests[1]?.url, /part-number-marker=5/)
  await t.rejects(store.listParts(next, storeCall()), {
    code: 'PAWL_RESPONSE',
    message: /ListParts at 127\.0\.0\.1:\d+: .*does not advance/,
  })
})

await t.test('CompleteMultipartUpload', async (t) => {
  let received = ''
  const server = await scriptedServer(t, {
    steps: [
      async (exchange) => {
        received = (await bodyOf(exchange.request)).toString()
        await answer(
          200,
          { 'x-oss-hash-crc64ecma': '5', 'x-oss-version-id': 'CAEQ' },
          xml('CompleteMultipartUploadResult', '<ETag>"B864-3"</ETag>'),
        )(exchange)
      },
    ],
  })
  const store = testOssStore(t, server)
  const receipt = await store.completeUpload(
    {
      key: 'k',
      uploadId: 'U',
      size: 2,
      parts: [
        { partNumber: 1, etag },
        { partNumber: 5, etag: '"<&>"' },
      ],
      object: { acl: 'private', contentType: 'text/plain', storageClass: 'IA' },
    },
    storeCall(),
  )
  t.strictSame(receipt, { etag: 'B864-3', crc64: '5', versionId: 'CAEQ' })
  t.equal(
    received,
    '<CompleteMultipartUpload>' +
      `<Part><PartNumber>1</PartNumber><ETag>&quot;${etag.slice(1, -1)}&quot;</ETag></Part>` +
      '<Part><PartNumber>5</PartNumber><ETag>&quot;&lt;&amp;&gt;&quot;</ETag></Part>' +
      '</CompleteMultipartUpload>',
  )
  const { headers, url } = server.requests[0] ?? {}
  t.equal(url, '/examplebucket/k?encoding-type=url&uploadId=U')
  t.equal(headers?.['content-type'], 'application/xml')
  t.equal(headers?.['x-oss-object-acl'], 'private')
  t.equal(headers?.['x-oss-storage-class'], undefined)
})

await t.test('parts out of order are not sent', async (t) => {
  const server = await scriptedServer(t)
  const store = testOssStore(t, server)
  const parts = [
    { partNumber: 2, etag },
    { partNumber: 1, etag },
  ]
  await t.rejects(
    store.completeUpload(
      { key: 'k', uploadId: 'U', size: 2, parts, object: {} },
      storeCall(),
    ),
    { code: 'PAWL_INVALID_OPTION' },
  )
  t.equal(server.requests.length, 0)
})

await t.test('a callback answers in place of the store', async (t) => {
  const failed =
    '<Error><Code>CallbackFailed</Code><Message>HUSH</Message></Error>'
  const headers = { etag: '"B864-3"', 'x-oss-hash-crc64ecma': '5' }
  const server = await scriptedServer(t, {
    steps: [answer(200, headers, '{"a":1}'), answer(203, headers, failed)],
  })
  const store = testOssStore(t, server)
  const request = {
    key: 'k',
    uploadId: 'U',
    size: 2,
    parts: [{ partNumber: 1, etag }],
    object: { callback: { url: 'https://a.example', body: 'x' } },
  }
  t.match(await store.completeUpload(request, storeCall()), {
    etag: 'B864-3',
    crc64: '5',
    callbackBody: '{"a":1}',
    callbackFailed: undefined,
  })
  const { callbackFailed, ...receipt } = await store.completeUpload(
    request,
    storeCall(),
  )
  t.match(receipt, { etag: 'B864-3', crc64: '5' })
  t.match(callbackFailed, { status: 203, serverCode: 'CallbackFailed' })
})

await t.test('a callback that failed under 424', async (t) => {
  const failed = '<Error><Code>CallbackFailed</Code></Error>'
  const headers = { etag: '"B864-3"', 'x-oss-hash-crc64ecma': '5' }
  const server = await scriptedServer(t, {
    otherwise: answer(424, headers, failed),
  })
  const store = testOssStore(t, server)
  const object = { callback: { url: 'https://a.example', body: 'x' } }
  const parts = [{ partNumber: 1, etag }]
  const complete = { key: 'k', uploadId: 'U', size: 9, parts }
  const put = { key: 'k', size: 9, body: bodyFrom(bytes) }
  const stored = {
    etag: 'B864-3',
    crc64: '5',
    callbackFailed: { status: 424, serverCode: 'CallbackFailed' },
  }
  t.match(await store.completeUpload({ ...complete, object }, storeCall()), {
    ...stored,
    callbackBody: undefined,
  })
  t.match(await store.putObject({ ...put, object }, storeCall()), stored)
  // Nobody asked for one: it is an error as any other.
  await t.rejects(store.putObject({ ...put, object: {} }, storeCall()), {
    code: 'PAWL_SERVER',
    status: 424,
  })
})

await t.test('AbortMultipartUpload, twice', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(204),
      answer(404, {}, '<Error><Code>NoSuchUpload</Code></Error>'),
      answer(404, {}, '<Error><Code>NoSuchBucket</Code></Error>'),
    ],
  })
  const store = testOssStore(t, server)
  const request = { key: 'k', uploadId: 'U' }
  await store.abortUpload(request, storeCall())
  await store.abortUpload(request, storeCall())
  await t.rejects(store.abortUpload(request, storeCall()), {
    code: 'PAWL_NO_SUCH_BUCKET',
  })
})

await t.test('ListMultipartUploads', async (t) => {
  const upload = (key: string) =>
    `<Upload><Key>${key}</Key><UploadId>U</UploadId><Initiated>2012-02-23T06:14:27.000Z</Initiated></Upload>`
  const page = (inner: string) =>
    answer(200, {}, xml('ListMultipartUploadsResult', inner))
  const server = await scriptedServer(t, {
    steps: [
      page(
        `<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb%20c</NextKeyMarker><NextUploadIdMarker>U</NextUploadIdMarker>${upload('a%2Fb%20c')}`,
      ),
      page(`<IsTruncated>false</IsTruncated>${upload(' a%2Fb ')}`),
      page(
        '<IsTruncated>true</IsTruncated><NextKeyMarker>m</NextKeyMarker><NextUploadIdMarker>n</NextUploadIdMarker>',
      ),
    ],
  })
  const store = testOssStore(t, server)
  const first = await store.listUploads({ prefix: 'a/b ' }, storeCall())
  const initiated = Date.parse('2012-02-23T06:14:27Z')
  t.match(first, {
    uploads: [{ key: 'a/b c', uploadId: 'U', initiated }],
    next: { keyMarker: 'a/b c', uploadIdMarker: 'U' },
  })
  t.equal(
    server.requests[0]?.url,
    '/examplebucket/?encoding-type=url&max-uploads=200&prefix=a%2Fb%20&uploads',
  )
  // Not decoded, as the server does not say that it is encoded.
  const second = await store.listUploads(
    { keyMarker: ' ', uploadIdMarker: 'U' },
    storeCall(),
  )
  t.equal(second.uploads[0]?.key, ' a%2Fb ')
  t.equal(second.next, undefined)
  t.match(server.requests[1]?.url, /key-marker=%20.*upload-id-marker=U/)
  await t.rejects(
    store.listUploads({ keyMarker: 'm', uploadIdMarker: 'n' }, storeCall()),
    { code: 'PAWL_RESPONSE' },
  )
})

await t.test('PutObject, with bytes and without', async (t) => {
  const server = await scriptedServer(t, {
    otherwise: answer(200, { etag, 'x-oss-hash-crc64ecma': '0' }),
  })
  const store = testOssStore(t, server)
  const object = { contentType: 'text/plain', acl: 'private' }
  const receipt = await store.putObject(
    { key: 'k', size: 9, body: bodyFrom(bytes), object },
    storeCall(),
  )
  t.match(receipt, { etag: etag.slice(1, -1), crc64: '0' })
  await store.putObject(
    { key: 'k', size: 0, body: bodyFrom(Buffer.alloc(0)), object },
    storeCall(),
  )
  t.strictSame(
    server.requests.map(({ headers }) => headers['content-length']),
    ['9', '0'],
  )
  t.match(server.requests[0]?.headers, {
    'content-type': 'text/plain',
    'x-oss-object-acl': 'private',
  })
})

await t.test('HeadObject', async (t) => {
  const noBucket = Buffer.from('<Error><Code>NoSuchBucket</Code></Error>')
  const server = await scriptedServer(t, {
    steps: [
      answer(200, {
        etag,
        'content-length': 9,
        'last-modified': 'Tue, 02 Jan 2024 03:04:05 GMT',
        'x-oss-hash-crc64ecma': '7',
      }),
      answer(404),
      answer(404, { 'x-oss-err': noBucket.toString('base64') }),
    ],
  })
  const store = testOssStore(t, server)
  t.match(await store.headObject('k', storeCall()), {
    etag: etag.slice(1, -1),
    size: 9,
    crc64: '7',
    lastModified: Date.parse('2024-01-02T03:04:05Z'),
  })
  t.equal(await store.headObject('k', storeCall()), undefined)
  await t.rejects(store.headObject('k', storeCall()), {
    code: 'PAWL_NO_SUCH_BUCKET',
    serverCode: 'NoSuchBucket',
  })
})
