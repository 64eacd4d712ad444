import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type CopyObjectCommandInput,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call, complete, create, element, putPart } from './raw-client.js'
import { s3Call } from './raw-s3.js'
import { Bucket, s3Desk } from './s3-client.js'

const md5 = (body: string | Buffer) =>
  createHash('md5').update(body).digest('hex')
const hardKey = "dir one/a+b&c=d 报告 ~'(1)!*%41?.bin"

await t.test('S3 copies bytes and metadata, or takes new ones', async (t) => {
  const { s3 } = await s3Desk(t)
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: hardKey,
      Body: 'one',
      ContentType: 'text/old',
      CacheControl: 'no-store',
      Metadata: { author: 'alice' },
      StorageClass: 'STANDARD_IA',
      Tagging: 'a=1&b=2',
    }),
  )
  const CopySource = `${Bucket}/${encodeURIComponent(hardKey)}`
  const rows: [Partial<CopyObjectCommandInput>, object, object][] = [
    [
      {},
      {
        ContentType: 'text/old',
        CacheControl: 'no-store',
        Metadata: { author: 'alice' },
        // The class is the copy's own.
        StorageClass: undefined,
      },
      { a: '1', b: '2' },
    ],
    [
      {
        MetadataDirective: 'REPLACE',
        ContentType: 'text/new',
        Metadata: { author: 'bob' },
        StorageClass: 'GLACIER_IR',
        ServerSideEncryption: 'AES256',
      },
      {
        ContentType: 'text/new',
        CacheControl: undefined,
        Metadata: { author: 'bob' },
        StorageClass: 'GLACIER_IR',
        ServerSideEncryption: 'AES256',
      },
      { a: '1', b: '2' },
    ],
    [
      { TaggingDirective: 'REPLACE', Tagging: 'c=3' },
      { ContentType: 'text/old', Metadata: { author: 'alice' } },
      { c: '3' },
    ],
    [{ TaggingDirective: 'REPLACE' }, { ContentType: 'text/old' }, {}],
  ]
  for (const [index, [input, head, tags]] of rows.entries()) {
    const Key = `copy ${index}`
    const copied = await s3.send(
      new CopyObjectCommand({ Bucket, Key, CopySource, ...input }),
    )
    t.match(copied.CopyObjectResult, {
      ETag: `"${md5('one')}"`,
      LastModified: Date,
      ChecksumType: 'FULL_OBJECT',
    })
    t.match(await s3.send(new HeadObjectCommand({ Bucket, Key })), head)
    const { TagSet = [] } = await s3.send(
      new GetObjectTaggingCommand({ Bucket, Key }),
    )
    t.same(Object.fromEntries(TagSet.map((tag) => [tag.Key, tag.Value])), tags)
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }))
    t.equal(await got.Body?.transformToString(), 'one')
  }
})

await t.test('S3 refuses copies that are none', async (t) => {
  const { server, s3 } = await s3Desk(t)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'one' }))
  const etag = `"${md5('one')}"`
  const rows: [Partial<CopyObjectCommandInput>, string][] = [
    [{ CopySource: `${Bucket}/none` }, 'NoSuchKey'],
    [{ CopySource: 'nowhere/k' }, 'NoSuchBucket'],
    [{ CopySource: Bucket }, 'InvalidArgument'],
    [{ CopySource: `${Bucket}/` }, 'InvalidArgument'],
    [{ CopySource: `${Bucket}/%zz` }, 'InvalidArgument'],
    [{ CopySource: '..%2f..%2fetc/passwd' }, 'InvalidBucketName'],
    [{ CopySource: `${Bucket}/k?versionId=1` }, 'NotImplemented'],
    [{ Key: 'k' }, 'InvalidRequest'],
    [{ Key: 'k', TaggingDirective: 'REPLACE' }, 'InvalidRequest'],
    [{ CopySourceIfMatch: '"x"' }, 'PreconditionFailed'],
    [{ CopySourceIfNoneMatch: etag }, 'PreconditionFailed'],
    [{ CopySourceIfModifiedSince: new Date() }, 'PreconditionFailed'],
    [{ CopySourceIfUnmodifiedSince: new Date(0) }, 'PreconditionFailed'],
    [{ IfNoneMatch: '*', Key: 'there' }, 'PreconditionFailed'],
  ]
  await s3.send(new PutObjectCommand({ Bucket, Key: 'there', Body: 'two' }))
  for (const [input, name] of rows) {
    const copy = { Bucket, Key: 'copy', CopySource: `${Bucket}/k`, ...input }
    await t.rejects(
      s3.send(new CopyObjectCommand(copy)),
      { name },
      JSON.stringify(input),
    )
    t.equal(server.requests.at(-1)?.applied, false)
  }
  t.equal(server.objectPath(Bucket, 'copy'), undefined)
  await t.resolves(
    s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'k',
        CopySource: `/${Bucket}/k?versionId=null`,
        MetadataDirective: 'REPLACE',
        Metadata: { author: 'carol' },
        CopySourceIfMatch: etag,
      }),
    ),
    'an object to itself, with other metadata',
  )
  const { Metadata } = await s3.send(
    new HeadObjectCommand({ Bucket, Key: 'k' }),
  )
  t.same(Metadata, { author: 'carol' })
})

