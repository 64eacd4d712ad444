import { DeleteObjectsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { call, element, elements } from './raw-client.js'
import { s3Call } from './raw-s3.js'
import { Bucket, s3Desk } from './s3-client.js'

const md5 = (body: string) => createHash('md5').update(body).digest('hex')
const put = (server: DevServer, key: string) =>
  call(server, { method: 'PUT', key, body: 'x' })
const has = (server: DevServer, key: string) =>
  server.objectPath(Bucket, key) !== undefined

const hardKeys = [
  'plain',
  ' spaces at both ends ',
  'a&b<c>"d"\'',
  'dir/a b+c%41',
  '报告😀',
  'line\nend\ttab',
]

await t.test('S3 deletes each key it is told, and says so', async (t) => {
  const { server, s3 } = await s3Desk(t)
  for (const Key of [...hardKeys, 'stays']) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  }
  const Objects = [...hardKeys, 'never there'].map((Key) => ({ Key }))
  const { Deleted, Errors } = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects } }),
  )
  t.same(
    Deleted?.map(({ Key }) => Key),
    [...hardKeys, 'never there'],
  )
  t.equal(Errors, undefined)
  for (const key of hardKeys) t.notOk(has(server, key), key)
  t.ok(has(server, 'stays'))
})

await t.test('some may fail, and the rest is deleted', async (t) => {
  const { server, s3 } = await s3Desk(t)
  for (const Key of ['a', 'b', 'c', 'd', 'e']) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  }
  const Objects = [
    { Key: 'a', ETag: `"${md5('x')}"` },
    { Key: 'b', ETag: `"${md5('y')}"` },
    { Key: 'c', VersionId: 'v1' },
    { Key: 'd', Size: 1 },
    { Key: 'e', VersionId: 'null' },
    { Key: 'f', ETag: '"x"' },
  ]
  for (const Quiet of [true, false]) {
    const { Deleted, Errors } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet } }),
    )
    t.same(
      Errors?.filter(({ Key }) => 'bcdf'.includes(Key ?? '')).map(
        ({ Key, Code }) => `${Key} ${Code}`,
      ),
      [
        'b PreconditionFailed',
        'c NotImplemented',
        'd NotImplemented',
        'f NoSuchKey',
      ],
    )
    if (Quiet) t.equal(Deleted, undefined)
  }
  t.same(
    ['a', 'b', 'c', 'd', 'e'].filter((key) => has(server, key)),
    ['b', 'c', 'd'],
  )
})

await t.test('OSS says nothing when asked to be quiet', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  for (const key of ['dir/a b', 'c', 'd']) await put(server, key)
  const drop = (inner: string, query = {}) =>
    call(server, {
      method: 'POST',
      query: { delete: '', ...query },
      body: `<Delete>${inner}</Delete>`,
    })
  const loud = await drop('<Object><Key>dir/a b</Key></Object>', {
    'encoding-type': 'url',
  })
  t.same(elements(loud.text, 'Key'), ['dir%2Fa%20b'])
  t.equal(element(loud.text, 'EncodingType'), 'url')
  const quiet = await drop(
    '<Quiet>true</Quiet><Object><Key>c</Key></Object><Object><Key>d</Key></Object>',
  )
  t.match(quiet, { status: 200, text: '' })
  t.notOk(['dir/a b', 'c', 'd'].some((key) => has(server, key)))
})

await t.test('a list that is none deletes nothing', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await put(server, 'k')
  const object = '<Object><Key>k</Key></Object>'
  const rows: [words: string, body: string][] = [
    ['nothing', ''],
    ['no XML', 'k'],
    ['another root', `<Remove>${object}</Remove>`],
    ['no objects', '<Delete></Delete>'],
    ['half', `<Delete>${object}`],
    ['no key', `<Delete>${object}<Object></Object></Delete>`],
    ['an empty key', `<Delete>${object}<Object><Key></Key></Object></Delete>`],
    ['half a pair', '<Delete><Object><Key>&#xD83D;</Key></Object></Delete>'],
    ['1001', `<Delete>${object.repeat(1001)}</Delete>`],
    ['a document type', `<!DOCTYPE a><Delete>${object}</Delete>`],
    [
      'too deep',
      `<Delete>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</Delete>`,
    ],
    ['a bad name', `<Delete>${object}<__proto__>1</__proto__></Delete>`],
  ]
  const query = { delete: '' }
  for (const [words, body] of rows) {
    const headers = {
      'content-md5': createHash('md5').update(body).digest('base64'),
    }
    const request = { method: 'POST', query, headers, body }
    for (const answer of [
      await call(server, request),
      await s3Call(server, request),
    ]) {
      t.match(answer, { status: 400, code: 'MalformedXML' }, words)
    }
  }
  const body = `<Delete>${object}</Delete>`
  const request = { method: 'POST', query, body }
  t.match(await s3Call(server, request), { code: 'InvalidRequest' })
  const headers = { 'content-md5': Buffer.alloc(16).toString('base64') }
  t.match(await s3Call(server, { ...request, headers }), { code: 'BadDigest' })
  t.match(await call(server, { ...request, headers }), {
    code: 'InvalidDigest',
  })
  t.ok(has(server, 'k'))
})
