import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import {
  startDevServer,
  type DevServer,
  type Fault,
} from '../../lib/dev-server/index.js'
import { until } from '../support/small-upload.js'
import {
  call,
  complete,
  create,
  element,
  putPart,
  type Answer,
} from './raw-client.js'

const body = Buffer.alloc(300_000, 'fault')

interface Row {
  fault: Fault
  answer: Partial<Answer>
  applied: boolean
  /** Body bytes the server took. */
  bytes?: number
}

const rows: Row[] = [
  {
    fault: { kind: 'refuse' },
    answer: { status: 0 },
    applied: false,
    bytes: 0,
  },
  {
    fault: { kind: 'reset-body', afterBytes: 100_000 },
    answer: { status: 0 },
    applied: false,
    bytes: 100_000,
  },
  {
    fault: { kind: 'reset-body' },
    answer: { status: 0 },
    applied: false,
    bytes: 0,
  },
  {
    fault: { kind: 'reply-lost' },
    answer: { status: 0, error: 'ECONNRESET' },
    applied: true,
    bytes: body.length,
  },
  {
    fault: { kind: 'reply-cut' },
    answer: { status: 0 },
    applied: true,
    bytes: body.length,
  },
  {
    fault: { kind: 'status', status: 503, code: 'ServiceUnavailable' },
    answer: { status: 503, code: 'ServiceUnavailable' },
    applied: false,
    bytes: body.length,
  },
  {
    fault: {
      kind: 'status',
      status: 502,
      body: '<html>',
      headers: { 'retry-after': '7' },
      apply: true,
    },
    answer: { status: 502, text: '<html>' },
    applied: true,
    bytes: body.length,
  },
  {
    fault: { kind: 'status', status: 429, early: true },
    answer: { status: 429, text: '' },
    applied: false,
  },
  {
    fault: { kind: 'delay', ms: 20 },
    answer: { status: 200 },
    applied: true,
    bytes: body.length,
  },
  {
    fault: { kind: 'trickle', bytesPerSecond: 3_000_000 },
    answer: { status: 200 },
    applied: true,
    bytes: body.length,
  },
  {
    fault: { kind: 'replace-body', body: '<Error><Code>Odd</Code></Error>' },
    answer: { status: 200, code: 'Odd' },
    applied: true,
    bytes: body.length,
  },
]

for (const { fault, answer, applied, bytes } of rows) {
  await t.test(`fault ${JSON.stringify(fault)}`, async (t) => {
    const server = await startDevServer()
    t.teardown(() => server.close())
    const uploadId = await create(server, 'k')
    server.setFault((seen) =>
      seen.operation === 'UploadPart' && seen.partNumber === 1
        ? fault
        : undefined,
    )
    t.match(await putPart(server, 'k', uploadId, 1, body), answer)
    const seen = server.requests.at(-1)
    t.equal(seen?.applied, applied)
    t.equal(server.openUploads()[0]?.parts, applied ? 1 : 0)
    if (bytes !== undefined) t.equal(seen?.bytes, bytes)
    t.equal(seen?.status, answer.status === 0 ? undefined : answer.status)
    // Other requests are left alone.
    t.match(await putPart(server, 'k', uploadId, 2, body), { status: 200 })
  })
}

await t.test('a replaced body can have another status', async (t) => {
  const server = await startDevServer({
    fault: () => ({ kind: 'replace-body', body: 'gone', status: 410 }),
  })
  t.teardown(() => server.close())
  const answer = await call(server, { method: 'GET', key: 'k' })
  t.match(answer, { status: 410, text: 'gone' })
})

await t.test('headers of a status fault are sent', async (t) => {
  const server = await startDevServer({
    fault: () => ({
      kind: 'status',
      status: 503,
      code: 'SlowDown',
      headers: { 'retry-after': '3' },
    }),
  })
  t.teardown(() => server.close())
  const { headers } = await call(server, { method: 'GET', key: 'k' })
  t.equal(headers['retry-after'], '3')
})

