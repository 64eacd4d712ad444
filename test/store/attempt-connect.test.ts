import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import {
  attempts,
  rejection,
  turn,
  upload,
  watched,
} from '../support/attempts.js'
import { rawServer } from '../support/raw-server.js'
import { bodyOf, scriptedServer } from '../support/scripted-server.js'

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

/** Accepts connections, and says nothing. */
async function tlsSilence(t: Test): Promise<string> {
  return `https://127.0.0.1:${await rawServer(t)}`
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