await t.test('a copy of many parts is one piece', async (t) => {
  const server = await startDevServer({ minPartSize: 1 })
  t.teardown(() => server.close())
  const uploadId = await create(server, 'k')
  const one = await putPart(server, 'k', uploadId, 1, 'one')
  const two = await putPart(server, 'k', uploadId, 2, 'two')
  await complete(server, 'k', uploadId, [
    { partNumber: 1, etag: one.headers.etag },
    { partNumber: 2, etag: two.headers.etag },
  ])
  const headers = { 'x-oss-copy-source': '/examplebucket/k' }
  const copied = await call(server, { method: 'PUT', key: 'c', headers })
  t.match(copied, { status: 200 })
  t.equal(element(copied.text, 'ETag')?.length, 32 + 2 * '&#34;'.length)
  const head = await call(server, { method: 'HEAD', key: 'c' })
  t.match(head.headers, {
    etag: `"${md5('onetwo').toUpperCase()}"`,
    'x-oss-object-type': 'Normal',
    'x-oss-hash-crc64ecma': copied.headers['x-oss-hash-crc64ecma'],
  })
})

await t.test('an empty object is copied as well', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k' })
  const headers = { 'x-oss-copy-source': '/examplebucket/k' }
  t.match(await call(server, { method: 'PUT', key: 'c', headers }), {
    status: 200,
  })
  t.match(await call(server, { method: 'HEAD', key: 'c' }), {
    headers: { 'content-length': '0' },
  })
})

await t.test('OSS answers 304 where the copy is not wanted', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: 'one' })
  const etag = `"${md5('one').toUpperCase()}"`
  const now = new Date().toUTCString()
  const past = new Date(0).toUTCString()
  const rows: [Record<string, string>, number][] = [
    [{ 'x-oss-copy-source-if-match': etag }, 200],
    [{ 'x-oss-copy-source-if-match': '"x"' }, 412],
    [{ 'x-oss-copy-source-if-none-match': etag }, 304],
    [{ 'x-oss-copy-source-if-none-match': '"x"' }, 200],
    [{ 'x-oss-copy-source-if-modified-since': now }, 304],
    [{ 'x-oss-copy-source-if-modified-since': past }, 200],
    [{ 'x-oss-copy-source-if-unmodified-since': past }, 412],
    [{ 'x-oss-copy-source-if-unmodified-since': now }, 200],
    [{ 'x-oss-metadata-directive': 'MIX' }, 400],
  ]
  const source = { 'x-oss-copy-source': '/examplebucket/k' }
  const uploadId = await create(server, 'part')
  for (const [more, status] of rows) {
    const headers = { ...source, ...more }
    const words = JSON.stringify(more)
    const copy = { method: 'PUT', key: 'c', headers }
    t.equal((await call(server, copy)).status, status, words)
    const twice = Object.entries(more).map(([name, value]) => [
      name.replace('x-oss-copy-source-', ''),
      value,
    ])
    const both = { ...headers, ...Object.fromEntries(twice) }
    t.equal((await call(server, { ...copy, headers: both })).status, status)
    if ('x-oss-metadata-directive' in more) continue
    const part = await putPart(server, 'part', uploadId, 1, '', { headers })
    t.equal(part.status, status, words)
  }
})

await t.test('OSS copies an object to itself', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: 'one' })
  const headers = {
    'x-oss-copy-source': '/examplebucket/k',
    'x-oss-metadata-directive': 'REPLACE',
    'x-oss-meta-author': 'bob',
  }
  const copied = await call(server, { method: 'PUT', key: 'k', headers })
  t.equal(copied.status, 200)
  t.match(await call(server, { method: 'GET', key: 'k' }), {
    text: 'one',
    headers: { 'x-oss-meta-author': 'bob' },
  })
})

const big = Buffer.alloc(5 * 1024 * 1024, 'source ')

