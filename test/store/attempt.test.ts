import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import t from 'tap'
import { Agent } from 'undici'
import type { Body } from '../../lib/store/object-store.js'
import { StoreError } from '../../lib/store/store-error.js'
import { attempts } from '../support/attempts.js'
import { answer, bodyOf, scriptedServer } from '../support/scripted-server.js'
import { bodyFrom } from '../support/store-call.js'

const MiB = 1024 * 1024
const cert = readFileSync(
  new URL('../fixtures/tls/cert.pem', import.meta.url),
  'utf8',
)
const key = readFileSync(
  new URL('../fixtures/tls/key.pem', import.meta.url),
  'utf8',
)

function upload(bytes: Buffer, viewSize?: number) {
  return {
    body: bodyFrom(bytes, viewSize),
    headers: { 'content-length': String(bytes.length) },
  }
}

async function rejection(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => new Error('it resolved'),
    (reason: unknown) => reason,
  )
  if (error instanceof StoreError) return error
  throw error
}

/** One round of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A body that tells when it is pulled, and whether it was ended. */
function watched(bytes: Buffer, viewSize = 64 * 1024) {
  const state = { pulls: 0, ended: false }
  const body: Body = async function* () {
    try {
      for (let at = 0; at < bytes.length; at += viewSize) {
        state.pulls++
        yield bytes.subarray(at, at + viewSize)
      }
    } finally {
      state.ended = true
    }
  }
  return {
    state,
    request: { body, headers: { 'content-length': String(bytes.length) } },
  }
}

