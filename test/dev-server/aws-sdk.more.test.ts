import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type CreateMultipartUploadCommandInput,
} from '@aws-sdk/client-s3'
import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { Bucket, clientOf as client, sendPart } from './s3-client.js'

const partSize = 5 * 1024 * 1024

const hardKeys = [
  'plain',
  'a/../b//c %41+ü’*()!\'~&=?#"<>',
  '../../etc/passwd',
  './x',
  'dir/',
  '/leading',
  '%2e%2e/%2F',
  'back\\slash',
  '😀',
]

await t.test('hard keys survive path style and virtual hosts', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  // There is no name service for `bucket.localhost` everywhere.
  const httpAgent = new Agent({
    lookup: (_, options, done) =>
      options.all === true
        ? done(null, [{ address: '127.0.0.1', family: 4 }])
        : done(null, '127.0.0.1', 4),
  })
  t.teardown(() => httpAgent.destroy())
  const virtual = {
    endpoint: `http://localhost:${server.port}`,
    forcePathStyle: false,
    requestHandler: { httpAgent },
  }
  const clients = { path: client(server), virtual: client(server, virtual) }
  for (const [style, s3] of Object.entries(clients)) {
    for (const Key of hardKeys) {
      const Body = `${style} ${Key}`
      await s3.send(new PutObjectCommand({ Bucket, Key, Body }))
      const got = await s3.send(new GetObjectCommand({ Bucket, Key }))
      t.equal(await got.Body?.transformToString(), Body)
      t.equal(server.requests.at(-1)?.key, Key)
    }
  }
  const hosts = new Set(server.requests.map(({ headers }) => headers['host']))
  t.equal(hosts.size, 2)
  const listed = await clients.path.send(new ListObjectsV2Command({ Bucket }))
  t.strictSame(
    listed.Contents?.map((object) => object.Key).toSorted(),
    hardKeys.toSorted(),
  )
})

await t.test('put, head and delete carry what S3 calls it', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const s3 = client(server)
  const Key = 'object'
  const put = await s3.send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: '123456789',
      ContentType: 'text/plain',
      Metadata: { author: 'alice' },
      StorageClass: 'STANDARD_IA',
      Tagging: 'a=1&b=2',
      ServerSideEncryption: 'AES256',
    }),
  )
  t.match(put, {
    ETag: '"25f9e794323b453885f5181f1b624d0b"',
    ChecksumCRC32: 'y/Q5Jg==',
    ServerSideEncryption: 'AES256',
  })
  t.match(await s3.send(new HeadObjectCommand({ Bucket, Key })), {
    ContentLength: 9,
    ContentType: 'text/plain',
    Metadata: { author: 'alice' },
    StorageClass: 'STANDARD_IA',
    ServerSideEncryption: 'AES256',
  })
  const IfNoneMatch = '*'
  await t.rejects(
    s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x', IfNoneMatch })),
    { name: 'PreconditionFailed' },
  )
  await s3.send(new DeleteObjectCommand({ Bucket, Key }))
  await t.rejects(s3.send(new HeadObjectCommand({ Bucket, Key })), {
    name: 'NotFound',
  })
})

await t.test('a stream goes up as aws-chunked with a trailer', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const s3 = client(server)
  const Key = 'stream'
  const bytes = Buffer.alloc(300_000, 'stream ')
  const Body = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)])
  const ContentLength = bytes.length
  await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength }))
  t.match(server.requests[0]?.headers, {
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  })
  const got = await s3.send(new GetObjectCommand({ Bucket, Key }))
  t.ok(bytes.equals((await got.Body?.transformToByteArray()) ?? Buffer.of()))
  t.equal(got.ContentEncoding, undefined)
})

