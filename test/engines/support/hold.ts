/** Logs of tests on a service: made anew for each run, and taken from each other. */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Test } from 'tap'
import { LeasedCheckpoint } from '../../../lib/lease/leased-checkpoint.js'
import {
  checkpointContract,
  type CheckpointSubject,
} from '../../../lib/testing/index.js'

/** The keys of a log in Redis. */
export function keysOf(name: string): { log: string; hold: string } {
  const stem = `pawl:{${encodeURIComponent(name)}}`
  return { log: `${stem}:log`, hold: `${stem}:hold` }
}

/** A name that no other test has. */
export function freshName(): string {
  return `test ${randomBytes(6).toString('hex')}`
}

/** As if the lease of whoever holds the log had run out. */
export async function endRedisLease(redis: Redis, name: string): Promise<void> {
  await redis.hset(keysOf(name).hold, 'until', '0')
}

export async function endPostgresLease(
  pool: Pool,
  name: string,
): Promise<void> {
  await pool.query(
    `UPDATE pawl_log SET until = clock_timestamp() WHERE name = $1`,
    [name],
  )
}

/** Every case of the contract as a subtest. */
export async function playContract(
  t: Test,
  subject: CheckpointSubject,
): Promise<void> {
  const cases = checkpointContract(subject)
  t.ok(cases.length > 10)
  for (const { name, run } of cases) await t.test(name, run)
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
