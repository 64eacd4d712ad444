import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketLocationCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { until } from '../support/small-upload.js'
import { call, create, element, elements } from './raw-client.js'
import { s3Desk } from './s3-client.js'

await t.test('S3 makes, lists, finds and deletes buckets', async (t) => {
  const { s3 } = await s3Desk(t, { buckets: ['first'] })
  for (const Bucket of ['third', 'second']) {
    await s3.send(new CreateBucketCommand({ Bucket }))
  }
  await s3.send(
    new CreateBucketCommand({
      Bucket: 'third',
      CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
    }),
  )
  const names = async (input = {}) => {
    const { Buckets = [], ...rest } = await s3.send(
      new ListBucketsCommand(input),
    )
    return { ...rest, names: Buckets.map(({ Name }) => Name), Buckets }
  }
  const all = await names()
  t.same(all.names, ['first', 'second', 'third'])
  t.ok(all.Buckets[0]?.CreationDate instanceof Date)
  t.equal(all.Buckets[0]?.BucketRegion, 'us-east-1')
  t.match(all.Owner, { ID: 'dev' })
  const page = await names({ MaxBuckets: 2 })
  t.same(page.names, ['first', 'second'])
  const { ContinuationToken } = page
  t.same((await names({ ContinuationToken })).names, ['third'])
  t.same((await names({ Prefix: 's' })).names, ['second'])
  t.same((await names({ BucketRegion: 'eu-west-1' })).names, [])
  const Bucket = 'second'
  t.match(await s3.send(new HeadBucketCommand({ Bucket })), {
    BucketRegion: 'us-east-1',
  })
  await s3.send(new PutObjectCommand({ Bucket: 'third', Key: 'k', Body: '' }))
  await t.rejects(s3.send(new DeleteBucketCommand({ Bucket: 'third' })), {
    name: 'BucketNotEmpty',
  })
  await s3.send(new DeleteBucketCommand({ Bucket }))
  await t.rejects(s3.send(new HeadBucketCommand({ Bucket })), {
    name: 'NotFound',
  })
  await t.rejects(s3.send(new DeleteBucketCommand({ Bucket })), {
    name: 'NoSuchBucket',
  })
  t.same((await names()).names, ['first', 'third'])
})

await t.test('the region is the one that signatures name', async (t) => {
  const Bucket = 'examplebucket'
  const rows = [
    ['us-east-1', undefined],
    ['eu-central-1', 'eu-central-1'],
  ] as const
  for (const [region, expected] of rows) {
    const { s3 } = await s3Desk(t, {}, { region })
    const { LocationConstraint } = await s3.send(
      new GetBucketLocationCommand({ Bucket }),
    )
    t.equal(LocationConstraint, expected)
  }
  const server = await startDevServer({ region: 'cn-beijing' })
  t.teardown(() => server.close())
  const { text } = await call(server, {
    method: 'GET',
    query: { location: '' },
  })
  t.match(text, /<LocationConstraint>oss-cn-beijing<\/LocationConstraint>$/)
})

await t.test('OSS lists buckets in pages, and tells of one', async (t) => {
  const server = await startDevServer({ buckets: ['aaa', 'aab', 'bbb'] })
  t.teardown(() => server.close())
  const list = (query = {}) =>
    call(server, { method: 'GET', bucket: '', query })
  t.same(elements((await list()).text, 'Name'), ['aaa', 'aab', 'bbb'])
  const info = await call(server, {
    method: 'GET',
    bucket: 'bbb',
    query: { bucketInfo: '' },
  })
  t.equal(element(info.text, 'Name'), 'bbb')
  t.equal(element(info.text, 'Location'), 'oss-cn-hangzhou')
  t.equal(element(info.text, 'StorageClass'), 'Standard')
  t.match(
    await call(server, {
      method: 'GET',
      bucket: 'ccc',
      query: { bucketInfo: '' },
    }),
    { status: 404, code: 'NoSuchBucket' },
  )
})

await t.test('where any bucket exists, those in use are listed', async (t) => {
  const server = await startDevServer({ buckets: '*' })
  t.teardown(() => server.close())
  const names = async () =>
    elements((await call(server, { method: 'GET', bucket: '' })).text, 'Name')
  t.same(await names(), [])
  await call(server, { method: 'PUT', bucket: 'with-object', key: 'k' })
  await create(server, 'k', { bucket: 'with-upload' })
  await call(server, { method: 'PUT', bucket: 'made' })
  t.same(await names(), ['made', 'with-object', 'with-upload'])
})

await t.test(
  'OSS keeps a bucket with unfinished uploads, S3 drops them',
  async (t) => {
    const { server, s3 } = await s3Desk(t, { buckets: ['one'] })
    await create(server, 'k', { bucket: 'one' })
    t.match(await call(server, { method: 'DELETE', bucket: 'one' }), {
      status: 409,
      code: 'BucketNotEmpty',
    })
    t.equal(server.openUploads().length, 1)
    await s3.send(new DeleteBucketCommand({ Bucket: 'one' }))
    t.same(server.openUploads(), [])
  },
)

await t.test('a body that makes no bucket is refused', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  for (const body of ['x', '<Tagging></Tagging>']) {
    t.match(await call(server, { method: 'PUT', bucket: 'new', body }), {
      status: 400,
      code: 'MalformedXML',
    })
  }
  t.equal((await call(server, { method: 'HEAD', bucket: 'new' })).status, 404)
})

await t.test('an object that comes too late for its bucket', async (t) => {
  const server = await startDevServer({
    buckets: ['going'],
    bytesPerSecond: 200_000,
  })
  t.teardown(() => server.close())
  const body = Buffer.alloc(50_000)
  const late = call(server, { method: 'PUT', bucket: 'going', key: 'k', body })
  await until(() => (server.requests[0]?.bytes ?? 0) > 0)
  const drop = { method: 'DELETE', bucket: 'going' }
  t.equal((await call(server, drop)).status, 204)
  t.match(await late, { status: 404, code: 'NoSuchBucket' })
  t.equal(server.objectPath('going', 'k'), undefined)
})

await t.test('both versions of ListObjects, with delimiters', async (t) => {
  const { s3 } = await s3Desk(t, { maxPageSize: 2 })
  const Bucket = 'examplebucket'
  for (const Key of ['a', 'dir/b', 'dir/c', 'e', 'f']) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: '' }))
  }
  const seen: (string | undefined)[][] = [[], []]
  let Marker: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsCommand({ Bucket, Delimiter: '/', Marker }),
    )
    seen[0]?.push(
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    )
    t.match(page.Contents?.[0]?.Owner ?? { ID: 'dev' }, { ID: 'dev' })
    Marker = page.NextMarker
  } while (Marker !== undefined)
  let ContinuationToken: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket, Delimiter: '/', ContinuationToken }),
    )
    seen[1]?.push(
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    )
    t.ok((page.Contents ?? []).every(({ Owner }) => Owner === undefined))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken !== undefined)
  t.same(seen, [
    ['a', 'dir/', 'e', 'f'],
    ['a', 'dir/', 'e', 'f'],
  ])
  const owned = await s3.send(
    new ListObjectsV2Command({ Bucket, FetchOwner: true, StartAfter: 'dir/c' }),
  )
  t.match(owned, {
    StartAfter: 'dir/c',
    Contents: [{ Key: 'e', Owner: { ID: 'dev' } }, { Key: 'f' }],
  })
})
