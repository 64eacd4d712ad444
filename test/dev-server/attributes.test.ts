import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type CompletedPart,
  type ObjectAttributes,
  type S3Client,
} from '@aws-sdk/client-s3'
import t from 'tap'
import { s3Call } from './raw-s3.js'
import { Bucket, s3Desk, sendPart } from './s3-client.js'

const Key = 'joined'
const pieces = ['first', 'second', 'third']

/** An object of three parts, numbers 1, 2 and 4. */
async function join(s3: S3Client, ChecksumAlgorithm?: 'SHA256' | 'CRC32') {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm }),
  )
  const Parts: CompletedPart[] = []
  for (const [index, Body] of pieces.entries()) {
    const PartNumber = index === 2 ? 4 : index + 1
    const upload = { Key, UploadId, ChecksumAlgorithm }
    Parts.push(await sendPart(t, s3, { ...upload, PartNumber, Body }))
  }
  const done = await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts },
    }),
  )
  return { Parts, done, UploadId }
}

const all: ObjectAttributes[] = [
  'ETag',
  'Checksum',
  'ObjectParts',
  'StorageClass',
  'ObjectSize',
]

await t.test('GetObjectAttributes answers what it is asked', async (t) => {
  const { s3 } = await s3Desk(t, { minPartSize: 1 })
  const { Parts, done } = await join(s3, 'SHA256')
  const got = await s3.send(
    new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: all }),
  )
  t.match(got, {
    ETag: done.ETag?.replaceAll('"', ''),
    Checksum: {
      ChecksumSHA256: done.ChecksumSHA256,
      ChecksumType: 'COMPOSITE',
    },
    StorageClass: 'STANDARD',
    ObjectSize: pieces.join('').length,
    LastModified: Date,
  })
  t.match(got.ObjectParts, {
    TotalPartsCount: 3,
    IsTruncated: false,
    Parts: Parts.map(({ PartNumber, ChecksumSHA256 }, index) => ({
      PartNumber,
      ChecksumSHA256,
      Size: pieces[index]?.length,
    })),
  })
  const page = await s3.send(
    new GetObjectAttributesCommand({
      Bucket,
      Key,
      ObjectAttributes: ['ObjectParts'],
      MaxParts: 1,
      PartNumberMarker: '1',
    }),
  )
  t.equal(page.ETag, undefined)
  t.match(page.ObjectParts, {
    IsTruncated: true,
    NextPartNumberMarker: '2',
    Parts: [{ PartNumber: 2 }],
  })
})

await t.test('without checksums parts are only counted', async (t) => {
  const { s3 } = await s3Desk(t, { minPartSize: 1 })
  await join(s3)
  const ask = (key: string) =>
    s3.send(
      new GetObjectAttributesCommand({
        Bucket,
        Key: key,
        ObjectAttributes: all,
      }),
    )
  const joined = await ask(Key)
  t.equal(joined.ObjectParts?.TotalPartsCount, 3)
  t.equal(joined.ObjectParts?.Parts, undefined)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'whole', Body: 'x' }))
  const whole = await ask('whole')
  t.equal(whole.ObjectParts, undefined)
  t.type(whole.Checksum?.ChecksumCRC32, 'string')
  await t.rejects(ask('none'), { name: 'NoSuchKey' })
})

await t.test('an attribute that nobody has is refused', async (t) => {
  const { server } = await s3Desk(t)
  await s3Call(server, { method: 'PUT', key: 'k' })
  for (const name of ['', 'Colour', 'ETag,Colour', 'constructor']) {
    const headers = { 'x-amz-object-attributes': name }
    const query = { attributes: '' }
    const answer = await s3Call(server, {
      method: 'GET',
      key: 'k',
      query,
      headers,
    })
    t.match(answer, { status: 400, code: 'InvalidArgument' }, name)
  }
})

await t.test('a part of an object can be read by its number', async (t) => {
  const { s3 } = await s3Desk(t, { minPartSize: 1 })
  await join(s3)
  const size = pieces.join('').length
  const rows: [number, string, string][] = [
    [1, 'first', `bytes 0-4/${size}`],
    [2, 'second', `bytes 5-10/${size}`],
    [4, 'third', `bytes 11-15/${size}`],
  ]
  for (const [PartNumber, text, ContentRange] of rows) {
    const input = { Bucket, Key, PartNumber }
    const got = await s3.send(new GetObjectCommand(input))
    t.match(got, { ContentRange, PartsCount: 3, ContentLength: text.length })
    t.equal(await got.Body?.transformToString(), text)
    t.match(await s3.send(new HeadObjectCommand(input)), {
      ContentLength: text.length,
      PartsCount: 3,
    })
  }
  for (const PartNumber of [3, 5]) {
    await t.rejects(
      s3.send(new GetObjectCommand({ Bucket, Key, PartNumber })),
      {
        name: 'InvalidRange',
      },
    )
  }
  const both = { Bucket, Key, PartNumber: 1, Range: 'bytes=0-1' }
  await t.rejects(s3.send(new GetObjectCommand(both)), {
    name: 'InvalidRequest',
  })
  await s3.send(new PutObjectCommand({ Bucket, Key: 'whole', Body: 'x' }))
  const whole = { Bucket, Key: 'whole', PartNumber: 1 }
  const got = await s3.send(new GetObjectCommand(whole))
  t.equal(await got.Body?.transformToString(), 'x')
})

await t.test('HEAD takes a range as GET does', async (t) => {
  const { s3 } = await s3Desk(t)
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: '0123456789' }))
  const Range = 'bytes=2-4'
  t.match(await s3.send(new HeadObjectCommand({ Bucket, Key, Range })), {
    ContentLength: 3,
  })
})
