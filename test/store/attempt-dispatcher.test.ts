import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import type net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { Agent } from 'undici'
import { attempts, rejection, upload, watched } from '../support/attempts.js'
import { answer, bodyOf, scriptedServer } from '../support/scripted-server.js'

const MiB = 1024 * 1024
const cert = readFileSync(
  new URL('../fixtures/tls/cert.pem', import.meta.url),
  'utf8',
)
const key = readFileSync(
  new URL('../fixtures/tls/key.pem', import.meta.url),
  'utf8',
)

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

/** Attempts through a dispatcher for HTTP/2, at a server that answers so. */
async function overHttp2(
  t: Test,
  answerTo: (
    request: http2.Http2ServerRequest,
    response: http2.Http2ServerResponse,
  ) => void,
) {
  const server = http2.createSecureServer({ cert, key }, answerTo)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const dispatcher = new Agent({ allowH2: true, connect: { ca: cert } })
  t.teardown(async () => {
    await dispatcher.destroy()
    server.close()
  })
  return attempts(t, { origin: `https://127.0.0.1:${port}`, dispatcher })
}

/** Views of 1 MiB that all have the same memory, each of one other letter. */
async function* overwritten(memory: Buffer, count: number) {
  for (let view = 0; view < count; view++) yield memory.fill(65 + view)
}

for (const tls of [undefined, { cert, key }]) {
  await t.test(
    `memory is not used again while a large buffer of the socket${tls ? ', with TLS,' : ''} waits`,
    async (t) => {
      let received: Buffer | undefined
      const server = await scriptedServer(t, {
        tls,
        steps: [
          async (exchange) => {
            await delay(100)
            received = await bodyOf(exchange.request)
            exchange.response.end()
          },
        ],
      })
      // undici pulls until so much waits, more than the kernel takes.
      const connect = { ca: cert, highWaterMark: 64 * MiB }
      const dispatcher = new Agent({ connect })
      t.teardown(() => dispatcher.destroy())
      const send = attempts(t, { origin: server.origin, dispatcher })
      const memory = Buffer.alloc(MiB)
      await send({
        body: () => overwritten(memory, 24),
        headers: { 'content-length': String(24 * MiB) },
      })
      const expected = Array.from({ length: 24 }, (_, i) => 65 + i)
      t.equal(received?.length, 24 * MiB)
      t.same(
        expected.filter((letter, i) => {
          const view = received?.subarray(i * MiB, (i + 1) * MiB)
          return view?.equals(Buffer.alloc(MiB, letter)) !== true
        }),
        [],
      )
    },
  )
}

await t.test('nor while an HTTP/2 stream has not sent it', async (t) => {
  let received = Buffer.alloc(0)
  const send = await overHttp2(t, (request, response) => {
    const chunks: Buffer[] = []
    setTimeout(() => {
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
    }, 100)
    request.on('end', () => {
      received = Buffer.concat(chunks)
      response.end()
    })
  })
  const memory = Buffer.alloc(MiB)
  await send({
    body: () => overwritten(memory, 8),
    headers: { 'content-length': String(8 * MiB) },
  })
  t.equal(received.length, 8 * MiB)
  for (let i = 0; i < 8; i++) {
    const view = received.subarray(i * MiB, (i + 1) * MiB)
    t.ok(view.equals(Buffer.alloc(MiB, 65 + i)), `view ${i}`)
  }
})

await t.test('a given dispatcher that is closed', async (t) => {
  const server = await scriptedServer(t)
  const dispatcher = new Agent()
  await dispatcher.close()
  const send = attempts(t, { origin: server.origin, dispatcher })
  t.equal((await rejection(send({ method: 'GET' }))).kind, 'network')
})

await t.test('HTTP/2 through a given dispatcher', async (t) => {
  const send = await overHttp2(t, (request, response) => {
    request.resume()
    request.on('end', () => response.end('ok'))
  })
  t.equal((await send(upload(Buffer.alloc(MiB)))).body.toString(), 'ok')
  t.equal((await send(upload(Buffer.alloc(MiB)))).body.toString(), 'ok')
})
