/**
 * An upload that is begun on one machine and finished on another, which have nothing
 * in common but an engine and the store.
 */
import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import type { PartReceipt, Ticket } from '../../lib/shared/index.js'
import { postgresTables } from '../../lib/lease/postgres.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import type { ChildLine, LeasedJob, SharedJob } from '../support/leased-job.js'
import { freshName } from './support/hold.js'
import { startLeasedChild, type Whereabouts } from './support/leased-child.js'
import { startMachines } from './support/machines.js'
import { startPostgres } from './support/postgres-server.js'
import { startRedis } from './support/redis-server.js'

const redis = await startRedis(t)
const postgres = await startPostgres(t)
await postgres.pool().query(postgresTables)
const machines = await startMachines(t)
const [one, other] = machines.all
if (one === undefined || other === undefined)
  throw new Error('two were asked for')
const how = machines.areApart
  ? 'network namespaces'
  : 'processes with a home of their own: this one may make no network namespaces'
t.comment(`the machines are ${how}`)

const urls = {
  redis: await machines.let(redis.url),
  postgres: await machines.let(postgres.url),
}
const size = 6 * smallPart + 7

/** Comes again while the log is held, as who is told to does. */
async function untilFree(
  t: Test,
  name: string,
  job: object,
  where: Whereabouts,
): Promise<ChildLine> {
  for (;;) {
    const child = startLeasedChild(t, name, job, where)
    const end = await child.ended()
    if (end.code !== 'PAWL_CHECKPOINT_LOCKED') return end
  }
}

await t.test('they have no network in common with this one', async (t) => {
  if (!machines.areApart) {
    t.comment(how)
    t.equal(one.words.length, 0)
    return
  }
  const { port } = redis
  const asking = `require('net').connect(${port}, '127.0.0.1').on('error', () => process.exit(7)).on('connect', () => process.exit(0))`
  for (const { words } of machines.all) {
    const [command, ...more] = [...words, process.execPath, '-e', asking]
    t.equal(spawnSync(command, more).status, 7, 'loopback leads nowhere')
  }
})

for (const engine of ['redis', 'postgres', 'bucket'] as const) {
  await t.test(`${engine}: what they have in common is enough`, async (t) => {
    const dev = await devStore(t)
    const endpoint = await machines.let(dev.server.endpoint)
    const url = engine === 'bucket' ? endpoint : urls[engine]
    const common = {
      engine,
      url,
      endpoint,
      lease: 1000,
      size,
      seed: 1,
      partSize: smallPart,
      stopAfter: [],
    }
    const job: LeasedJob = { ...common, name: freshName(), key: 'stream' }
    const first = startLeasedChild(
      t,
      'leased-child',
      { ...job, stopAfter: ['part'] },
      one,
    )
    await first.stopped()
    await first.kill()
    const end = await untilFree(t, 'leased-child', job, other)
    t.match(end, { event: 'result', resumed: true })
    t.ok(noise(size, 1).equals(await dev.object('stream')))
    t.equal(
      dev.seen('CompleteMultipartUpload').length,
      1,
      'begun on the one, finished on the other',
    )

    const shared: SharedJob = { ...common, name: freshName(), key: 'shared' }
    const call = async (
      where: Whereabouts,
      more: Partial<SharedJob>,
    ): Promise<unknown> => {
      const said = { ...shared, ...more }
      const { code, value } = await untilFree(t, 'shared-child', said, where)
      t.equal(code, undefined)
      return value
    }
    const ticket = (await call(one, {})) as Ticket
    t.same(await call(other, {}), ticket, 'the same ticket on the other one')
    const sent = await Promise.all([
      call(one, { ticket, parts: [1, 4] }),
      call(other, { ticket, parts: [4, 7] }),
    ])
    const receipts = sent.flat() as PartReceipt[]
    t.match(await call(other, { ticket, receipts }), { size, parts: 7 })
    t.ok(noise(size, 1).equals(await dev.object('shared')))
  })
}
