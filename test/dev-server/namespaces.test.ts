import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { call, complete, create, element, putPart } from './raw-client.js'
import { s3Call } from './raw-s3.js'

const s3 = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

await t.test('OSS sends no namespace, S3 sends its own', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await call(server, { method: 'PUT', key: 'k', body: 'x' })
  const uploadId = await create(server, 'up')
  const part = await putPart(server, 'up', uploadId, 1, 'x')
  const tags = '<Tagging><TagSet></TagSet></Tagging>'
  const tagging = { tagging: '' }
  await call(server, { method: 'PUT', key: 'k', query: tagging, body: tags })
  const both = [
    { method: 'GET' },
    { method: 'GET', query: { 'list-type': '2' } },
    { method: 'GET', query: { uploads: '' } },
    { method: 'GET', query: { location: '' } },
    { method: 'GET', query: { versioning: '' } },
    { method: 'GET', bucket: '' },
    { method: 'GET', key: 'up', query: { uploadId } },
    { method: 'GET', key: 'k', query: tagging },
    { method: 'POST', key: 'up', query: { uploads: '' } },
  ]
  for (const request of both) {
    const words = JSON.stringify(request)
    const oss = await call(server, request)
    t.match(oss, { status: 200, text: /^<\?xml .*?\?>\n<\w+>/ }, words)
    t.notMatch(oss.text, /xmlns/, words)
    const { text } = await s3Call(server, request)
    t.match(text, new RegExp(`^<\\?xml .*?\\?>\\n<\\w+ ${s3}>`), words)
  }
  const copySource = { 'x-oss-copy-source': '/examplebucket/k' }
  const answers = [
    await call(server, { method: 'GET', query: { bucketInfo: '' } }),
    await call(server, { method: 'PUT', key: 'c', headers: copySource }),
    await putPart(server, 'up', uploadId, 2, '', { headers: copySource }),
    await call(server, {
      method: 'POST',
      query: { delete: '' },
      body: '<Delete><Object><Key>c</Key></Object></Delete>',
    }),
    await complete(server, 'up', uploadId, [
      { partNumber: 1, etag: part.headers.etag },
    ]),
    await call(server, { method: 'GET', key: 'none' }),
  ]
  for (const { text } of answers) {
    t.match(text, /^<\?xml .*?\?>\n<\w+>/)
    t.notMatch(text, /xmlns/)
  }
  t.equal(element(answers.at(-1)?.text ?? '', 'Code'), 'NoSuchKey')
})
