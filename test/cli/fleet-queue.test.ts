import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Queue } from 'bullmq'
import t from 'tap'
import {
  mustBeQueueName,
  QueueWatch,
  queueFailure,
  queueHost,
  untilReached,
} from '../../lib/cli/fleet-queue.js'

const secret = 'hunter2'

await t.test('what is no URL of a queue is refused, and not quoted', (t) => {
  const cases = [
    `http://:${secret}@127.0.0.1`,
    `redis://me:${secret}@`,
    `redis://:${secret}@127.0.0.1:99999`,
    `redis://:${secret}%zz@127.0.0.1`,
    `redis://:${secret}@127.0.0.1/zero`,
    '',
  ]
  for (const url of cases) {
    t.throws(
      () => queueHost(url),
      { code: 'PAWL_INVALID_OPTION', message: /^(?!.*hunter2)--queue: / },
      url,
    )
  }
  for (const name of ['', 'a:b']) {
    t.throws(() => mustBeQueueName(name), { code: 'PAWL_INVALID_OPTION' })
  }
  t.equal(mustBeQueueName('pawl'), undefined)
  t.equal(queueHost(`rediss://me:${secret}@host:1/2?family=6`), 'host:1')
  t.equal(queueHost('redis:///5'), 'localhost')
  t.end()
})

function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' })
}

await t.test('what Redis answers has a code', (t) => {
  const cases = [
    ['NOAUTH Authentication required.', 'PAWL_CREDENTIALS'],
    ['WRONGPASS invalid username-password pair', 'PAWL_CREDENTIALS'],
    ["NOPERM this user has no permissions to run 'eval'", 'PAWL_ACCESS_DENIED'],
    ['OOM command not allowed', 'PAWL_SERVER'],
  ] as const
  for (const [message, code] of cases) {
    t.match(queueFailure('host:1', replyError(message)), {
      code,
      message: `--queue: host:1 has refused: ${message}`,
    })
  }
  const other = new Error('another')
  t.equal(queueFailure('host:1', other), other)
  t.end()
})

await t.test('a password that is refused ends the wait at once', async (t) => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => {
      socket.write('-WRONGPASS invalid username-password pair\r\n'.repeat(9))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const host = `127.0.0.1:${port}`
  const url = `redis://:${secret}@${host}`
  const queue = new Queue('q', { connection: { url } })
  queue.on('error', () => undefined)
  await t.rejects(untilReached(queue, host), { code: 'PAWL_CREDENTIALS' })
  await queue.close().catch(() => undefined)
})

await t.test(
  'that a queue is away, and that it is back, is told once',
  async (t) => {
    const told: string[] = []
    const log = { write: (text: string) => told.push(text) > 0 }
    const watch = new QueueWatch('host:1', log)
    const client = new EventEmitter()
    watch.follow(client)
    const refused = Object.assign(new Error(`at ${secret}`), {
      code: 'ECONNREFUSED',
    })
    client.emit('ready')
    t.strictSame(told, [], 'nothing was wrong')
    client.emit('error', refused)
    client.emit('close')
    client.emit('close')
    watch.failed(replyError('OOM'))
    t.match(told, [
      /^pawl: the queue at host:1 cannot be reached \(ECONNREFUSED\)/,
    ])
    t.equal(told.length, 1)
    client.emit('ready')
    t.equal(told[1], 'pawl: the queue at host:1 is back\n')
    watch.failed(refused)
    t.equal(told.length, 2, 'a connection tells it by itself')
    watch.failed(replyError('OOM command\u001b[31m not allowed'))
    watch.failed(replyError('OOM'))
    t.match(told[2], 'OOM command\\x1b[31m not allowed')
    watch.back()
    t.equal(told.length, 4)
    t.notMatch(told.join(''), secret)

    await watch.end(Promise.resolve())
    client.emit('close')
    t.equal(told.length, 4, 'a connection that is closed on purpose')
  },
)

await t.test('a queue that is away does not keep a worker', async (t) => {
  const watch = new QueueWatch('host:1', { write: () => true })
  watch.away('')
  await t.resolves(watch.end(new Promise(() => undefined), 1))
})
