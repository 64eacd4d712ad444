/** The page's server, asked without a browser; `npm run test:browser` has one. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { exampleRunner } from '../support/example-runner.js'
import { listening } from '../support/listening.js'
import { until } from '../support/small-upload.js'

const { uploadApp } = await import('../../docs/examples/express-upload.js')

const bytes = noise(9 * 1024 * 1024)

await t.test('a file is put, and its progress told', async (t) => {
  const run = await exampleRunner(t)
  const app = uploadApp(run.store)
  const origin = await listening(t, createServer(app))
  t.match(await (await fetch(origin)).text(), /<progress id="bar"/)
  const early = await fetch(`${origin}/uploads/a/progress`)
  t.equal(await early.text(), 'retry: 200\n\n', 'it is asked again')

  // Half of it, until somebody listens; then the rest.
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(
    `PUT /uploads/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${bytes.length}\r\n\r\n`,
  )
  const answer = text(socket)
  socket.write(bytes.subarray(0, -1))
  await until(() => run.seen('CreateMultipartUpload').length > 0)
  const events = await fetch(`${origin}/uploads/a/progress`)
  t.equal(events.headers.get('content-type'), 'text/event-stream')
  if (events.body === null) throw new Error('an event stream has a body')
  const heard = text(Readable.fromWeb(events.body))
  socket.write(bytes.subarray(-1))
  t.match(await answer, /201 Created[^]*\{"size":9437184\}/)
  const last = (await heard).trim().split('\n').at(-1) ?? ''
  t.match(JSON.parse(last.replace('data: ', '')), {
    bytesDone: bytes.length,
    bytesTotal: bytes.length,
  })
  t.ok(bytes.equals(await run.object('uploads/a')))
})

await t.test('who cancels leaves nothing', async (t) => {
  const run = await exampleRunner(t)
  const origin = await listening(t, createServer(uploadApp(run.store)))
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write(
    `PUT /uploads/b HTTP/1.1\r\nhost: x\r\ncontent-length: ${2 * bytes.length}\r\n\r\n`,
  )
  socket.write(bytes)
  await until(() => run.server.openUploads().length > 0)
  socket.destroy()
  await once(socket, 'close')
  await until(() => run.server.openUploads().length === 0)
  t.same(run.seen('CompleteMultipartUpload'), [])
})

await t.test('a store that refuses is told by its code', async (t) => {
  const run = await exampleRunner(t, {
    fault: ({ operation }) =>
      operation === 'PutObject'
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
  })
  const origin = await listening(t, createServer(uploadApp(run.store)))
  const answer = await fetch(`${origin}/uploads/c`, {
    method: 'PUT',
    body: 'bytes',
  })
  t.equal(answer.status, 502)
  t.match(await answer.json(), { code: 'PAWL_ACCESS_DENIED' })
})
