/**
 * How long the calls of one upload are tried again: by the time in which nothing
 * is stored, so that the restart of a router or of a store is waited out.
 *
 * - Patience begins when a failure becomes known, and ends with the next success
 *   of a call that stores something, or of the last call that was failing. Each
 *   request has four attempts all the same, as one that is never answered may last
 *   as long as the patience.
 * - While others succeed, a request is given up when it has failed for as long as
 *   the patience and eight times: one part that always fails must not be sent for
 *   ever. Throttling is excepted: it says nothing about the part.
 * - What a server asks to wait (`Retry-After`) is waited for, but never behind the
 *   end of the patience: the call is made once more there, and a server that asks
 *   for time then is asked no more.
 * - A host that has never answered may be misspelt: ten seconds.
 * - Damage and answers that cannot be understood are no outage; they have few
 *   attempts, whatever the time.
 * - What passes while the machine sleeps, the loop is blocked, or an attempt moves
 *   for longer than the patience says nothing of the store: it begins anew.
 *
 * Nothing here waits. Times are ms by a clock that never goes back.
 */
import type { Environment } from '../environment.js'
import { codeOf } from './cause.js'
import { isWorthRetrying, retryDelay, type RetryDecision } from './retry.js'
import type { StoreError } from './store-error.js'

export interface PatienceLimits {
  /** ms in which nothing is stored. */
  readonly patience: number
  /** ms. */
  readonly baseDelay: number
  /** ms. */
  readonly maxDelay: number
  /** Of one request; absent: time alone decides. */
  readonly attempts?: number | undefined
}

/** Of each request, whatever the clock says. */
const leastAttempts = 4
/** Of one that fails while others succeed. */
const attemptsAmongOthers = 8
/** ms for what may be a typing error. */
const patienceWithStrangers = 10_000
/** ms by which a wait must be exceeded to tell of sleep, or of a blocked loop. */
const sleep = 5000

/** Shared by the calls of one upload. */
export class Patience {
  readonly #limits: PatienceLimits
  readonly #environment: Pick<Environment, 'monotonic' | 'random'>
  readonly #failing = new Set<Tries>()
  #failingSince: number | undefined

  constructor(
    limits: PatienceLimits,
    environment: Pick<Environment, 'monotonic' | 'random'>,
  ) {
    this.#limits = limits
    this.#environment = environment
  }

  /** When the first failure since the last success became known. */
  get failingSince(): number | undefined {
    return this.#failingSince
  }

  /** ms in which calls have failed and nothing was stored. */
  get failingFor(): number {
    const since = this.#failingSince
    return since === undefined ? 0 : this.#environment.monotonic() - since
  }

  /** One call with all its attempts; `attempts` overrides the limit. */
  begin({ attempts }: { attempts?: number | undefined } = {}): Tries {
    return new Tries(
      attempts === undefined ? this.#limits : { ...this.#limits, attempts },
      this.#environment,
      this,
    )
  }

  /** A call that stores something has succeeded: Initiate, part, PutObject, Complete. */
  succeed(): void {
    this.#failingSince = undefined
  }

