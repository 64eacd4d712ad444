import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import {
  attempts,
  rejection,
  turn,
  upload,
  watched,
} from '../support/attempts.js'
import type { HttpRequest } from '../../lib/store/attempt.js'
import type { CallTimeouts } from '../../lib/store/object-store.js'
import {
  answer,
  bodyOf,
  type Exchange,
  scriptedServer,
  type Step,
} from '../support/scripted-server.js'

const test = besideEachOther(t)

const MiB = 1024 * 1024

/** A body that is all at hand; `sent` hears of what left. */
function whole(bytes: Buffer, sent: number[]): Partial<HttpRequest> {
  return {
    ...upload(bytes),
    bytes: { view: bytes, onSent: (count) => void sent.push(count) },
  }
}

const cert = readFileSync(
  new URL('../fixtures/tls/cert.pem', import.meta.url),
  'utf8',
)
const key = readFileSync(
  new URL('../fixtures/tls/key.pem', import.meta.url),
  'utf8',
)

for (const scheme of ['http', 'https'] as const) {
  const tls = scheme === 'https' ? { cert, key } : undefined
  const ours = scheme === 'https' ? { tls: { ca: cert } } : {}

  test(`${scheme}: a body arrives whole`, async (t) => {
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

  test(`${scheme}: a body that is at hand arrives whole, and tells that it left`, async (t) => {
    const bytes = Buffer.alloc(200_003, 'pawl')
    const bodies: Buffer[] = []
    const take = async ({ request, response }: Exchange): Promise<void> => {
      bodies.push(await bodyOf(request))
      response.end()
    }
    const server = await scriptedServer(t, { tls, steps: [take, take] })
    const send = attempts(t, { origin: server.origin, ...ours })
    const sent: number[] = []
    for (let i = 0; i < 2; i++) await send(whole(bytes, sent))
    t.ok(bodies.every((body) => body.equals(bytes)))
    t.same(sent, [bytes.length, bytes.length])
    t.equal(new Set(server.requests.map((r) => r.socket)).size, 1)
  })

  test(`${scheme}: a body at hand that stalls, or is not answered, is given up`, async (t) => {
    const rows: [Step, Partial<CallTimeouts>, number, RegExp][] = [
      [
        ({ request }) => void request.pause(),
        { stall: 300 },
        32 * MiB,
        /not one byte of the body moved within 300 ms/,
      ],
      [
        ({ request }) => void request.resume(),
        { headers: 300 },
        1000,
        /the body was sent but no complete answer came/,
      ],
    ]
    for (const [step, timeouts, size, message] of rows) {
      const server = await scriptedServer(t, { tls, steps: [step] })
      const send = attempts(t, { origin: server.origin, ...ours, timeouts })
      const error = await rejection(send(whole(Buffer.alloc(size), [])))
      t.match(error, { kind: 'timeout', message })
    }
  })

  test(`${scheme}: connections are used again`, async (t) => {
    const server = await scriptedServer(t, { tls })
    const send = attempts(t, { origin: server.origin, ...ours })
    for (let i = 0; i < 20; i++) {
      await send(upload(Buffer.alloc(100_000)))
    }
    t.equal(new Set(server.requests.map((r) => r.socket)).size, 1)
    const [socket] = server.sockets
    t.ok(socket)
  })

  test(`${scheme}: a stalled upload is given up`, async (t) => {
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

  test(`${scheme}: a slow upload that moves survives`, async (t) => {
    const total = 5 * MiB
    const server = await scriptedServer(t, {
      tls,
      steps: [
        async ({ request, response }) => {
          let received = 0
          // Reads now and then; each view takes longer than the stall allows.
          const timer = setInterval(() => {
            // All that is there: from Node 26 on, one call gives one chunk.
            let chunk: Buffer | null
            while ((chunk = request.read()) !== null) received += chunk.length
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

  test(`${scheme}: silence after the body is given up`, async (t) => {
    const server = await scriptedServer(t, {
      tls,
      steps: [async ({ request }) => void (await bodyOf(request))],
    })
    const send = attempts(t, {
      origin: server.origin,
      ...ours,
      timeouts: { headers: 200 },
    })
    const error = await rejection(send(upload(Buffer.alloc(100))))
    t.equal(error.kind, 'timeout')
    t.match(error.message, /no complete answer came within 2\d\d ms/)
  })

  test(`${scheme}: half an answer is given up`, async (t) => {
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

  test(`${scheme}: an abort while sending`, async (t) => {
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
    await new Promise((resolve) => {
      received.once('close', resolve)
    })
    t.notOk(foreign)
    t.equal(state.pulls, pulls, 'nothing is pulled after it has settled')
  })

  const ends = ['destroy', 'end', 'resetAndDestroy'] as const
  // TLS sockets cannot send a reset.
  for (const end of scheme === 'https' ? ends.slice(0, 2) : ends) {
    test(`${scheme}: a reused socket is found dead: ${end}`, async (t) => {
      const server = await scriptedServer(t, {
        tls,
        steps: [answer(200), ({ socket }) => void socket[end]()],
      })
      const send = attempts(t, { origin: server.origin, ...ours })
      await send(upload(Buffer.alloc(10)))
      const error = await rejection(send(upload(Buffer.alloc(10))))
      t.equal(error.kind, 'network')
      t.equal(error.staleConnection, true)
    })
  }

  test(`${scheme}: a fresh connection cut is not stale`, async (t) => {
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

test('a reused connection that began to answer is not stale', async (t) => {
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
})
