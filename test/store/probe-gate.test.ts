import { getEventListeners } from 'node:events'
import t from 'tap'
import { ProbeGate } from '../../lib/store/probe-gate.js'
import { turn } from '../support/attempts.js'

const { signal } = new AbortController()

function closed(): ProbeGate {
  const gate = new ProbeGate()
  for (let i = 0; i < 3; i++) gate.fail()
  return gate
}

/** Notes who has passed, in order. */
async function pass(
  gate: ProbeGate,
  passed: string[],
  name: string,
  visitor: object,
): Promise<void> {
  await gate.pass(visitor, signal)
  passed.push(name)
}

await t.test('two failures keep nobody waiting', async (t) => {
  const gate = new ProbeGate()
  gate.fail()
  gate.fail()
  t.ok(gate.isOpen)
  await gate.pass({}, signal)
  gate.fail()
  t.notOk(gate.isOpen)
})

await t.test('after three one asks, as often as it likes', async (t) => {
  const gate = closed()
  const probe = {}
  const passed: string[] = []
  await gate.pass(probe, signal)
  const waiting = [1, 2, 3].map((n) => pass(gate, passed, `${n}`, {}))
  gate.fail()
  await gate.pass(probe, signal)
  await turn()
  t.strictSame(passed, [])
  gate.succeed()
  await Promise.all(waiting)
  t.strictSame(passed, ['1', '2', '3'])
  t.ok(gate.isOpen)
})

await t.test('when it is given up, the next one asks', async (t) => {
  const gate = closed()
  const [probe, first, second] = [{}, {}, {}]
  const passed: string[] = []
  await gate.pass(probe, signal)
  const one = pass(gate, passed, 'first', first)
  const two = pass(gate, passed, 'second', second)
  gate.leave(second)
  await turn()
  t.strictSame(passed, [], 'who waits and leaves is not the probe')
  gate.leave(probe)
  await one
  await turn()
  t.strictSame(passed, ['first'])
  gate.leave(first)
  await two
  gate.leave(second)
  await gate.pass({}, signal)
})

await t.test(
  'the success of one who is still under way opens it',
  async (t) => {
    const gate = closed()
    await gate.pass({}, signal)
    const passed: string[] = []
    const waiting = pass(gate, passed, 'waiting', {})
    gate.succeed()
    await waiting
    t.strictSame(passed, ['waiting'])
  },
)

await t.test(
  'who waits goes with the signal, and leaves no listener',
  async (t) => {
    const gate = closed()
    await gate.pass({}, signal)
    const ending = new AbortController()
    const waiting = gate.pass({}, ending.signal)
    ending.abort(new Error('enough'))
    await t.rejects(waiting, { message: 'enough' })
    await t.rejects(gate.pass({}, ending.signal), { message: 'enough' })
    const later = new AbortController()
    const passing = gate.pass({}, later.signal)
    gate.succeed()
    await passing
    t.equal(getEventListeners(later.signal, 'abort').length, 0)
  },
)
