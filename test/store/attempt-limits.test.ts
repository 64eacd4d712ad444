/** Our limits hold with every dispatcher, and against every server. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { Agent, ProxyAgent, RetryAgent, type Dispatcher } from 'undici'
import { attempts, rejection, upload, watched } from '../support/attempts.js'
import { rawServer } from '../support/raw-server.js'
import { answer, bodyOf, scriptedServer } from '../support/scripted-server.js'

const MiB = 1024 * 1024

function given<D extends Dispatcher>(t: Test, dispatcher: D): D {
  t.teardown(() => dispatcher.destroy())
  return dispatcher
}

for (const whose of ['our own', "the caller's"]) {
  await t.test(`103 without end keeps nothing alive: ${whose}`, async (t) => {
    const port = await rawServer(t, (socket) => {
      socket.pause()
      const hints = setInterval(() => {
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')
      }, 10)
      socket.once('close', () => clearInterval(hints))
    })
    const send = attempts(t, {
      origin: `http://127.0.0.1:${port}`,
      timeouts: { stall: 300 },
      ...(whose === 'our own' ? {} : { dispatcher: given(t, new Agent()) }),
    })
    const { state, request } = watched(Buffer.alloc(32 * MiB))
    const error = await rejection(send(request))
    t.equal(error.kind, 'timeout')
    t.match(error.message, /not one byte of the body moved within 300 ms/)
    t.ok(state.ended)
  })
}

await t.test("a dispatcher's own limits do not end what moves", async (t) => {
  const total = 4 * MiB
  const server = await scriptedServer(t, {
    steps: [
      async ({ request, response }) => {
        for (let i = 0; i < 8; i++) {
          await delay(60)
          request.read(512 * 1024)
        }
        await bodyOf(request)
        await delay(200)
        response.end()
      },
    ],
  })
  const dispatcher = given(
    t,
    new Agent({ headersTimeout: 100, bodyTimeout: 100 }),
  )
  const send = attempts(t, { origin: server.origin, dispatcher })
  t.equal((await send(upload(Buffer.alloc(total)))).status, 200)
})

await t.test('a body that waits for its rate does not stall', async (t) => {
  const server = await scriptedServer(t, {
    steps: [
      answer(200),
      // Cut off by the client.
      ({ request }) => void request.on('error', () => undefined).resume(),
    ],
  })
  const send = attempts(t, { origin: server.origin, timeouts: { stall: 40 } })
  const [one, other] = [Buffer.alloc(10), Buffer.alloc(10)]
  for (const isHeldBack of [true, false]) {
    let isHeld = false
    const sent = send({
      headers: { 'content-length': '20' },
      isBodyHeld: () => isHeld,
      async *body() {
        yield one
        isHeld = isHeldBack
        await delay(400)
        isHeld = false
        yield other
      },
    })
    if (isHeldBack) t.equal((await sent).status, 200)
    else t.equal((await rejection(sent)).kind, 'timeout')
  }
})

await t.test('a proxy that never answers CONNECT is given up', async (t) => {
  const port = await rawServer(t, (socket) => socket.resume())
  const send = attempts(t, {
    origin: 'http://store.example',
    dispatcher: given(t, new ProxyAgent(`http://127.0.0.1:${port}`)),
    timeouts: { connect: 200 },
  })
  const { state, request } = watched(Buffer.alloc(10))
  const error = await rejection(send(request))
  t.equal(error.kind, 'timeout')
  t.match(error.message, /no connection within 200 ms/)
  t.equal(state.pulls, 0)
})

for (const [status, kind] of [
  [407, 'request'],
  [403, 'request'],
  [429, 'network'],
  [502, 'network'],
] as const) {
  await t.test(`a proxy that answers CONNECT with ${status}`, async (t) => {
    const port = await rawServer(t, (socket) => {
      socket.once('data', () =>
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`),
      )
    })
    const send = attempts(t, {
      origin: 'http://store.example',
      dispatcher: given(t, new ProxyAgent(`http://127.0.0.1:${port}`)),
    })
    const error = await rejection(send(upload(Buffer.alloc(10))))
    t.match(error, { kind, status })
    t.match(error.message, new RegExp(`the proxy .*\\(${status}\\)`))
  })
}

await t.test('waiting in a queue of one connection is no fault', async (t) => {
  const server = await scriptedServer(t, {
    otherwise: async ({ request, response }) => {
      await bodyOf(request)
      await delay(150)
      response.end()
    },
  })
  const send = attempts(t, {
    origin: server.origin,
    dispatcher: given(t, new Agent({ connections: 1 })),
    timeouts: { connect: 100 },
  })
  const sending = [1, 2, 3, 4].map(() => send(upload(Buffer.alloc(10))))
  const answers = await Promise.all(sending)
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  )
})

await t.test(
  'a dispatcher that tries again sends the whole body',
  async (t) => {
    const bytes = Buffer.alloc(3 * MiB + 5, 'pawl')
    const received: Buffer[] = []
    const server = await scriptedServer(t, {
      steps: [
        answer(503),
        async ({ request, response }) => {
          received.push(await bodyOf(request))
          response.end('thanks')
        },
      ],
    })
    const agent = new RetryAgent(new Agent(), { minTimeout: 1 })
    const dispatcher = given(t, agent)
    const send = attempts(t, { origin: server.origin, dispatcher })
    const got = await send(upload(bytes))
    t.equal(got.body.toString(), 'thanks')
    t.ok(received[0]?.equals(bytes))
  },
)

await t.test('one that gives up says the status', async (t) => {
  const server = await scriptedServer(t, { otherwise: answer(503) })
  const agent = new RetryAgent(new Agent(), { minTimeout: 1 })
  const dispatcher = given(t, agent)
  const send = attempts(t, { origin: server.origin, dispatcher })
  const { state, request } = watched(Buffer.alloc(10))
  t.match(await rejection(send(request)), { kind: 'throttled', status: 503 })
  t.ok(state.ended)
})

await t.test(
  'a body that a proxy holds back has the time it needs',
  async (t) => {
    const server = await scriptedServer(t, {
      steps: [
        async ({ request, response }) => {
          await bodyOf(request)
          await delay(400)
          response.end()
        },
      ],
    })
    const send = attempts(t, {
      origin: server.origin,
      timeouts: { headers: 50, stall: 50 },
    })
    // A second at 100 kB a second.
    t.equal((await send(upload(Buffer.alloc(100_000)))).status, 200)
  },
)

await t.test('an answer that came while the loop stood is read', async (t) => {
  const worker = new Worker(
    `const http = require('node:http')
    const { parentPort } = require('node:worker_threads')
    http.createServer((request, response) => {
      request.resume().on('end', () => {
        parentPort.postMessage('received')
        setTimeout(() => response.end('there'), 50)
      })
    }).listen(0, '127.0.0.1', function () {
      parentPort.postMessage(this.address().port)
    })`,
    { eval: true },
  )
  t.teardown(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  const send = attempts(t, {
    origin: `http://127.0.0.1:${port}`,
    timeouts: { headers: 300 },
  })
  const sending = send(upload(Buffer.alloc(10)))
  await once(worker, 'message')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 330)
  t.equal((await sending).body.toString(), 'there')
})
