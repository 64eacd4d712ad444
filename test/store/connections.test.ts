import t from 'tap'
import { Connections } from '../../lib/store/connections.js'

const signal = new AbortController().signal

function two() {
  return new Connections({ origin: 'http://127.0.0.1:1', lanes: 2 })
}

await t.test('requests wait for their turn in order', async (t) => {
  const connections = two()
  const a = await connections.acquire(signal)
  const b = await connections.acquire(signal)
  t.not(a, b)
  const turns: string[] = []
  const waiting = ['c', 'd'].map(async (name) => {
    const lane = await connections.acquire(signal)
    turns.push(name)
    return lane
  })
  connections.release(a, true)
  const c = await waiting[0]
  t.strictSame(turns, ['c'])
  t.equal(c, a, 'an idle connection is used again')
  connections.release(b, true)
  await waiting[1]
  t.strictSame(turns, ['c', 'd'])
})

await t.test('an abort leaves the queue and keeps the order', async (t) => {
  const connections = two()
  const a = await connections.acquire(signal)
  await connections.acquire(signal)
  const controller = new AbortController()
  const gone = connections.acquire(controller.signal)
  const stays = connections.acquire(signal)
  controller.abort(new Error('enough'))
  await t.rejects(gone, { message: 'enough' })
  connections.release(a, true)
  t.ok(await stays)
  await t.rejects(connections.acquire(controller.signal), { message: 'enough' })
})

await t.test('a failed connection is not used again', async (t) => {
  const connections = two()
  const a = await connections.acquire(signal)
  connections.release(a, false)
  t.not(await connections.acquire(signal), a)
})

await t.test(
  'closing ends idle connections, and busy ones later',
  async (t) => {
    const connections = two()
    const a = await connections.acquire(signal)
    const b = await connections.acquire(signal)
    connections.release(a, true)
    connections.close()
    t.equal(Reflect.get(a.dispatcher, 'destroyed'), true)
    t.equal(Reflect.get(b.dispatcher, 'destroyed'), false)
    connections.release(b, true)
    t.equal(Reflect.get(b.dispatcher, 'destroyed'), true)
    t.ok(await connections.acquire(signal), 'the store can go on')
  },
)
