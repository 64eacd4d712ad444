import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import type net from 'node:net'
import t from 'tap'
import { Agent } from 'undici'
import { attempts, rejection, upload, watched } from '../support/attempts.js'
import { answer, scriptedServer } from '../support/scripted-server.js'

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

await t.test('a given dispatcher that is closed', async (t) => {
  const server = await scriptedServer(t)
  const dispatcher = new Agent()
  await dispatcher.close()
  const send = attempts(t, { origin: server.origin, dispatcher })
  t.equal((await rejection(send({ method: 'GET' }))).kind, 'network')
})

await t.test('HTTP/2 through a given dispatcher', async (t) => {
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
