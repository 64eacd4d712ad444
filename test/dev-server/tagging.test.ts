import {
  DeleteObjectTaggingCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call } from './raw-client.js'
import { Bucket, s3Desk } from './s3-client.js'

const Key = 'dir/k'

await t.test('S3 sets, gets and deletes tags', async (t) => {
  const { server, s3 } = await s3Desk(t)
  const get = async () =>
    (await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet
  await s3.send(
    new PutObjectCommand({ Bucket, Key, Body: 'x', Tagging: 'a%20b=1%2B1&c=' }),
  )
  const before = await s3.send(new HeadObjectCommand({ Bucket, Key }))
  t.same(await get(), [
    { Key: 'a b', Value: '1+1' },
    { Key: 'c', Value: '' },
  ])
  const TagSet = [
    { Key: ' spaces & <signs> ', Value: ' "报告" ' },
    { Key: 'e', Value: '1' },
  ]
  await s3.send(
    new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }),
  )
  t.same(await get(), TagSet)
  const after = await s3.send(new HeadObjectCommand({ Bucket, Key }))
  t.equal(after.TagCount, 2)
  t.same(after.LastModified, before.LastModified)
  t.equal(after.ETag, before.ETag)
  await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key }))
  t.same(await get(), [])
  await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key }))
  t.equal(server.requests.at(-1)?.applied, false)
  await t.rejects(
    s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'none' })),
    { name: 'NoSuchKey' },
  )
})

await t.test('tags that cannot be are refused', async (t) => {
  const { s3 } = await s3Desk(t)
  await s3.send(
    new PutObjectCommand({ Bucket, Key, Body: 'x', Tagging: 'a=1' }),
  )
  const rows = [
    Array.from({ length: 11 }, (_, n) => ({ Key: `k${n}`, Value: '' })),
    [
      { Key: 'a', Value: '1' },
      { Key: 'a', Value: '2' },
    ],
    [{ Key: 'x'.repeat(129), Value: '' }],
    [{ Key: 'a', Value: 'x'.repeat(257) }],
    [{ Key: '', Value: 'x' }],
  ]
  for (const TagSet of rows) {
    await t.rejects(
      s3.send(
        new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }),
      ),
      { name: 'InvalidTag' },
    )
  }
  const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))
  t.same(TagSet, [{ Key: 'a', Value: '1' }])
})

await t.test(
  'tags outlast the server, and the object keeps its bytes',
  async (t) => {
    const directory = t.testdir()
    const first = await startDevServer({ directory })
    await call(first, { method: 'PUT', key: 'k', body: 'precious' })
    const query = { tagging: '' }
    const tags = '<TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet>'
    const body = `<Tagging>${tags}</Tagging>`
    t.equal(
      (await call(first, { method: 'PUT', key: 'k', query, body })).status,
      200,
    )
    for (const bad of ['', 'x', '<Tagging></Tagging>', '<TagSet></TagSet>']) {
      t.match(
        await call(first, { method: 'PUT', key: 'k', query, body: bad }),
        { status: 400, code: 'MalformedXML' },
        bad,
      )
    }
    await first.close()
    const second = await startDevServer({ directory })
    t.teardown(() => second.close())
    const got = await call(second, { method: 'GET', key: 'k', query })
    t.match(got.text, tags)
    t.match(await call(second, { method: 'GET', key: 'k' }), {
      text: 'precious',
      headers: { 'x-oss-tagging-count': '1' },
    })
  },
)
