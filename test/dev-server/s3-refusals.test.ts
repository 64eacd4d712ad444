import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { Bucket, s3Desk } from './s3-client.js'

const Key = 'k'

const { server, s3 } = await s3Desk(t)

await t.test('wrong digests are refused, nothing is stored', async (t) => {
  const rows: [Partial<PutObjectCommandInput>, string][] = [
    [{ ContentMD5: Buffer.alloc(16).toString('base64') }, 'BadDigest'],
    [{ ContentMD5: 'abc' }, 'InvalidDigest'],
    [{ ChecksumCRC32: 'AAAAAA==' }, 'BadDigest'],
    [{ ChecksumCRC32C: 'AAAAAA==' }, 'BadDigest'],
    [{ ChecksumCRC64NVME: 'AAAAAAAAAAA=' }, 'BadDigest'],
    [{ ChecksumSHA256: Buffer.alloc(32).toString('base64') }, 'BadDigest'],
  ]
  for (const [input, name] of rows) {
    const put = new PutObjectCommand({ Bucket, Key, Body: 'hello', ...input })
    await t.rejects(s3.send(put), { name }, JSON.stringify(input))
    t.equal(server.requests.at(-1)?.applied, false)
  }
  t.equal(server.objectPath(Bucket, Key), undefined)
})

await t.test('a body that was changed on its way is refused', async (t) => {
  const put = new PutObjectCommand({ Bucket, Key, Body: 'hello' })
  put.middlewareStack.add(
    (next) => (input) => {
      const { request } = input as { request: { body: unknown } }
      request.body = 'HELLO'
      return next(input)
    },
    { step: 'finalizeRequest', priority: 'low' },
  )
  await t.rejects(s3.send(put), { name: 'XAmzContentSHA256Mismatch' })
  t.equal(server.objectPath(Bucket, Key), undefined)
})

await t.test('Complete: promises, If-None-Match, part checksums', async (t) => {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({
      Bucket,
      Key,
      ChecksumAlgorithm: 'CRC64NVME',
    }),
  )
  const part = await s3.send(
    new UploadPartCommand({
      Bucket,
      Key,
      UploadId,
      PartNumber: 1,
      Body: '123456789',
      ChecksumAlgorithm: 'CRC64NVME',
    }),
  )
  t.equal(part.ChecksumCRC64NVME, 'rosUhgp5mIg=')
  const complete = (more: object, sum = part.ChecksumCRC64NVME) =>
    s3.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: {
          Parts: [{ PartNumber: 1, ETag: part.ETag, ChecksumCRC64NVME: sum }],
        },
        ...more,
      }),
    )
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'there' }))
  const rows: [object, string][] = [
    [{ IfNoneMatch: '*' }, 'PreconditionFailed'],
    [{ MpuObjectSize: 8 }, 'InvalidRequest'],
    [{ ChecksumCRC64NVME: 'AAAAAAAAAAA=' }, 'BadDigest'],
  ]
  for (const [more, name] of rows) {
    await t.rejects(complete(more), { name }, name)
  }
  await t.rejects(complete({}, 'AAAAAAAAAAA='), { name: 'InvalidPart' })
  const done = await complete({
    MpuObjectSize: 9,
    ChecksumCRC64NVME: 'rosUhgp5mIg=',
  })
  t.match(done, { ChecksumType: 'FULL_OBJECT' })
})

await t.test('checksums that do not go together', async (t) => {
  const rows = [
    { ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' },
    { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'COMPOSITE' },
  ] as const
  for (const row of rows) {
    await t.rejects(
      s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...row })),
      { name: 'InvalidRequest' },
    )
  }
})

await t.test('ranges beyond the end', async (t) => {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'hello' }))
  await t.rejects(
    s3.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=5-' })),
    { name: 'InvalidRange' },
  )
  const got = await s3.send(
    new GetObjectCommand({ Bucket, Key, Range: 'bytes=1-2' }),
  )
  t.equal(await got.Body?.transformToString(), 'el')
})

await t.test('without a signature the dialect shows in headers', async (t) => {
  const sent = request(`${server.endpoint}/${Bucket}/${Key}`, {
    headers: { 'x-amz-date': '20240102T030405Z' },
  })
  sent.end()
  const [response] = await once(sent, 'response')
  t.equal(response.statusCode, 403)
  t.type(response.headers['x-amz-request-id'], 'string')
  t.match(await text(response), `<Resource>/${Bucket}/${Key}</Resource>`)
  t.equal(server.requests.at(-1)?.dialect, 's3')
})