for (const scheme of ['http', 'https'] as const) {
  const tls = scheme === 'https' ? { cert, key } : undefined
  const ours = scheme === 'https' ? { tls: { ca: cert } } : {}

  await t.test(`${scheme}: a body arrives whole`, async (t) => {
    const bytes = Buffer.alloc(3 * MiB + 17, 'pawl')
    let received: Buffer | undefined
    const server = await scriptedServer(t, {
      tls,
      steps: [
        async (exchange) => {
          received = await bodyOf(exchange.request)
          exchange.response.end('thanks')
        },
      ],
    })
    const send = attempts(t, { origin: server.origin, ...ours })
    const got = await send(upload(bytes))
    t.equal(got.status, 200)
    t.equal(got.body.toString(), 'thanks')
    t.ok(received?.equals(bytes))
  })

  await t.test(`${scheme}: connections are used again`, async (t) => {
    const server = await scriptedServer(t, { tls })
    const send = attempts(t, { origin: server.origin, ...ours })
    for (let i = 0; i < 20; i++) {
      await send(upload(Buffer.alloc(100_000)))
    }
    t.equal(new Set(server.requests.map((r) => r.socket)).size, 1)
    const [socket] = server.sockets
    t.ok(socket)
  })

  await t.test(`${scheme}: a stalled upload is given up`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [({ request }) => void request.pause()],
    })
    const send = attempts(t, {
      origin: server.origin,
      ...ours,
      timeouts: { stall: 300 },
    })
    const { state, request } = watched(Buffer.alloc(32 * MiB))
    const error = await rejection(send(request))
    t.equal(error.kind, 'timeout')
    t.equal(error.code, 'PAWL_TIMEOUT')
    t.equal(error.partNumber, 1)
    t.match(error.message, /not one byte of the body moved within 300 ms/)
    t.ok(state.ended, 'the body is closed when the promise settles')
  })

  await t.test(`${scheme}: a slow upload that moves survives`, async (t) => {
    const total = 5 * MiB
    const server = await scriptedServer(t, {
      tls,
      steps: [
        async ({ request, response }) => {
          let received = 0
          // Reads now and then; each view takes longer than the stall allows.
          const timer = setInterval(() => {
            const chunk: Buffer | null = request.read()
            received += chunk?.length ?? 0
            if (received < total) return
            clearInterval(timer)
            response.end()
          }, 15)
          await once(request, 'end').finally(() => clearInterval(timer))
          if (!response.writableEnded) response.end()
        },
      ],
    })
    const send = attempts(t, {
      origin: server.origin,
      ...ours,
      timeouts: { stall: 1000 },
    })
    t.equal((await send(upload(Buffer.alloc(total), total))).status, 200)
  })

  await t.test(`${scheme}: silence after the body is given up`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [async ({ request }) => void (await bodyOf(request))],
    })
    const send = attempts(t, {
      origin: server.origin,
      ...ours,
      timeouts: { headers: 200 },
    })
    const error = await rejection(send(upload(Buffer.alloc(MiB))))
    t.equal(error.kind, 'timeout')
    t.match(error.message, /no complete answer came within 200 ms/)
  })

  await t.test(`${scheme}: half an answer is given up`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [
        async ({ request, response }) => {
          await bodyOf(request)
          response.writeHead(200, { 'content-length': 10 })
          response.write('half')
        },
      ],
    })
    const send = attempts(t, {
      origin: server.origin,
      ...ours,
      timeouts: { headers: 200 },
    })
    const error = await rejection(send(upload(Buffer.alloc(10))))
    t.equal(error.kind, 'timeout')
  })

  await t.test(`${scheme}: an abort while sending`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [({ request }) => void request.pause()],
    })
    const send = attempts(t, { origin: server.origin, ...ours })
    const bytes = Buffer.alloc(32 * MiB, 'a')
    const { state, request } = watched(bytes)
    const controller = new AbortController()
    const reason = new Error('enough')
    const sending = send(request, controller.signal)
    while (server.requests.length === 0) await turn()
    controller.abort(reason)
    await t.rejects(sending, reason)
    t.ok(state.ended)
    const { pulls } = state
    // The next part's bytes: not one of them may be sent.
    bytes.fill('b')
    const [received] = server.requests
    if (received === undefined) return
    let foreign = false
    received.on('data', (chunk: Buffer) => {
      foreign ||= chunk.includes('b')
    })
    received.resume()
    await once(received, 'close')
    t.notOk(foreign)
    t.equal(state.pulls, pulls, 'nothing is pulled after it has settled')
  })

  await t.test(`${scheme}: a reused connection found dead`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [answer(200), ({ socket }) => void socket.destroy()],
    })
    const send = attempts(t, { origin: server.origin, ...ours })
    await send(upload(Buffer.alloc(10)))
    const error = await rejection(send(upload(Buffer.alloc(10))))
    t.equal(error.kind, 'network')
    t.equal(error.staleConnection, true)
  })

  await t.test(`${scheme}: a fresh connection cut is not stale`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [({ socket }) => void socket.destroy()],
    })
    const send = attempts(t, { origin: server.origin, ...ours })
    const error = await rejection(send(upload(Buffer.alloc(10))))
    t.equal(error.kind, 'network')
    t.equal(error.staleConnection, false)
    t.equal(error.code, 'PAWL_NETWORK')
  })
}

await t.test(
  'a reused connection that began to answer is not stale',
  async (t) => {
    const server = await scriptedServer(t, {
      steps: [
        answer(200),
        async ({ request, socket }) => {
          await bodyOf(request)
          socket.end('HTTP/1.1 20')
        },
      ],
    })
    const send = attempts(t, { origin: server.origin })
    await send(upload(Buffer.alloc(10)))
    const error = await rejection(send(upload(Buffer.alloc(10))))
    t.equal(error.kind, 'network')
    t.equal(error.staleConnection, false)
  },
)

await t.test('a refused connection', async (t) => {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  const send = attempts(t, { origin: `http://127.0.0.1:${port}` })
  const { state, request } = watched(Buffer.alloc(10))
  const error = await rejection(send(request))
  t.equal(error.kind, 'network')
  t.match(error.message, /ECONNREFUSED/)
  t.equal(Reflect.get(Object(error.cause), 'code'), 'ECONNREFUSED')
  t.equal(state.pulls, 0)
})

