/** An object by several machines, with its log on an engine, to be played as a story. */
import type { Test } from 'tap'
import { UploadError, type Checkpoint } from '../../../lib/index.js'
import { postgresTables } from '../../../lib/lease/postgres.js'
import { BucketLogs } from '../../support/bucket-log.js'
import {
  openPlace,
  ossOn,
  type LeasedPlace,
  type SharedJob,
} from '../../support/leased-job.js'
import {
  key,
  partSize,
  sharedUpload,
  type SharedUpload,
} from '../../support/shared-upload.js'
import { freshName, postgresSink, redisSink } from './hold.js'
import { startLeasedChild, type LeasedChild } from './leased-child.js'
import { startPostgres } from './postgres-server.js'
import { startRedis } from './redis-server.js'

export type EngineName = LeasedPlace['engine']
export const engineNames: EngineName[] = ['redis', 'postgres', 'bucket']

export interface Walk {
  s: SharedUpload
  /** A machine that makes a call, and stops behind these records. */
  machine: (stopAfter: string[], more?: Partial<SharedJob>) => LeasedChild
  /** A call of another machine, which comes again while it is told to. */
  call: <T>(work: (checkpoint: Checkpoint) => Promise<T>) => Promise<T>
  /** Resolves to what loses all that the log says from now on, as a failover does. */
  losing: () => Promise<() => Promise<void>>
}

/** Starts the engines; gives what begins a story on one of them. */
export async function startWalks(
  t: Test,
): Promise<(t: Test, engine: EngineName) => Promise<Walk>> {
  const redis = await startRedis(t)
  const postgres = await startPostgres(t)
  const pool = postgres.pool()
  await pool.query(postgresTables)
  const sinks = {
    redis: redisSink(redis.client()),
    postgres: postgresSink(pool),
  }
  return async (t, engine) => {
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
      call: (work) => untilTold(() => work(place.checkpoint())),
      async losing() {
        const { name } = job
        if (engine !== 'bucket') {
          const rest = await sinks[engine].bytes(name)
          return () => sinks[engine].loseEnd(name, rest)
        }
        const logs = new BucketLogs(ossOn(endpoint))
        const log = logs.log(name)
        const { length: rest } = await logs.segments(log)
        return async () => {
          const { length } = await logs.segments(log)
          for (let n = length; n > rest; n--) await logs.remove(log, n)
        }
      },
    }
  }
}

/** Comes again while the log is held, and when it is told to. */
async function untilTold<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const isHeld =
        error instanceof UploadError &&
        (error.code === 'PAWL_CHECKPOINT_LOCKED' ||
          error.retryAfter !== undefined)
      if (!isHeld) throw error
      const wait = Math.max(50, error.retryAfter ?? 0)
      await new Promise((resolve) => {
        setTimeout(resolve, wait)
      })
    }
  }
}
