/** A log in NATS, which is a sink of one's own: its contract, and a run that is followed. */
import { register } from 'node:module'
import { join } from 'node:path'
import { Kvm, type KV } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import type { Checkpoint } from '../../lib/index.js'
import { temporaryDirectory } from '../support/dev-store.js'
import { freePort, startEngine, type Engine } from './support/engine.js'
import { appendThroughOutage, freshName, playContract } from './support/hold.js'

register('../support/pawl-name.js', import.meta.url)
const { natsCheckpoint } =
  await import('../../docs/examples/nats-checkpoint.js')

/** With its store in a directory of its own. */
async function startNats(t: Test): Promise<Engine> {
  const directory = await temporaryDirectory(t)
  const port = await freePort()
  const words = ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd']
  return startEngine(t, {
    command: 'nats-server',
    args: [...words, join(directory, 'store')],
    port,
  })
}

/** A bucket of logs, by a connection that ends with the test. */
async function bucketOn(t: Test, { port }: Engine): Promise<KV> {
  const connection = await connect({
    servers: `127.0.0.1:${port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  t.teardown(() => connection.close())
  return new Kvm(connection).create('pawl')
}

const server = await startNats(t)
const kv = await bucketOn(t, server)

function keyOf(name: string): string {
  return `log.${Buffer.from(name).toString('base64url')}`
}

/** As if the lease of whoever holds the log had run out. */
async function endLease(name: string): Promise<void> {
  const entry = await kv.get(keyOf(name))
  const head = entry?.json<object>()
  await kv.put(keyOf(name), JSON.stringify({ ...head, lease: 0 }))
}

await t.test('the contract', async (t) => {
  const named = new Map<Checkpoint, string>()
  await playContract(t, {
    checkpoint: (name) => {
      const checkpoint = natsCheckpoint({ kv, name })
      named.set(checkpoint, name)
      return checkpoint
    },
    kill: (checkpoint) => endLease(named.get(checkpoint) ?? ''),
  })
})

await t.test('who is followed is told so, and writes nothing', async (t) => {
  const name = freshName()
  const first = natsCheckpoint({ kv, name })
  await first.open()
  await first.append(Buffer.from('one'))
  await endLease(name)
  const second = natsCheckpoint({ kv, name })
  t.equal(Buffer.from(await second.open()).toString(), 'one')
  t.ok((second.freeFor ?? -1) >= 0, 'nobody had it for a while')
  const lost = { code: 'PAWL_CHECKPOINT_LOST', resumable: true }
  await t.rejects(first.append(Buffer.from('never')), lost)
  t.equal(first.lost?.aborted, true)
  await t.rejects(first.confirm?.() ?? Promise.resolve(), lost)
  t.equal(await first.remove(), false)
  await first.close()
  await second.append(Buffer.from('two'))
  await second.close()
  const last = natsCheckpoint({ kv, name })
  t.equal(Buffer.from(await last.open()).toString(), 'onetwo')
  t.equal(await last.remove(), true)
})

await t.test('who comes while it is held is told when to come', async (t) => {
  const name = freshName()
  const log = natsCheckpoint({ kv, name, lease: 20_000 })
  await log.open()
  const failure: unknown = await natsCheckpoint({ kv, name })
    .open()
    .catch((error: unknown) => error)
  t.match(failure, { code: 'PAWL_CHECKPOINT_LOCKED', retryAfter: Number })
  await log.remove()
})

await t.test('an append whose answer was lost is not made twice', async (t) => {
  const name = freshName()
  let lost = 0
  const losing: KV = Object.create(kv) as KV
  losing.put = async (key, value, options) => {
    const revision = await kv.put(key, value, options)
    if (key === keyOf(name) && lost++ === 1) throw new Error('TIMEOUT')
    return revision
  }
  const log = natsCheckpoint({ kv: losing, name })
  await log.open()
  await log.append(Buffer.from('one'))
  await log.append(Buffer.from('two'))
  t.ok(lost > 1)
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'onetwo')
  await log.remove()
})

await t.test('a server that is gone for a moment is waited for', async (t) => {
  const mortal = await startNats(t)
  const log = natsCheckpoint({ kv: await bucketOn(t, mortal), name: 'a' })
  await appendThroughOutage(log, mortal)
  await log.close()
  t.equal(Buffer.from(await log.open()).toString(), 'onetwo')
  await log.remove()
})