/** Accepts nothing: connections wait in the backlog or time out. */
async function tlsSilence(t: import('tap').Test): Promise<string> {
  const held = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    held.add(socket)
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of held) socket.destroy()
    server.close()
  })
  const { port } = server.address() as net.AddressInfo
  return `https://127.0.0.1:${port}`
}

await t.test('a handshake that does not come is given up', async (t) => {
  const origin = await tlsSilence(t)
  const send = attempts(t, { origin, timeouts: { connect: 200 } })
  const error = await rejection(send(upload(Buffer.alloc(10))))
  t.equal(error.kind, 'timeout')
  t.match(error.message, /no connection within 200 ms/)
})

await t.test('an abort while connecting leaves no socket', async (t) => {
  const origin = await tlsSilence(t)
  const send = attempts(t, { origin })
  const controller = new AbortController()
  const { state, request } = watched(Buffer.alloc(10))
  const sending = send(request, controller.signal)
  await turn()
  controller.abort(new Error('enough'))
  await t.rejects(sending, { message: 'enough' })
  t.equal(state.pulls, 0)
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TLSWrap')
  while (sockets().length > 0) await turn()
  t.strictSame(sockets(), [])
})

await t.test('an abort while waiting for the answer', async (t) => {
  const controller = new AbortController()
  const server = await scriptedServer(t, {
    steps: [
      async ({ request }) => {
        await bodyOf(request)
        controller.abort(new Error('enough'))
      },
    ],
  })
  const send = attempts(t, { origin: server.origin })
  const sending = send(upload(Buffer.alloc(10)), controller.signal)
  await t.rejects(sending, { message: 'enough' })
})

await t.test('a signal that is aborted already sends nothing', async (t) => {
  const server = await scriptedServer(t)
  const send = attempts(t, { origin: server.origin })
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(send({}, signal), { message: 'enough' })
  t.equal(server.requests.length, 0)
})

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
  const { inspect } = await import('node:util')
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

await t.test('a given dispatcher is used and not closed', async (t) => {
  const server = await scriptedServer(t, {
    steps: [answer(200), ({ request }) => void request.pause(), answer(200)],
  })
  const dispatcher = new Agent({ connections: 1 })
  t.teardown(() => dispatcher.destroy())
  const send = attempts(t, {
    origin: server.origin,
    dispatcher,
    timeouts: { stall: 300 },
  })
  t.equal((await send(upload(Buffer.alloc(10)))).status, 200)
  const { state, request } = watched(Buffer.alloc(32 * MiB))
  t.equal((await rejection(send(request))).kind, 'timeout')
  t.ok(state.ended)
  t.equal((await send(upload(Buffer.alloc(10)))).status, 200)
  t.equal(dispatcher.destroyed, false)
})

await t.test('a given dispatcher that is closed', async (t) => {
  const server = await scriptedServer(t)
  const dispatcher = new Agent()
  await dispatcher.close()
  const send = attempts(t, { origin: server.origin, dispatcher })
  t.equal((await rejection(send({ method: 'GET' }))).kind, 'network')
})

await t.test('HTTP/2 through a given dispatcher', async (t) => {
  const http2 = await import('node:http2')
  const server = http2.createSecureServer(
    { cert, key },
    (request, response) => {
      request.resume()
      request.on('end', () => response.end('ok'))
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const dispatcher = new Agent({ allowH2: true, connect: { ca: cert } })
  t.teardown(async () => {
    await dispatcher.destroy()
    server.close()
  })
  const send = attempts(t, { origin: `https://127.0.0.1:${port}`, dispatcher })
  t.equal((await send(upload(Buffer.alloc(MiB)))).body.toString(), 'ok')
  t.equal((await send(upload(Buffer.alloc(MiB)))).body.toString(), 'ok')
})