const modes: Partial<CreateMultipartUploadCommandInput>[] = [
  {},
  { ChecksumAlgorithm: 'CRC64NVME' },
  { ChecksumAlgorithm: 'CRC32' },
  { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' },
  { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' },
  { ChecksumAlgorithm: 'SHA256' },
]

for (const mode of modes) {
  await t.test(`a multipart upload with ${JSON.stringify(mode)}`, async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const s3 = client(server)
    const Key = 'multi/part'
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({
        Bucket,
        Key,
        Metadata: { a: 'b' },
        ...mode,
      }),
    )
    const bytes = [Buffer.alloc(partSize, 'one'), Buffer.from('two')]
    const { ChecksumAlgorithm } = mode
    const Parts: CompletedPart[] = []
    for (const [index, Body] of bytes.entries()) {
      const PartNumber = index + 1
      const upload = { Key, UploadId, ChecksumAlgorithm }
      Parts.push(await sendPart(t, s3, { ...upload, PartNumber, Body }))
    }
    const listed = await s3.send(
      new ListPartsCommand({ Bucket, Key, UploadId }),
    )
    t.match(listed.Parts, Parts)
    const done = await s3.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts },
      }),
    )
    t.match(done.ETag, /^"[0-9a-f]{32}-2"$/)
    // The SDK compares full-object checksums while it reads.
    const got = await s3.send(
      new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }),
    )
    const whole = Buffer.concat(bytes)
    t.ok(whole.equals((await got.Body?.transformToByteArray()) ?? Buffer.of()))
    t.strictSame(got.Metadata, { a: 'b' })
    if (mode.ChecksumType === 'FULL_OBJECT') {
      t.equal(got.ChecksumType, 'FULL_OBJECT')
    }
  })
}

await t.test(
  'uploads are listed and aborted; small parts refused',
  async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const s3 = client(server)
    const Key = 'k'
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key }),
    )
    const Parts: CompletedPart[] = []
    for (const PartNumber of [1, 2]) {
      const Body = 'small'
      const { ETag } = await s3.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
      )
      Parts.push({ PartNumber, ETag })
    }
    await t.rejects(
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key,
          UploadId,
          MultipartUpload: { Parts },
        }),
      ),
      { name: 'EntityTooSmall' },
    )
    const { Uploads } = await s3.send(
      new ListMultipartUploadsCommand({ Bucket }),
    )
    t.match(Uploads, [{ Key, UploadId }])
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    await t.rejects(s3.send(new ListPartsCommand({ Bucket, Key, UploadId })), {
      name: 'NoSuchUpload',
    })
  },
)

await t.test('credentials are checked', async (t) => {
  const server = await startDevServer({
    region: 'eu-central-1',
    credentials: {
      accessKeyId: 'id',
      accessKeySecret: 'secret',
      securityToken: 'first',
    },
  })
  t.teardown(() => server.close())
  const credentials = {
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    sessionToken: 'first',
  }
  const region = 'eu-central-1'
  const good = { region, credentials }
  const rows: [string, object, string | undefined][] = [
    ['right ones', good, undefined],
    [
      'a wrong secret',
      { region, credentials: { ...credentials, secretAccessKey: 'no' } },
      'SignatureDoesNotMatch',
    ],
    [
      'an unknown key',
      { region, credentials: { ...credentials, accessKeyId: 'no' } },
      'InvalidAccessKeyId',
    ],
    [
      'a wrong token',
      { region, credentials: { ...credentials, sessionToken: 'no' } },
      'InvalidToken',
    ],
    ['a wrong region', { credentials }, 'AuthorizationHeaderMalformed'],
  ]
  for (const [name, options, code] of rows) {
    const sent = client(server, options).send(
      new PutObjectCommand({ Bucket, Key: 'k', Body: '' }),
    )
    if (code === undefined) await t.resolves(sent, name)
    else await t.rejects(sent, { name: code }, name)
  }
  server.setCredentials({
    accessKeyId: 'id',
    accessKeySecret: 'secret',
    securityToken: 'second',
  })
  await t.rejects(
    client(server, good).send(new ListObjectsV2Command({ Bucket })),
    { name: 'ExpiredToken' },
  )
})
