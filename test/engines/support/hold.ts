/** Logs of tests on a service: made anew for each run, and taken from each other. */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Test } from 'tap'
import type { Checkpoint } from '../../../lib/index.js'
import { LeasedCheckpoint } from '../../../lib/lease/leased-checkpoint.js'
import { postgresCheckpoint } from '../../../lib/lease/postgres.js'
import { redisCheckpoint } from '../../../lib/lease/redis.js'
import {
  checkpointContract,
  type CheckpointSubject,
} from '../../../lib/testing/index.js'
import { failureIn } from '../../support/shared-upload.js'

/** The keys of a log in Redis. */
export function keysOf(name: string): { log: string; hold: string } {
  const stem = `pawl:{${encodeURIComponent(name)}}`
  return { log: `${stem}:log`, hold: `${stem}:hold` }
}

/** A name that no other test has. */
export function freshName(): string {
  return `test ${randomBytes(6).toString('hex')}`
}

/** Logs on one service, and what tests do to them there. */
export interface LeasedSink {
  checkpoint(name: string, options?: { lease?: number }): Checkpoint
  /** As if the lease of whoever holds the log had run out so long ago, ms. */
  endLease(name: string, ago?: number): Promise<void>
  /** As if the log had been let go of so long ago, ms. */
  letGo(name: string, ago: number): Promise<void>
  /** Takes the end away that was appended last, so that `rest` is left. */
  loseEnd(name: string, rest: string): Promise<void>
  /** Bytes of the log, whoever holds it. */
  bytes(name: string): Promise<string>
}

export function redisSink(redis: Redis): LeasedSink {
  const ago = async (ms: number): Promise<string> => {
    const [seconds = 0] = await redis.time()
    return String(seconds * 1000 - ms)
  }
  return {
    checkpoint: (name, options) =>
      redisCheckpoint({ client: redis, name, ...options }),
    async endLease(name, ms = 0) {
      await redis.hset(keysOf(name).hold, 'until', await ago(ms))
    },
    async letGo(name, ms) {
      await redis.hset(keysOf(name).hold, 'ended', await ago(ms))
    },
    async loseEnd(name, rest) {
      await redis.set(keysOf(name).log, rest)
    },
    bytes: async (name) => (await redis.get(keysOf(name).log)) ?? '',
  }
}

export function postgresSink(pool: Pool): LeasedSink {
  const setTime = async (
    what: 'until' | 'ended',
    name: string,
    ago: number,
  ): Promise<void> => {
    const time = `clock_timestamp() - $2 * interval '1 millisecond'`
    const text = `UPDATE pawl_log SET ${what} = ${time} WHERE name = $1`
    await pool.query(text, [name, ago])
  }
  const of = 'FROM pawl_log_block WHERE name = $1'
  return {
    checkpoint: (name, options) =>
      postgresCheckpoint({
        query: (text, values) => pool.query(text, values),
        name,
        ...options,
      }),
    endLease: (name, ago = 0) => setTime('until', name, ago),
    letGo: (name, ago) => setTime('ended', name, ago),
    async loseEnd(name, { length }) {
      await pool.query(`DELETE ${of} AND start >= $2`, [name, length])
      const text = 'UPDATE pawl_log SET size = $2 WHERE name = $1'
      await pool.query(text, [name, length])
    },
    async bytes(name) {
      const { rows } = await pool.query<{ bytes: Buffer }>(
        `SELECT bytes ${of} ORDER BY start`,
        [name],
      )
      return Buffer.concat(rows.map(({ bytes }) => bytes)).toString()
    },
  }
}

/** What the lease of every service does. */
export async function playLeases(t: Test, sink: LeasedSink): Promise<void> {
  const one = Buffer.from('one')
  const two = Buffer.from('two')

  await t.test('who comes while it is held is told when to come', async (t) => {
    const name = freshName()
    const log = sink.checkpoint(name, { lease: 20_000 })
    await log.open()
    const opening = sink.checkpoint(name).open()
    const { code, retryAfter = 0 } = await failureIn(opening)
    t.equal(code, 'PAWL_CHECKPOINT_LOCKED')
    t.ok(retryAfter > 0 && retryAfter <= 20_000)
    await log.remove()
  })

  await t.test('a holder that overslept goes on while it may', async (t) => {
    const name = freshName()
    const log = sink.checkpoint(name)
    await log.open()
    await log.append(one)
    await sink.endLease(name)
    await log.append(two)
    t.equal(await sink.bytes(name), 'onetwo')
    const other = sink.checkpoint(name)
    await t.rejects(other.open(), { code: 'PAWL_CHECKPOINT_LOCKED' }, 'held')
    await log.remove()
  })

  await t.test('how long nobody had it', async (t) => {
    const name = freshName()
    const first = sink.checkpoint(name)
    await first.open()
    t.equal(first.freeFor, undefined, 'a new one')
    await first.append(one)
    await sink.endLease(name, 60_000)
    const second = sink.checkpoint(name)
    await second.open()
    t.ok((second.freeFor ?? 0) >= 60_000, 'since its lease ended')
    await second.close()
    await sink.letGo(name, 60_000)
    const third = sink.checkpoint(name)
    await third.open()
    t.ok((third.freeFor ?? 0) >= 60_000, 'since it was let go of')
    await third.remove()
  })

  await t.test('a failover that has lost the end is noticed', async (t) => {
    const name = freshName()
    const log = sink.checkpoint(name)
    await log.open()
    await log.append(one)
    await log.append(two)
    const { lost } = log
    await sink.loseEnd(name, 'one')
    await t.rejects(log.append(Buffer.from('three')), {
      code: 'PAWL_CHECKPOINT_LOST',
      message: /is not as this run has left it/,
      resumable: true,
    })
    t.equal(lost?.aborted, true)
    t.equal(await sink.bytes(name), 'one', 'nothing was added')
    await sink.endLease(name)
    const next = sink.checkpoint(name)
    t.equal(Buffer.from(await next.open()).toString(), 'one')
    await next.remove()
  })
}

/** Opens a log, and appends `one` before and `two` while its engine is away. */
export async function appendThroughOutage(
  log: Checkpoint,
  engine: { kill(): Promise<void>; restart(): Promise<void> },
): Promise<void> {
  await log.open()
  await log.append(Buffer.from('one'))
  await engine.kill()
  const appending = log.append(Buffer.from('two'))
  await engine.restart()
  await appending
}

/** Every case of the contract as a subtest. */
export async function playContract(
  t: Test,
  subject: CheckpointSubject,
): Promise<void> {
  const cases = checkpointContract(subject)
  t.ok(cases.length > 10)
  for (const { name, run } of cases) await t.test(name, run)
}

/** The same, and what our own sinks do besides. */
export async function playLeasedContract(
  t: Test,
  subject: CheckpointSubject,
): Promise<void> {
  await playContract(t, subject)
  await t.test('it is looked into while another holds it', async (t) => {
    const log = freshName()
    const one = await subject.checkpoint(log)
    const other = await subject.checkpoint(log)
    if (!(other instanceof LeasedCheckpoint)) throw new Error(other.name)
    t.equal((await other.peek()).length, 0, 'there is none')
    await one.open()
    await one.append(Buffer.from([0, 255]))
    await one.append(Buffer.from('end'))
    t.equal(Buffer.from(await other.peek()).toString('latin1'), '\0\xffend')
    await one.append(Buffer.from('.'))
    t.equal((await other.peek()).length, 6, 'and is held as before')
    await one.remove()
    t.equal((await other.peek()).length, 0, 'it is gone')
  })
}
