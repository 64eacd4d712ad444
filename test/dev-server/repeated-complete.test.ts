import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { call, complete, create, element, putPart } from './raw-client.js'
import { s3Call } from './raw-s3.js'

async function upload(server: DevServer) {
  const uploadId = await create(server, 'k')
  const part = await putPart(server, 'k', uploadId, 1, 'bytes')
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.etag}</ETag></Part></CompleteMultipartUpload>`
  return { uploadId, body, etag: part.headers.etag }
}

await t.test(
  'S3 answers a repeated Complete while the object is there',
  async (t) => {
    const directory = t.testdir()
    let server = await startDevServer({ directory })
    const { uploadId, body } = await upload(server)
    const query = { uploadId }
    const post = (more = {}) =>
      s3Call(server, { method: 'POST', key: 'k', query, body, ...more })
    const first = await post()
    t.equal(first.status, 200)
    const time = (await s3Call(server, { method: 'HEAD', key: 'k' })).headers[
      'last-modified'
    ]
    await server.close()
    server = await startDevServer({ directory })
    const again = await post()
    t.equal(again.status, 200)
    t.equal(server.requests.at(-1)?.applied, false)
    for (const name of ['ETag', 'Bucket', 'Key']) {
      t.equal(element(again.text, name), element(first.text, name))
    }
    const head = await s3Call(server, { method: 'HEAD', key: 'k' })
    t.equal(head.headers['last-modified'], time, 'nothing is written again')
    t.match(await post({ body: '' }), { status: 400, code: 'MalformedXML' })
    t.match(
      await s3Call(server, { method: 'POST', key: 'other', query, body }),
      {
        status: 404,
        code: 'NoSuchUpload',
      },
    )
    t.match(await s3Call(server, { method: 'DELETE', key: 'k', query }), {
      status: 404,
      code: 'NoSuchUpload',
    })
    await s3Call(server, { method: 'PUT', key: 'k', body: 'another' })
    t.match(await post(), { status: 404, code: 'NoSuchUpload' })
    t.equal((await s3Call(server, { method: 'GET', key: 'k' })).text, 'another')
    await server.close()
  },
)

await t.test('of several Completes at once all say the same', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const { uploadId, body } = await upload(server)
  const request = { method: 'POST', key: 'k', query: { uploadId }, body }
  const answers = await Promise.all(
    [1, 2, 3].map(() => s3Call(server, request)),
  )
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  const applied = server.requests.filter(
    (seen) => seen.operation === 'CompleteMultipartUpload' && seen.applied,
  )
  t.equal(applied.length, 1)
})

await t.test('OSS knows a completed upload no more', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const { uploadId, etag } = await upload(server)
  const parts = [{ partNumber: 1, etag }]
  t.equal((await complete(server, 'k', uploadId, parts)).status, 200)
  t.match(await complete(server, 'k', uploadId, parts), {
    status: 404,
    code: 'NoSuchUpload',
  })
  t.equal((await call(server, { method: 'GET', key: 'k' })).text, 'bytes')
})
