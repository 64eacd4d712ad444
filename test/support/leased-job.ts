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
  /** The type of the record behind which the process stops itself. */
  stopAfter?: string
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
