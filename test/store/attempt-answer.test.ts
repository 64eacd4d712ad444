import { inspect } from 'node:util'
import t from 'tap'
import type { Body } from '../../lib/store/object-store.js'
import { attempts, rejection, upload, watched } from '../support/attempts.js'
import { answer, bodyOf, scriptedServer } from '../support/scripted-server.js'
import { bodyFrom } from '../support/store-call.js'

const MiB = 1024 * 1024

await t.test('an early refusal is read while the body goes out', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      ({ request, response }) => {
        request.pause()
        response.writeHead(403, { 'content-type': 'application/xml' })
        response.end('<Error><Code>AccessDenied</Code></Error>')
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  const { state, request } = watched(Buffer.alloc(64 * MiB))
  const got = await send(request)
  t.equal(got.status, 403)
  t.match(got.body.toString(), 'AccessDenied')
  t.ok(state.ended)
  t.ok(state.pulls < 1024, 'the rest of the body was not read')
})

await t.test('a success before the body was sent is none', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      ({ request, response }) => {
        request.pause()
        response.writeHead(200, { etag: '"e"', 'content-length': 0 })
        response.end()
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  const { state, request } = watched(Buffer.alloc(64 * MiB))
  const error = await rejection(send(request))
  t.equal(error.kind, 'network')
  t.match(error.message, /success was answered before the body had been sent/)
  t.ok(state.ended)
  const small = upload(Buffer.alloc(10))
  t.equal((await send(small)).status, 200, 'the next attempt is heard')
})

await t.test('an early answer leaves no byte of the body behind', async (t) => {
  let foreign = false
  let closed: Promise<unknown> | undefined
  const server = await scriptedServer(t, {
    steps: [
      ({ request, response, socket }) => {
        closed = new Promise((resolve) => {
          socket.once('close', resolve)
        })
        request.on('data', (chunk: Buffer) => {
          foreign ||= chunk.includes('b')
        })
        request.pause()
        response.writeHead(403)
        response.end('early')
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  const bytes = Buffer.alloc(64 * MiB, 'a')
  t.equal((await send(upload(bytes))).status, 403)
  // The next part's bytes.
  bytes.fill('b')
  server.requests[0]?.resume()
  await closed
  t.notOk(foreign)
})

await t.test('a refusal cut short still has its status', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      async ({ request, response, socket }) => {
        await bodyOf(request)
        response.writeHead(503, { 'content-length': 100, 'retry-after': '7' })
        response.write('<Error>', () => socket.destroy())
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  const got = await send(upload(Buffer.alloc(10)))
  t.equal(got.status, 503)
  t.equal(got.complete, false)
  t.equal(got.headers['retry-after'], '7')
})

await t.test('a success cut short is a failure', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      async ({ request, response, socket }) => {
        await bodyOf(request)
        response.writeHead(200, { 'content-length': 100 })
        response.write('<Error>', () => socket.destroy())
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  t.equal((await rejection(send(upload(Buffer.alloc(10))))).kind, 'network')
})

await t.test('an answer over the cap is not kept', async (t) => {
  const server = await scriptedServer(t, {
    steps: [answer(200, {}, Buffer.alloc(65_537))],
  })
  const send = attempts(t, { origin: server.origin })
  const error = await rejection(send({ method: 'GET' }))
  t.equal(error.kind, 'response')
  t.match(error.message, /larger than 65536 bytes/)
})

await t.test('what is not HTTP is a network failure', async (t) => {
  const server = await scriptedServer(t, {
    steps: [({ socket }) => void socket.end('SSH-2.0-OpenSSH\r\n\r\n')],
  })
  const send = attempts(t, { origin: server.origin })
  const error = await rejection(send({ method: 'GET' }))
  t.equal(error.kind, 'network')
})

await t.test("a body's own failure comes out as it is", async (t) => {
  const server = await scriptedServer(t)
  const send = attempts(t, { origin: server.origin })
  const failure = new Error('the file changed')
  const body: Body = async function* () {
    yield Buffer.alloc(10)
    throw failure
  }
  await t.rejects(send({ body, headers: { 'content-length': '20' } }), failure)
})

await t.test('a body shorter than it said is not tried again', async (t) => {
  const server = await scriptedServer(t)
  const send = attempts(t, { origin: server.origin })
  const error = await rejection(
    send({
      body: bodyFrom(Buffer.alloc(10)),
      headers: { 'content-length': '20' },
    }),
  )
  t.equal(error.kind, 'request')
})

await t.test('no error holds a header, a query or a body', async (t) => {
  const server = await scriptedServer(t, {
    steps: [({ socket }) => void socket.destroy()],
  })
  const send = attempts(t, { origin: server.origin })
  const error = await rejection(
    send({
      path: '/b/k?uploadId=HUSH-query',
      body: bodyFrom(Buffer.from('HUSH-body')),
      headers: { 'content-length': '9', authorization: 'HUSH-header' },
    }),
  )
  t.notMatch(inspect(error, { depth: 20, showHidden: true }), /HUSH/)
})

await t.test('redirects are not followed', async (t) => {
  const server = await scriptedServer(t, {
    steps: [answer(307, { location: '/elsewhere' })],
  })
  const send = attempts(t, { origin: server.origin })
  t.equal((await send({ method: 'GET' })).status, 307)
  t.equal(server.requests.length, 1)
})

for (const path of ['/a/../b/./c//d', '/%2e%2e/%41?x=%2F', '/..', '//']) {
  await t.test(`the path ${path} reaches the wire unharmed`, async (t) => {
    const server = await scriptedServer(t)
    const send = attempts(t, { origin: server.origin })
    await send({ method: 'GET', path })
    t.equal(server.requests[0]?.url, path)
  })
}

await t.test('no limit, and limits beyond what timers can', async (t) => {
  for (const limit of [0, Infinity]) {
    const server = await scriptedServer(t)
    const send = attempts(t, {
      origin: server.origin,
      timeouts: { connect: limit, stall: limit, headers: limit },
    })
    t.equal((await send(upload(Buffer.alloc(10)))).status, 200)
  }
})

await t.test('many requests under one signal, and no warning', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const server = await scriptedServer(t)
  const send = attempts(t, { origin: server.origin })
  const { signal } = new AbortController()
  for (let round = 0; round < 3; round++) {
    const sending = Array.from({ length: 80 }, () =>
      send(upload(Buffer.alloc(10)), signal),
    )
    await Promise.all(sending)
  }
  t.strictSame(warnings, [])
})
