/** One connection to Redis or Valkey, whichever package made it. */
import { invalidOption, UploadError } from '../errors.js'
import { messageOf, systemCode } from '../realm.js'
import { Unheard } from './steps.js'

/** A word of a command. */
export type RedisWord = string | Buffer

/**
 * Anything that sends a command: a client of `ioredis` or `iovalkey`, or one of
 * `redis` (node-redis), connected. It has to be one connection, which the log may
 * share with others; with `durability` it should be the log's own, since waiting
 * for a replica or a disk holds up all that comes after it.
 */
export type RedisClient =
  | {
      /** `ioredis` and `iovalkey`: the reply, with bytes as they are. */
      callBuffer(command: string, args: RedisWord[]): Promise<unknown>
    }
  | {
      /** `redis`: the same, where its mapping of types says so. */
      sendCommand(
        words: RedisWord[],
        options?: { typeMapping: Record<number, unknown> },
      ): Promise<unknown>
    }

/** Blob and verbatim strings as bytes, to node-redis. */
const asBytes = { typeMapping: { 36: Buffer, 61: Buffer } }

/** Refusals that pass by themselves: a restart, a failover, a script under way. */
const passing = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'NOREPLICAS',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
])

/** A refusal of the server: its code is the first word of what it said. */
export class RedisRefusal extends Error {
  override readonly name = 'RedisRefusal'
  readonly word: string

  constructor(word: string) {
    super(`Redis answered ${word}`)
    this.word = word
  }
}

/** Sends one command; rejects with `Unheard` or a {@link RedisRefusal}. */
export type SendToRedis = (
  command: string,
  ...args: RedisWord[]
) => Promise<unknown>

export function sendingTo(client: RedisClient): SendToRedis {
  const send = rawSend(client)
  return async (command, ...args) => {
    try {
      return await send(command, args)
    } catch (error) {
      const word = wordOf(error)
      if (word === undefined) {
        // Texts of clients may hold addresses and words of the command.
        const why = systemCode(error) || 'the connection was lost'
        throw new Unheard(`Redis could not be reached: ${why}`)
      }
      if (passing.has(word)) throw new Unheard(`Redis answered ${word}`)
      throw new RedisRefusal(word)
    }
  }
}

function rawSend(
  client: RedisClient,
): (command: string, args: RedisWord[]) => Promise<unknown> {
  if (typeof client === 'object' && client !== null) {
    if ('callBuffer' in client && typeof client.callBuffer === 'function') {
      return (command, args) => client.callBuffer(command, args)
    }
    if ('sendCommand' in client && typeof client.sendCommand === 'function') {
      return (command, args) => client.sendCommand([command, ...args], asBytes)
    }
  }
  return invalidOption(
    'redisCheckpoint: client must be a connected client of ioredis, iovalkey or redis',
  )
}

/** The code that a server's refusal begins with; undefined: it is none. */
function wordOf(error: unknown): string | undefined {
  const text = messageOf(error)
  // What a script ran into is said behind its own code.
  if (text.includes('WRONGTYPE')) return 'WRONGTYPE'
  return /^([A-Z][A-Z_]*)(?= )/.exec(text)?.[1]
}

/** What a refusal is to an upload; anything else is thrown as it is. */
export function asLogFailure(name: string, error: unknown): unknown {
  if (!(error instanceof RedisRefusal)) return error
  const { word } = error
  if (word === 'WRONGTYPE') {
    return new UploadError(
      'PAWL_NOT_A_CHECKPOINT',
      `${name}: there is something else under its key; give the log another name, or another prefix`,
    )
  }
  const advice: Record<string, string> = {
    NOAUTH: '; the client has to log in',
    NOPERM: '; this user may not run the commands of the log (EVAL, INFO)',
    OOM: '; its memory is full',
    MISCONF: '; it cannot write to its disk',
  }
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name}: Redis answered ${word}${advice[word] ?? ''}`,
  )
}

/** A reply of bytes; numbers as their text. */
export function bytesOf(reply: unknown): Buffer {
  if (Buffer.isBuffer(reply)) return reply
  if (typeof reply === 'string' || typeof reply === 'number') {
    return Buffer.from(String(reply))
  }
  return Buffer.alloc(0)
}

export function textOf(reply: unknown): string {
  return bytesOf(reply).toString()
}

/** The members of a reply that is a list. */
export function listOf(reply: unknown): unknown[] {
  return Array.isArray(reply) ? reply : [reply]
}
