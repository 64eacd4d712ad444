/**
 * `--log`: a log that other machines reach, so that an upload goes on where its
 * disk is not. The clients of Redis and PostgreSQL are large, and few need them:
 * they are used where they are installed beside pawl.
 */
import {
  bucketCheckpoint,
  UploadError,
  type Checkpoint,
  type ObjectStore,
} from '../index.js'
import { LeasedCheckpoint } from '../lease/leased-checkpoint.js'
import { postgresCheckpoint, type PostgresRow } from '../lease/postgres.js'
import { redisCheckpoint, type RedisClient } from '../lease/redis.js'
import { requireOrImport } from '../own-require.js'
import { systemCode } from '../realm.js'

export interface LogEngine {
  checkpoint: Checkpoint
  /** What the log says, whoever holds it; empty where there is none. */
  peek(): Promise<Uint8Array>
  /** Ends the connection, when the upload has settled. */
  close(): Promise<void>
}

/** What of an upload its log in the bucket is found by. */
export interface LoggedUpload {
  store: ObjectStore
  key: string
  sourceId: string | undefined
}

/**
 * `bucket`, of that upload, `redis://host/0#name` or `postgres://host/database#name`. Rejects with
 * `PAWL_INVALID_OPTION`; the URL, which may hold a password, is in no text.
 */
export async function openLogEngine(
  place: string,
  upload?: LoggedUpload,
): Promise<LogEngine> {
  if (place === 'bucket') {
    if (upload === undefined) misuse('--log bucket needs the URL of the object')
    const { store, key, sourceId } = upload
    const source = sourceId === undefined ? {} : { sourceId }
    const checkpoint = bucketCheckpoint({ store, key, ...source })
    return engineOf(checkpoint, async () => undefined)
  }
  const { url, name } = readPlace(place)
  switch (url.protocol) {
    case 'redis:':
    case 'rediss:':
      return openRedis(url, name)
    case 'postgres:':
    case 'postgresql:':
      return openPostgres(url, name)
    default:
      return misuse(
        '--log is bucket, redis://host/0#name or postgres://host/database#name',
      )
  }
}

function readPlace(place: string): { url: URL; name: string } {
  if (!URL.canParse(place)) {
    misuse('--log is bucket, or the URL of an engine: redis:// or postgres://')
  }
  const url = new URL(place)
  const name = decodeURIComponent(url.hash.slice(1))
  if (name === '') misuse('--log: the name of the log goes behind a #')
  url.hash = ''
  return { url, name }
}

interface RedisConnection {
  disconnect(): void
  on(event: 'error', listener: () => void): unknown
}

async function openRedis(url: URL, name: string): Promise<LogEngine> {
  // The package's own type, without the package; so below.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const Redis = (await constructorOf('ioredis', 'Redis')) as new (
    url: string,
  ) => RedisClient & RedisConnection
  const client = new Redis(url.href)
  // The log tells of each call that fails. Without a listener the event would
  // end the process.
  client.on('error', () => undefined)
  const checkpoint = redisCheckpoint({ client, name })
  return engineOf(checkpoint, async () => client.disconnect())
}

function engineOf(
  checkpoint: Checkpoint,
  close: LogEngine['close'],
): LogEngine {
  const peek = async (): Promise<Uint8Array> =>
    checkpoint instanceof LeasedCheckpoint
      ? checkpoint.peek()
      : misuse(`${checkpoint.name} cannot be looked into`)
  return { checkpoint, peek, close }
}

interface PostgresPool {
  query(text: string, values: unknown[]): Promise<{ rows: PostgresRow[] }>
  end(): Promise<void>
  on(event: 'error', listener: () => void): unknown
}

async function openPostgres(url: URL, name: string): Promise<LogEngine> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const Pool = (await constructorOf('pg', 'Pool')) as new (
    options: object,
  ) => PostgresPool
  const pool = new Pool({ connectionString: url.href, max: 2 })
  pool.on('error', () => undefined)
  const query = (text: string, values: unknown[]) => pool.query(text, values)
  return engineOf(postgresCheckpoint({ query, name }), () => pool.end())
}

/** A class of a package that need not be installed. */
async function constructorOf(name: string, member: string): Promise<object> {
  const loaded = await requireOrImport(name).catch((error: unknown) => {
    const code = systemCode(error)
    const isMissing = /^(ERR_)?MODULE_NOT_FOUND$/.test(code)
    if (!isMissing) throw error
    return misuse(
      `--log needs the package ${name}, which is not installed beside pawl: npm install ${name}`,
    )
  })
  const found: unknown =
    typeof loaded === 'object' || typeof loaded === 'function'
      ? Reflect.get(Object(loaded), member)
      : undefined
  if (typeof found !== 'function') misuse(`${name} has no ${member}`)
  return found
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
