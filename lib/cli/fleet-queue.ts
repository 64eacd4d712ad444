/**
 * The queue of a fleet, as the command reaches it: by a URL that may have a password,
 * of which nothing is told but host and port.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Queue } from 'bullmq'
import { UploadError } from '../index.js'
import { isError, systemCode } from '../realm.js'
import { Deferred } from '../signals.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'

/** ms that a queue has to answer. */
const answersWithin = 10_000
/** ms in which work is given back, of which a queue that is away hears nothing. */
const closesWithin = 2000

/**
 * Host and port of a queue's URL. Throws `PAWL_INVALID_OPTION` for what a client of
 * Redis would fail on in words of its own.
 */
export function queueHost(text: string): string {
  if (!/^rediss?:\/\//.test(text)) {
    misuse(
      '--queue: expected redis://host:port/db; a queue in PostgreSQL is used by a program, see docs/fleet.md',
    )
  }
  if (!URL.canParse(text)) misuse(unreadable)
  const { host, pathname, username, password } = new URL(text)
  if (!/^\/?$|^\/\d+$/.test(pathname)) {
    misuse('--queue: behind the host a database has its number, as in /0')
  }
  try {
    decodeURIComponent(username + password)
  } catch {
    misuse(unreadable)
  }
  return host === '' ? 'localhost' : host
}

/** Throws `PAWL_INVALID_OPTION` for a name that BullMQ has no code for. */
export function mustBeQueueName(name: string): void {
  if (name !== '' && !name.includes(':')) return
  misuse('--queue-name: expected a name without a colon')
}

// What is wrong with it is not quoted: it may be the password.
const unreadable =
  '--queue: not the URL of a queue, such as redis://:password@host:6379/0; what has a meaning in URLs is written in percent (%40 for @)'

/** Resolves when it answers; rejects when it refuses, or does not within a while. */
export async function untilReached(queue: Queue, host: string): Promise<void> {
  let failure: Error | undefined
  const refused = new Deferred<never>()
  const onError = (error: Error): void => {
    failure ??= error
    if (isRefusal(error)) refused.reject(refusal(host, error))
  }
  queue.on('error', onError)
  const late = new Deferred<never>()
  const timer = setTimeout(() => {
    late.reject(
      new UploadError('PAWL_NETWORK', `--queue: ${host} does not answer`, {
        cause: failure,
        transient: true,
      }),
    )
  }, answersWithin)
  // Of a database that is not there the answer has come before that of any later call.
  const reached = queue.waitUntilReady().then(() => queue.isPaused())
  try {
    await Promise.race([refused.promise, late.promise, reached])
    if (failure !== undefined && isRefusal(failure)) {
      throw refusal(host, failure)
    }
  } finally {
    clearTimeout(timer)
    reached.catch(() => undefined)
  }
}

/** What Redis has answered, as its clients call it. */
function isReply({ name }: Error): boolean {
  return name === 'ReplyError'
}

/** An answer that stays: none of a server that is still loading its data. */
function isRefusal(error: Error): boolean {
  return isReply(error) && !/^(?:LOADING|MASTERDOWN|BUSY)\b/.test(error.message)
}

/** What a queue has refused in words of its own; all else stays as it is. */
export function queueFailure(host: string, error: unknown): unknown {
  return isError(error) && isReply(error) ? refusal(host, error) : error
}

function refusal(host: string, error: Error): UploadError {
  const code = /^(?:NOAUTH|WRONGPASS)\b/.test(error.message)
    ? 'PAWL_CREDENTIALS'
    : /^NOPERM\b/.test(error.message)
      ? 'PAWL_ACCESS_DENIED'
      : 'PAWL_SERVER'
  const why = saidBy(error)
  return new UploadError(code, `--queue: ${host} has refused: ${why}`)
}

/** Without a secret: Redis quotes none, and of a connection the code is enough. */
function saidBy(error: Error): string {
  const code = systemCode(error)
  return isReply(error) || code === ''
    ? plainText(error.message.slice(0, 200))
    : code
}

/** What of a client of Redis is used. */
export interface QueueConnection {
  /** `error` with what was wrong, `close`, and `ready` when it answers. */
  on(event: string, listener: (error: Error) => void): unknown
}

/** Tells once that the queue is away, and once that it is back. */
export class QueueWatch {
  readonly #host: string
  readonly #log: Output
  #isAway = false
  #isOver = false
  /** Resolves when the queue is away. */
  #away = new Deferred<void>()

  constructor(host: string, log: Output) {
    this.#host = host
    this.#log = log
  }

  /** Hears of the connection, which is tried again by itself. */
  follow(client: QueueConnection): void {
    let why = ''
    client.on('error', (error: Error) => {
      why = saidBy(error)
    })
    client.on('close', () => this.away(why))
    client.on('ready', () => {
      why = ''
      this.back()
    })
  }

  /** `why`: in a few words; may be empty. */
  away(why: string): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#away.resolve()
    const reason = why === '' ? '' : ` (${why})`
    this.#tell(
      `cannot be reached${reason}: no slice is taken until it is back; it is tried again`,
    )
  }

  /** It answers, and does not do what a worker needs. */
  failed(error: Error): void {
    if (this.#isAway || !isReply(error)) return
    this.#isAway = true
    this.#tell(`fails: ${saidBy(error)}; it is tried again`)
  }

  back(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#away = new Deferred()
    this.#tell('is back')
  }

  /**
   * Its connections are closed from now on. Resolves as `closing` does; where the queue
   * is away, for which that would wait as long as it is, after a while without it.
   */
  async end(closing: Promise<void>, within = closesWithin): Promise<void> {
    this.#isOver = true
    const away = this.#away.promise.then(() => delay(within))
    await Promise.race([closing, away])
  }

  #tell(what: string): void {
    if (this.#isOver) return
    this.#log.write(`pawl: the queue at ${this.#host} ${what}\n`)
  }
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
