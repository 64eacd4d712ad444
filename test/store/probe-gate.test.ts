import { getEventListeners } from 'node:events'
import t from 'tap'
import { ProbeGate, seenBy } from '../../lib/store/probe-gate.js'
import type { StoreErrorKind } from '../../lib/store/store-error.js'
import { turn } from '../support/attempts.js'

const away = { kind: 'network', serverCode: undefined } as const
const { signal } = new AbortController()

function closed(): ProbeGate {
  const gate = new ProbeGate()
  for (let i = 0; i < 3; i++) gate.fail(away)
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
  gate.fail(away)
  gate.fail(away)
  t.ok(gate.isOpen)
  await gate.pass({}, signal)
  gate.fail(away)
  t.notOk(gate.isOpen)
})

await t.test('after three one asks, as often as it likes', async (t) => {
  const gate = closed()
  const probe = {}
  const passed: string[] = []
  await gate.pass(probe, signal)
  const waiting = [1, 2, 3].map((n) => pass(gate, passed, `${n}`, {}))
  gate.fail(away)
  await gate.pass(probe, signal)
  await turn()
  t.strictSame(passed, [])
  gate.succeed()
  await Promise.all(waiting)
  t.strictSame(passed, ['1', '2', '3'])
  t.ok(gate.isOpen)
})

await t.test(
  'a failure says that the store is away, there, or nothing',
  (t) => {
    const rows: [StoreErrorKind, string | undefined, string][] = [
      ['network', undefined, 'away'],
      ['timeout', undefined, 'away'],
      // S3 has it as an answer, to a body that did not come.
      ['timeout', 'RequestTimeout', 'away'],
      ['server', undefined, 'away'],
      ['server', 'InternalError', 'away'],
      ['throttled', 'SlowDown', 'nothing'],
      ['throttled', undefined, 'nothing'],
      ['response', undefined, 'nothing'],
      ['response', 'InvalidPart', 'nothing'],
      // The bytes that came were compared here, or there.
      ['digest', undefined, 'there'],
      ['digest', 'InvalidDigest', 'there'],
      ['clock', 'RequestTimeTooSkewed', 'there'],
      ['credentials', 'ExpiredToken', 'there'],
      ['denied', 'AccessDenied', 'there'],
      // A firewall's, or an answer to HEAD.
      ['denied', undefined, 'nothing'],
      ['request', 'InvalidArgument', 'there'],
      ['request', undefined, 'nothing'],
      ['no-upload', 'NoSuchUpload', 'there'],
      ['conflict', 'OperationAborted', 'there'],
    ]
    for (const [kind, serverCode, expected] of rows) {
      t.equal(seenBy({ kind, serverCode }), expected, `${kind} ${serverCode}`)
    }
    t.end()
  },
)

await t.test('a refusal of the store lets all through', async (t) => {
  const gate = closed()
  const probe = {}
  const passed: string[] = []
  await gate.pass(probe, signal)
  const waiting = pass(gate, passed, 'one', {})
  gate.fail({ kind: 'throttled', serverCode: 'SlowDown' })
  await turn()
  t.strictSame(passed, [], 'who is busy need not be there for all of them')
  gate.fail({ kind: 'denied', serverCode: 'AccessDenied' })
  await waiting
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
    await t.rejects(Promise.resolve(waiting), { message: 'enough' })
    const late = Promise.resolve(gate.pass({}, ending.signal))
    await t.rejects(late, { message: 'enough' })
    const later = new AbortController()
    const passing = gate.pass({}, later.signal)
    gate.succeed()
    await passing
    t.equal(getEventListeners(later.signal, 'abort').length, 0)
  },
)
