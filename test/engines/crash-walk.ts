/**
 * One object by several machines, with its log on each engine: whoever begins or
 * completes it dies or stops at each of its records. What workers meet needs no
 * engine: `test/shared/crashes.test.ts`.
 */
import t, { type Test } from 'tap'
import { UploadError, type Checkpoint } from '../../lib/index.js'
import { postgresTables } from '../../lib/lease/postgres.js'
import type { Ticket } from '../../lib/shared/index.js'
import { besideEachOther } from '../support/beside.js'
import { openPlace, type SharedJob } from '../support/leased-job.js'
import {
  key,
  partSize,
  sharedUpload,
  type SharedUpload,
} from '../support/shared-upload.js'
import { freshName } from './support/hold.js'
import { startLeasedChild, type LeasedChild } from './support/leased-child.js'
import { startPostgres } from './support/postgres-server.js'
import { startRedis } from './support/redis-server.js'

const redis = await startRedis(t)
const postgres = await startPostgres(t)
await postgres.pool().query(postgresTables)
const test = besideEachOther(t, 4)

interface Walk {
  s: SharedUpload
  /** A machine that makes a call, and stops behind these records. */
  machine: (stopAfter: string[], more?: Partial<SharedJob>) => LeasedChild
  /** A call of another machine, which comes again while the log is held. */
  call: <T>(work: (checkpoint: Checkpoint) => Promise<T>) => Promise<T>
}

async function walkOn(t: Test, engine: SharedJob['engine']): Promise<Walk> {
  const s = await sharedUpload(t)
  const { endpoint } = s.server
  const urls = { redis: redis.url, postgres: postgres.url, bucket: endpoint }
  const job: SharedJob = {
    engine,
    url: urls[engine],
    name: freshName(),
    lease: 1500,
    endpoint,
    key,
    partSize,
    size: s.bytes.length,
    seed: 1,
    stopAfter: [],
  }
  const place = await openPlace(job)
  t.teardown(() => place.close())
  return {
    s,
    machine: (stopAfter, more) =>
      startLeasedChild(t, 'shared-child', { ...job, ...more, stopAfter }),
    async call(work) {
      for (;;) {
        try {
          return await work(place.checkpoint())
        } catch (error) {
          const isHeld =
            error instanceof UploadError &&
            error.code === 'PAWL_CHECKPOINT_LOCKED'
          if (!isHeld) throw error
          const wait = Math.max(50, error.retryAfter ?? 0)
          await new Promise((resolve) => {
            setTimeout(resolve, wait)
          })
        }
      }
    },
  }
}

for (const engine of ['redis', 'postgres', 'bucket'] as const) {
  for (const record of ['intent', 'upload']) {
    test(`${engine}: who begins dies behind ${record}`, async (t) => {
      const { s, machine, call } = await walkOn(t, engine)
      const first = machine([record])
      await first.stopped()
      await first.kill()
      const begin = () => call((checkpoint) => s.begin({ checkpoint }))
      const ticket = await begin()
      t.same(await begin(), ticket, 'the same call, the same ticket')
      const initiated = s.seen('CreateMultipartUpload').length
      t.equal(initiated, 1, 'no upload is begun in vain')
      const receipts = await s.send(ticket)
      await call((checkpoint) => s.complete(ticket, receipts, { checkpoint }))
      t.ok(s.bytes.equals(await s.object(key)))
    })
  }

  for (const how of ['dies', 'is paused, and wakes'] as const) {
    for (const record of ['completing', 'done']) {
      const name = `${engine}: who completes ${how} behind ${record}`
      test(name, async (t) => {
        const { s, machine, call } = await walkOn(t, engine)
        const ticket: Ticket = await call((checkpoint) =>
          s.begin({ checkpoint }),
        )
        const receipts = await s.send(ticket)
        const first = machine([record], { ticket, receipts })
        await first.stopped()
        if (how === 'dies') await first.kill()
        const result = await call((checkpoint) =>
          s.complete(ticket, receipts, { checkpoint }),
        )
        t.equal(result.parts, 11)
        const { etag } = result
        if (how !== 'dies') {
          const woken = await first.wake()
          // What it has made is what it says; else the log is not its own any more.
          const said = woken.code ?? (woken.value as { etag: string }).etag
          t.ok(['PAWL_CHECKPOINT_LOST', etag].includes(said), said)
        }
        t.ok(s.bytes.equals(await s.object(key)), 'the object is the source')
        t.equal(s.seen('CompleteMultipartUpload').length, 1, 'one Complete')
        t.equal(s.seen('UploadPart').length, 11, 'no part is sent twice')
      })
    }
  }
}
