import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { send, type Answer } from './raw-client.js'
import { presignS3, s3Call, type S3Call } from './raw-s3.js'

/** What AWS's presigners put into the query counts as if it were a header. */
function presigned(server: DevServer, call: S3Call): Promise<Answer> {
  const body = Buffer.from(call.body ?? '')
  const headers = {
    'content-length': String(body.length),
    ...call.headers,
  }
  const path = presignS3(server, call)
  return send(server, { method: call.method, path, headers, body })
}

await t.test('headers in the query of a presigned URL count', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const query = {
    'x-id': 'PutObject',
    'x-amz-meta-author': '报告',
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-checksum-crc32': 'y/Q5Jg==',
    'x-amz-sdk-checksum-algorithm': 'CRC32',
  }
  const put = { method: 'PUT', key: 'k', query, body: '123456789' }
  t.match(await presigned(server, put), { status: 200 })
  const head = await s3Call(server, { method: 'HEAD', key: 'k' })
  t.equal(head.headers['x-amz-storage-class'], 'STANDARD_IA')
  t.equal(
    Buffer.from(String(head.headers['x-amz-meta-author']), 'latin1').toString(),
    '报告',
  )
  t.match(await presigned(server, { ...put, body: 'other' }), {
    status: 400,
    code: 'BadDigest',
  })
  t.match(
    await presigned(server, {
      method: 'PUT',
      key: 'k',
      query: { 'x-amz-meta-a': 'b\r\nc: d' },
    }),
    { status: 400, code: 'InvalidArgument' },
  )
  t.equal((await s3Call(server, { method: 'GET', key: 'k' })).text, put.body)
})

await t.test('a source in the query makes it a copy', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  await s3Call(server, { method: 'PUT', key: 'k', body: 'one' })
  const query = { 'x-amz-copy-source': 'examplebucket/k' }
  const copy = { method: 'PUT', key: 'c', query, body: 'never stored' }
  t.match(await presigned(server, copy), { status: 200 })
  t.equal(server.requests.at(-1)?.operation, 'CopyObject')
  t.equal((await s3Call(server, { method: 'GET', key: 'c' })).text, 'one')
})

await t.test('other names in the query are refused', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  for (const name of ['retention', 'meta-author', 'x-oss-process']) {
    const put = { method: 'PUT', key: 'k', query: { [name]: '1' } }
    t.match(await presigned(server, put), { status: 501 }, name)
  }
})
