/**
 * Where the credentials of a store come from. Objects and environment variables
 * stay as they are; a provider's answer is kept until shortly before it expires,
 * and asked for anew when the server refused it. Requests that need it at the
 * same time, or fail with it at the same time, cause one question.
 */
import { isDate } from '../realm.js'
import { UploadError } from '../errors.js'
import { reduceToName } from './cause.js'
import { StoreError } from './store-error.js'

/** Of either service, under one name each. */
export interface Credentials {
  readonly id: string
  readonly secret: string
  readonly token?: string | undefined
  /** ms since 1970 */
  readonly expiration?: number | undefined
}

/** A provider's answer is asked for again this long before it expires. */
const margin = 2 * 60_000

export class CredentialSource {
  readonly #load: (() => Promise<Credentials>) | undefined
  readonly #now: () => number
  #current: Credentials | undefined
  #refused: Credentials | undefined
  #loading: Promise<Credentials> | undefined

  constructor(
    source: Credentials | (() => Promise<Credentials>),
    now: () => number,
  ) {
    this.#now = now
    if (typeof source === 'function') this.#load = source
    else this.#current = source
  }

  /** Those that can be used without asking for any. */
  get ready(): Credentials | undefined {
    const current = this.#current
    return current === undefined || this.#stale(current) ? undefined : current
  }

  /** Rejects with a StoreError of kind `credentials`. */
  get(): Promise<Credentials> {
    const { ready } = this
    if (ready !== undefined) return Promise.resolve(ready)
    const load = this.#load
    if (load === undefined) {
      const fields = { kind: 'credentials' } as const
      return Promise.reject(new StoreError('No credentials.', fields))
    }
    return (this.#loading ??= this.#asking(load))
  }

  /** An answer that is waited for no longer: the next `get` asks anew. */
  giveUp(asked: Promise<Credentials>): void {
    if (this.#loading === asked) this.#loading = undefined
  }

  /**
   * The server refused `used`: the next `get` asks the provider, unless its
   * answer has changed in the meantime.
   */
  invalidate(used: Credentials): void {
    if (this.#current === used) this.#refused = used
  }

  #asking(load: () => Promise<Credentials>): Promise<Credentials> {
    const asked = this.#ask(load).finally(() => this.giveUp(asked))
    return asked
  }

  #stale(credentials: Credentials): boolean {
    if (this.#load === undefined) return false
    if (credentials === this.#refused) return true
    const { expiration } = credentials
    return expiration !== undefined && expiration - margin <= this.#now()
  }

  async #ask(load: () => Promise<Credentials>): Promise<Credentials> {
    try {
      const fresh = { ...(await load()) }
      this.#current = fresh
      return fresh
    } catch (error) {
      const current = this.#current
      const usable =
        current !== undefined &&
        current !== this.#refused &&
        (current.expiration ?? 0) > this.#now()
      if (usable) return current
      // Made to be read, by whoever made it.
      if (error instanceof UploadError) {
        throw new StoreError(error.message, { kind: 'credentials' })
      }
      // The provider's own text may hold what it is there to protect.
      throw new StoreError('The credentials provider failed.', {
        kind: 'credentials',
        cause: reduceToName(error),
      })
    }
  }
}

/** Names of environment variables. */
export interface EnvironmentNames {
  id: string
  secret: string
  token: string
}

/** Throws `PAWL_CREDENTIALS` that names the variables which are missing. */
export function credentialsFromEnvironment(
  { id, secret, token }: EnvironmentNames,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Credentials {
  const missing = [id, secret].filter((name) => !env[name])
  if (missing.length > 0) {
    throw new UploadError(
      'PAWL_CREDENTIALS',
      `No credentials: set ${missing.join(' and ')} in the environment, or pass credentials.`,
    )
  }
  return checkCredentials({
    id: env[id],
    secret: env[secret],
    token: env[token] === '' ? undefined : env[token],
  })
}

/** What a caller or a provider gave, before it is believed. */
export interface GivenCredentials {
  id: unknown
  secret: unknown
  token?: unknown
  expiration?: unknown
}

/** Throws `PAWL_CREDENTIALS` for what cannot go into a header; never quotes it. */
export function checkCredentials(given: GivenCredentials): Credentials {
  return {
    id: printable(given.id, 'access key ID'),
    secret: printable(given.secret, 'access key secret'),
    token:
      given.token === undefined
        ? undefined
        : printable(given.token, 'session token'),
    expiration: instant(given.expiration),
  }
}

function printable(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value
  throw new UploadError(
    'PAWL_CREDENTIALS',
    `Credentials: the ${name} must be a string of printable ASCII without spaces.`,
  )
}

function instant(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const time =
    isDate(value) || typeof value === 'string'
      ? new Date(value).getTime()
      : value
  if (typeof time === 'number' && Number.isFinite(time)) return time
  throw new UploadError(
    'PAWL_CREDENTIALS',
    'Credentials: expiration must be a Date, an ISO 8601 string or ms since 1970.',
  )
}