for (const ChecksumAlgorithm of [undefined, 'CRC32', 'CRC64NVME'] as const) {
  await t.test(`S3 copies parts, checksum ${ChecksumAlgorithm}`, async (t) => {
    const { s3 } = await s3Desk(t)
    const Key = 'joined'
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: big }))
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm }),
    )
    const CopySource = `${Bucket}/k`
    const Parts: CompletedPart[] = []
    for (const [index, CopySourceRange] of [undefined, 'bytes=3-9'].entries()) {
      const PartNumber = index + 1
      const part = { Bucket, Key, UploadId, PartNumber, CopySource }
      const { CopyPartResult } = await s3.send(
        new UploadPartCopyCommand({ ...part, CopySourceRange }),
      )
      t.equal(typeof CopyPartResult?.ETag, 'string')
      const { LastModified, ...receipt } = CopyPartResult ?? {}
      t.ok(LastModified instanceof Date)
      Parts.push({ PartNumber, ...receipt })
    }
    const refused = { Bucket, Key, UploadId, PartNumber: 3, CopySource }
    for (const CopySourceRange of [
      'bytes=0-5242880',
      'bytes=9-3',
      'bytes=-3',
      'bytes=3-',
      'lines=0-1',
    ]) {
      await t.rejects(
        s3.send(new UploadPartCopyCommand({ ...refused, CopySourceRange })),
        { name: 'InvalidArgument' },
        CopySourceRange,
      )
    }
    await s3.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts },
      }),
    )
    const got = await s3.send(
      new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }),
    )
    const bytes = Buffer.from((await got.Body?.transformToByteArray()) ?? [])
    t.ok(bytes.equals(Buffer.concat([big, big.subarray(3, 10)])))
  })
}

await t.test('OSS copies all for a range that is none', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: '0123456789' })
  const uploadId = await create(server, 'c')
  const rows: [range: string, text: string, contentRange?: string][] = [
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=2-99', '0123456789'],
    ['bytes=4-2', '0123456789'],
    ['lines=1-2', '0123456789'],
  ]
  for (const [range, text, contentRange] of rows) {
    const headers = {
      'x-oss-copy-source': '/examplebucket/k',
      'x-oss-copy-source-range': range,
    }
    const part = await putPart(server, 'c', uploadId, 1, '', { headers })
    t.equal(part.status, 200)
    t.equal(part.headers.etag, `"${md5(text).toUpperCase()}"`, range)
    t.equal(part.headers['content-range'], contentRange, range)
    t.equal(element(part.text, 'ETag'), `&#34;${md5(text).toUpperCase()}&#34;`)
  }
})

await t.test(
  'a part comes from any bucket, and from its own key',
  async (t) => {
    const server = await startDevServer({ buckets: ['examplebucket', 'other'] })
    t.teardown(() => server.close())
    await call(server, {
      method: 'PUT',
      bucket: 'other',
      key: 'k',
      body: 'far',
    })
    await call(server, { method: 'PUT', key: 'k', body: 'near' })
    const uploadId = await create(server, 'k')
    const from = (source: string, partNumber: number) =>
      putPart(server, 'k', uploadId, partNumber, '', {
        headers: { 'x-oss-copy-source': source },
      })
    const far = await from('/other/k', 1)
    t.equal(far.headers.etag, `"${md5('far').toUpperCase()}"`)
    const near = await from('/examplebucket/k', 2)
    t.equal(near.headers.etag, `"${md5('near').toUpperCase()}"`)
    t.match(await from('/other/none', 3), { status: 404, code: 'NoSuchKey' })
    t.match(server.openUploads(), [{ parts: 2 }])
  },
)

await t.test('nothing is copied of bytes that were discarded', async (t) => {
  const server = await startDevServer({ discard: true })
  t.teardown(() => server.close())
  await s3Call(server, { method: 'PUT', key: 'k', body: 'one' })
  const headers = { 'x-amz-copy-source': 'examplebucket/k' }
  t.match(await s3Call(server, { method: 'PUT', key: 'c', headers }), {
    status: 403,
    code: 'InvalidObjectState',
  })
})

await t.test(
  'a part that is copied is refused where it does not fit',
  async (t) => {
    const { s3 } = await s3Desk(t)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'one' }))
    const part = { Bucket, Key: 'c', PartNumber: 1, UploadId: 'none' }
    await t.rejects(
      s3.send(
        new UploadPartCopyCommand({ ...part, CopySource: `${Bucket}/k` }),
      ),
      { name: 'NoSuchUpload' },
    )
    await t.rejects(s3.send(new UploadPartCommand({ ...part, Body: 'x' })), {
      name: 'NoSuchUpload',
    })
  },
)
