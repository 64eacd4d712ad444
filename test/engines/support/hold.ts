/** Logs of tests on a service: made anew for each run, and taken from each other. */
import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Test } from 'tap'
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
}