/** Sends a part and waits until the server has seen so many bytes of it. */
async function hang(
  server: DevServer,
  uploadId: string,
  bytes: number,
): Promise<void> {
  let answered = false
  const pending = putPart(server, 'k', uploadId, 1, body).then((answer) => {
    answered = answer.status !== 0
    return answer
  })
  await until(() => (server.requests.at(-1)?.bytes ?? 0) >= bytes)
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(answered, false)
  await server.close()
  t.match(await pending, { status: 0 })
}

await t.test('silence with and without the work', async (t) => {
  for (const apply of [true, false]) {
    const server = await startDevServer()
    const uploadId = await create(server, 'k')
    server.setFault(() => ({ kind: 'silence', apply }))
    await hang(server, uploadId, body.length)
    t.match(server.requests.at(-1), { applied: apply, bytes: body.length })
  }
})

await t.test('stall stops reading where it was told', async (t) => {
  const server = await startDevServer()
  const uploadId = await create(server, 'k')
  server.setFault(() => ({ kind: 'stall', afterBytes: 70_000 }))
  await hang(server, uploadId, 70_000)
  t.match(server.requests.at(-1), { applied: false, bytes: 70_000 })
})

await t.test('an answer with a body is cut in its body', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const content = Buffer.alloc(100_000, 'c')
  await call(server, { method: 'PUT', key: 'k', body: content })
  server.setFault(() => ({ kind: 'reply-cut' }))
  t.match(await call(server, { method: 'GET', key: 'k' }), { status: 0 })
  t.match(await call(server, { method: 'GET', query: { uploads: '' } }), {
    status: 0,
  })
  t.match(await call(server, { method: 'HEAD', key: 'k' }), { status: 0 })
})

await t.test(
  'half of a head is all that comes of a cut empty answer',
  async (t) => {
    const server = await startDevServer({
      fault: () => ({ kind: 'reply-cut' }),
    })
    t.teardown(() => server.close())
    const socket = connect(server.port, '127.0.0.1')
    socket.end('HEAD /examplebucket/k HTTP/1.1\r\nHost: x\r\n\r\n')
    let received = ''
    socket.on('data', (chunk) => (received += chunk.toString()))
    await once(socket, 'close')
    t.match(received, /^HTTP\/1\.1 403 /)
    t.notMatch(received, '\r\n\r\n')
  },
)

await t.test('wrong digests: the work is done, the answer lies', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const uploadId = await create(server, 'k')
  const right = await putPart(server, 'k', uploadId, 1, body)
  const crc = 'x-oss-hash-crc64ecma'
  server.setFault(() => ({ kind: 'wrong-crc' }))
  const wrongCrc = await putPart(server, 'k', uploadId, 1, body)
  t.not(wrongCrc.headers[crc], right.headers[crc])
  t.equal(wrongCrc.headers.etag, right.headers.etag)
  server.setFault(() => ({ kind: 'wrong-etag' }))
  const wrongEtag = await putPart(server, 'k', uploadId, 1, body)
  t.not(wrongEtag.headers.etag, right.headers.etag)
  t.equal(wrongEtag.headers[crc], right.headers[crc])
  t.match(wrongEtag.headers.etag, /^"[0-9A-F]{32}"$/)
  const parts = [{ partNumber: 1, etag: right.headers.etag }]
  const done = await complete(server, 'k', uploadId, parts)
  t.equal(
    element(done.text, 'ETag')?.replaceAll('&#34;', '"'),
    done.headers.etag,
  )
  server.setFault(undefined)
  const head = await call(server, { method: 'HEAD', key: 'k' })
  t.not(head.headers.etag, done.headers.etag)
})

await t.test('the log grows while a slow body comes', async (t) => {
  const server = await startDevServer({ bytesPerSecond: 100_000 })
  t.teardown(() => server.close())
  const put = { method: 'PUT', key: 'k', body: Buffer.alloc(50_000) }
  const pending = call(server, put)
  const seen = new Set<number>()
  while ((server.requests[0]?.bytes ?? 0) < 50_000) {
    seen.add(server.requests[0]?.bytes ?? 0)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.ok(seen.size >= 3, 'bytes come in steps')
  t.match(await pending, { status: 200 })
})
