/**
 * What a Redis server promises of what it has answered, by what it says of itself.
 * Read from INFO, which managed services allow; CONFIG is asked only where nothing
 * else says it.
 */
import { invalidOption, UploadError } from '../errors.js'
import {
  RedisRefusal,
  listOf,
  textOf,
  type SendToRedis,
} from './redis-client.js'

/**
 * When an append counts as written. `'fsync'`: on the server's disk. `{ replicas }`:
 * at so many replicas too, which is the best that Redis has and no promise: a
 * failover may choose another one.
 */
export type RedisDurability =
  | 'fsync'
  | {
      /** How many, from 1. */
      replicas: number
    }

/** What is waited for after each append. */
export type RedisWait =
  | { by: 'nothing' }
  /** `WAITAOF 1 0`. */
  | { by: 'fsync' }
  | { by: 'replicas'; replicas: number }

export interface RedisPromises {
  wait: RedisWait
  /** What it has answered may be lost. */
  canLose: boolean
}

/** What INFO says, as far as it may be read. */
export interface RedisFacts {
  policy: string | undefined
  version: string | undefined
  hasAof: boolean
  /** Only where CONFIG may be asked. */
  appendfsync: string | undefined
  /** It syncs nothing while it rewrites its file or saves. */
  sparesRewrites: boolean
  replicas: number
  /** One may come back that was there within the last hour, or is there. */
  hasHadReplicas: boolean
}

export async function readFacts(send: SendToRedis): Promise<RedisFacts> {
  const info = new Map<string, string>()
  const reply = await send('INFO').catch(unlessForbidden)
  for (const line of textOf(reply).split(/\r?\n/)) {
    const at = line.indexOf(':')
    if (at > 0) info.set(line.slice(0, at), line.slice(at + 1))
  }
  const setting = async (name: string): Promise<string | undefined> =>
    valueOf(await send('CONFIG', 'GET', name).catch(unlessForbidden), name)
  const replicas = Number(info.get('connected_slaves') ?? 0)
  return {
    policy: info.get('maxmemory_policy'),
    version: info.get('redis_version'),
    hasAof: info.get('aof_enabled') === '1',
    appendfsync: await setting('appendfsync'),
    sparesRewrites: (await setting('no-appendfsync-on-rewrite')) === 'yes',
    replicas,
    hasHadReplicas: replicas > 0 || info.get('repl_backlog_active') === '1',
  }
}

/** A command that this user may not send, or that the service does not have. */
function unlessForbidden(error: unknown): undefined {
  if (error instanceof RedisRefusal) return undefined
  throw error
}

/** Of a reply of names and values, or of a map, which newer protocols have. */
function valueOf(reply: unknown, name: string): string | undefined {
  if (reply instanceof Map) {
    const found = [...reply].find(([key]) => textOf(key) === name)
    return found && textOf(found[1])
  }
  if (typeof reply === 'object' && reply !== null && !Array.isArray(reply)) {
    const value: unknown = Reflect.get(reply, name)
    return value === undefined ? undefined : textOf(value)
  }
  const words = listOf(reply).map(textOf)
  const at = words.indexOf(name)
  return at < 0 ? undefined : words[at + 1]
}

/**
 * Throws `PAWL_CHECKPOINT_UNSAFE` where the server may drop the log by itself, and
 * `PAWL_INVALID_OPTION` for a durability that it does not have.
 */
export function promisesOf(
  name: string,
  facts: RedisFacts,
  durability: RedisDurability | undefined,
): RedisPromises {
  const { policy = '' } = facts
  if (policy.startsWith('allkeys-')) {
    throw new UploadError(
      'PAWL_CHECKPOINT_UNSAFE',
      `${name}: this Redis drops any key when its memory is full (maxmemory-policy ${policy}), a log too; give it noeviction, or take another`,
    )
  }
  if (durability === undefined) {
    return { wait: { by: 'nothing' }, canLose: true }
  }
  if (durability !== 'fsync') {
    const { replicas } = durability
    if (facts.replicas < replicas) throw tooFew(name, facts.replicas, replicas)
    return { wait: { by: 'replicas', replicas }, canLose: true }
  }
  if (!facts.hasAof) {
    invalidOption(
      `${name}: durability 'fsync' needs appendonly yes, which this Redis has not`,
    )
  }
  // A replica that takes over may lag behind what is on this server's disk, most of
  // all one that is away now.
  const canLose = facts.hasHadReplicas
  if (facts.appendfsync === 'always' && !facts.sparesRewrites) {
    return { wait: { by: 'nothing' }, canLose }
  }
  if (isAtLeast(facts.version, 7, 2)) return { wait: { by: 'fsync' }, canLose }
  return invalidOption(
    `${name}: durability 'fsync' needs Redis 7.2 (WAITAOF), or appendfsync always and no-appendfsync-on-rewrite no, which CONFIG has to say; this is ${facts.version ?? 'a version that may not be read'}`,
  )
}

/** Of an append that fewer replicas have than were asked for; never called durable. */
export function tooFew(
  name: string,
  found: number,
  wanted: number,
): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name}: ${found} replicas have what was written, expected ${wanted}`,
  )
}

function isAtLeast(
  version: string | undefined,
  major: number,
  minor: number,
): boolean {
  const [a = 0, b = 0] = (version ?? '').split('.').map(Number)
  return a > major || (a === major && b >= minor)
}
