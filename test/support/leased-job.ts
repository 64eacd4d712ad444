/** Uploads whose log is on an engine: in this process, and in one that is stopped. */
import { Redis } from 'ioredis'
import pg from 'pg'
import {
  bucketCheckpoint,
  ossStore,
  type Checkpoint,
  type ObjectStore,
} from '../../lib/index.js'
import { postgresCheckpoint } from '../../lib/lease/postgres.js'
import { redisCheckpoint } from '../../lib/lease/redis.js'
import type { PartReceipt, Ticket } from '../../lib/shared/index.js'
import { keys } from './dev-store.js'

/** Where a log is, so that another process finds it. */
export interface LeasedPlace {
  engine: 'redis' | 'postgres' | 'bucket'
  /** Of the engine; for the bucket the store's endpoint. */
  url: string
  name: string
  /** ms */
  lease: number
}

/** Takes its place as JSON on the command line. */
export interface LeasedJob extends LeasedPlace {
  endpoint: string
  key: string
  partSize: number
  size: number
  /** Of the bytes that are uploaded. */
  seed: number
  /** Types of records; behind the next of them the process stops itself each time. */
  stopAfter: string[]
  /** The log cannot be removed when it is over. */
  keepsLog?: boolean
}

/** One of the calls of an object by several machines; without a ticket the first. */
export interface SharedJob extends LeasedJob {
  ticket?: Ticket
  /** Those to send; without them the object is completed. */
  parts?: [first: number, last: number]
  receipts?: PartReceipt[]
}

/** What a process says on its standard output, a line each. */
export interface ChildLine {
  event: 'stopping' | 'part' | 'result' | 'failed'
  code?: string
  partNumber?: number
  partsReused?: number
  resumed?: boolean
  /** What a call has resolved to. */
  value?: unknown
}

/** Resolves when it is out: a process that is stopped says nothing any more. */
export function say(line: ChildLine): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(`${JSON.stringify(line)}\n`, () => resolve())
  })
}

/** Stops the process behind the first append with each of these records, in turn. */
export function stopping(
  checkpoint: Checkpoint,
  stopAfter: readonly string[],
): Checkpoint {
  const left = [...stopAfter]
  const append = checkpoint.append.bind(checkpoint)
  checkpoint.append = async (bytes) => {
    await append(bytes)
    const [type] = left
    const text = Buffer.from(bytes).toString('latin1')
    const isIt = new RegExp(`^[0-9a-f]{16} \\d+ ${type} `, 'm').test(text)
    if (type === undefined || !isIt) return
    left.shift()
    await say({ event: 'stopping' })
    process.kill(process.pid, 'SIGSTOP')
  }
  return checkpoint
}

/** The dev server's bucket. */
export function ossOn(endpoint: string): ObjectStore {
  return ossStore({
    endpoint,
    region: 'cn-hangzhou',
    bucket: 'examplebucket',
    credentials: keys,
  })
}

export interface OpenPlace {
  /** The log, as another run makes it. */
  checkpoint(): Checkpoint
  close(): Promise<void>
}

/** Connects to it. */
export async function openPlace({
  engine,
  url,
  name,
  lease,
}: LeasedPlace): Promise<OpenPlace> {
  switch (engine) {
    case 'redis': {
      const client = new Redis(url)
      client.on('error', () => undefined)
      return {
        checkpoint: () => redisCheckpoint({ client, name, lease }),
        close: async () => client.disconnect(),
      }
    }
    case 'postgres': {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      pool.on('error', () => undefined)
      const query = (text: string, values: unknown[]) =>
        pool.query<Record<string, unknown>>(text, values)
      return {
        checkpoint: () => postgresCheckpoint({ query, name, lease }),
        close: () => pool.end(),
      }
    }
    case 'bucket': {
      const store = ossOn(url)
      return {
        checkpoint: () => bucketCheckpoint({ store, key: name, lease }),
        close: () => store.close(),
      }
    }
  }
}