  /**
   * A wait of `planned` ms took `took`: after sleep, or a loop that was blocked,
   * the time before it says nothing.
   */
  waited(planned: number, took: number): void {
    if (took - planned < sleep || this.#failingSince === undefined) return
    const now = this.#environment.monotonic()
    this.#failingSince = now
    for (const tries of this.#failing) tries.beginAnew(now)
  }

  /**
   * An attempt that took `took` ms has failed; without a byte moving it may take
   * `silence`. One that was cut off after longer than the patience was moving, and
   * one that was timed out after longer than that was, or slept. The call's own
   * time goes on: a part that fails after an hour each time is given up as well.
   */
  attempted({ kind }: StoreError, took: number, silence: number): void {
    if (this.#failingSince === undefined) return
    const still = kind === 'network' ? 0 : silence
    if (took - Math.max(this.#limits.patience, still) < sleep) return
    this.#failingSince = this.#environment.monotonic()
  }

  /** For a {@link Tries}: a failure has become known. */
  fail(tries: Tries): number {
    this.#failing.add(tries)
    this.#failingSince ??= this.#environment.monotonic()
    return this.#failingSince
  }

  /** For a {@link Tries}: its failures were made good; so was what had been given up. */
  makeGood(tries: Tries): void {
    this.#failing.delete(tries)
    for (const other of this.#failing) {
      if (other.isOver) this.#failing.delete(other)
    }
    if (this.#failing.size === 0) this.#failingSince = undefined
  }
}

/** The attempts at one call. */
export class Tries {
  readonly #limits: PatienceLimits
  readonly #environment: Pick<Environment, 'monotonic' | 'random'>
  readonly #patience: Patience
  #failures = 0
  #isOver = false
  #since: number | undefined
  #previous: StoreError | undefined

  constructor(
    limits: PatienceLimits,
    environment: Pick<Environment, 'monotonic' | 'random'>,
    patience: Patience,
  ) {
    this.#limits = limits
    this.#environment = environment
    this.#patience = patience
  }

  /** Attempts that have failed and count. */
  get failures(): number {
    return this.#failures
  }

  /** Whether the call has ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The store has answered as it should. */
  succeed(): void {
    this.#patience.makeGood(this)
  }

  /** The call has ended, however; idempotent. */
  end(): void {
    this.#isOver = true
  }

  /** For a {@link Patience}: the machine slept. */
  beginAnew(now: number): void {
    this.#since = now
  }

  /**
   * The last failure no longer counts: the next request asks in another way.
   */
  forget(): void {
    this.#previous = undefined
  }

  /** Whether the call is tried again after this failure, and when. */
  fail(error: StoreError): RetryDecision {
    const previous = this.#previous
    this.#previous = error
    const isStale = error.staleConnection && previous?.staleConnection !== true
    if (isStale && isWorthRetrying(error, previous)) {
      return { retry: true, delay: 0, countsAttempt: false }
    }
    this.#failures += 1
    const final = { retry: false, delay: 0, countsAttempt: true }
    if (!isWorthRetrying(error, previous)) return final
    const left = this.#patienceWith(error)
    if (this.#isFinal(error, left)) return final
    return { retry: true, delay: this.#delay(error, left), countsAttempt: true }
  }

  /** ms that are left of it. */
  #patienceWith(error: StoreError): number {
    const { patience } = this.#limits
    const now = this.#environment.monotonic()
    const since = this.#patience.fail(this)
    this.#since ??= now
    const bound = mayBeMisspelt(error)
      ? Math.min(patience, patienceWithStrangers)
      : patience
    return bound - (now - since)
  }

  #isFinal({ kind, retryAfter = 0 }: StoreError, left: number): boolean {
    const { patience, attempts } = this.#limits
    if (attempts !== undefined && this.#failures >= attempts) return true
    // Whoever answers so did not keep anybody waiting: four attempts are for silence.
    if (retryAfter > 0 && left <= 0) return true
    if (this.#failures < leastAttempts) return false
    if (kind === 'digest' || kind === 'response' || left <= 0) return true
    const now = this.#environment.monotonic()
    return (
      kind !== 'throttled' &&
      this.#failures >= attemptsAmongOthers &&
      now - (this.#since ?? now) >= patience
    )
  }

  #delay({ retryAfter = 0 }: StoreError, left: number): number {
    const { random } = this.#environment
    const jitter = retryDelay(this.#failures, random, this.#limits)
    // The last attempt is at the end of the patience, not somewhere behind it.
    return left > 0 ? Math.min(Math.max(jitter, retryAfter), left) : jitter
  }
}

/**
 * No answer of this host has ever come, and what came instead is what a wrong
 * name, port, scheme or proxy comes to.
 */
export function mayBeMisspelt({
  isStranger,
  cause,
  status,
}: StoreError): boolean {
  if (!isStranger) return false
  // A status without an answer is a proxy's.
  if (status !== undefined) return true
  const code = codeOf(cause) ?? ''
  return (
    code === 'ENOTFOUND' ||
    code === 'ECONNREFUSED' ||
    /^(EPROTO$|ERR_SSL_|ERR_TLS_|HPE_)/.test(code)
  )
}
