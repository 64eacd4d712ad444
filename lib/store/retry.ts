/**
 * Whether a failed attempt is tried again, and when. Nothing here waits: the
 * randomness and the budget come from the caller, so that each decision can be
 * tested.
 */
import { codeOf } from './cause.js'
import { parseDate } from './clock.js'
import type { StoreError } from './store-error.js'

export interface RetryState {
  /** Counted attempts so far, the failed one included: 1 after the first. */
  attempt: number
  /** Attempts allowed. */
  attempts: number
  /** ms; 200. */
  baseDelay?: number | undefined
  /** ms; 20,000. */
  maxDelay?: number | undefined
  /** The failure of the attempt before this one, of the same call. */
  previous?: StoreError | undefined
  /** Shared by the calls of one upload. */
  budget?: RetryBudget | undefined
  /** From 0, below 1. */
  random: () => number
}

export interface RetryDecision {
  retry: boolean
  /** ms to wait before the next attempt. */
  delay: number
  /** False for a failure that says nothing about the request. */
  countsAttempt: boolean
}

/** A server may ask for a pause, not for the end of the upload. */
export const maxRetryAfter = 5 * 60_000

/**
 * Retries that the calls of one upload have together: a server that fails for
 * good is not asked five times for each of thousands of parts. A retry takes
 * one, a success gives some back.
 */
export class RetryBudget {
  readonly #capacity: number
  #left: number

  constructor(capacity = 100) {
    this.#capacity = capacity
    this.#left = capacity
  }

  succeed(): void {
    this.#left = Math.min(this.#capacity, this.#left + 5)
  }

  /** False when nothing is left. */
  spend(): boolean {
    if (this.#left <= 0) return false
    this.#left -= 1
    return true
  }
}

/** Full jitter: anything up to the bound, so that clients do not meet again. */
export function retryDelay(
  attempt: number,
  random: () => number,
  { baseDelay = 200, maxDelay = 20_000 } = {},
): number {
  return random() * Math.min(maxDelay, baseDelay * 2 ** attempt)
}

export function decideRetry(
  error: StoreError,
  state: RetryState,
): RetryDecision {
  const no = { retry: false, delay: 0, countsAttempt: true }
  if (!isWorthRetrying(error, state.previous)) return no
  if (error.staleConnection && state.previous?.staleConnection !== true) {
    return { retry: true, delay: 0, countsAttempt: false }
  }
  if (state.attempt >= state.attempts) return no
  if (state.budget?.spend() === false) return no
  const { baseDelay = 200, maxDelay = 20_000 } = state
  const jitter = retryDelay(state.attempt, state.random, {
    baseDelay,
    maxDelay,
  })
  const asked = Math.min(error.retryAfter ?? 0, maxRetryAfter)
  return { retry: true, delay: Math.max(jitter, asked), countsAttempt: true }
}

/** Whether the same request may succeed. */
export function isWorthRetrying(
  error: StoreError,
  previous: StoreError | undefined,
): boolean {
  switch (error.kind) {
    case 'network':
      return !isCertificateProblem(error)
    case 'timeout':
    case 'throttled':
    case 'server':
    case 'digest':
      return true
    // What the store could do about these it has done after the first.
    case 'clock':
    case 'credentials':
    case 'response':
      return previous?.kind !== error.kind
    case 'conflict':
      return (
        error.serverCode === 'OperationAborted' ||
        error.serverCode === 'ConditionalRequestConflict'
      )
    case 'denied':
    case 'unsupported':
    case 'no-bucket':
    case 'no-upload':
    case 'no-key':
    case 'invalid-part':
    case 'too-small':
    case 'exists':
    case 'request':
      return false
    default:
      return error.kind satisfies never
  }
}

/** A certificate does not become valid by asking again. */
function isCertificateProblem(error: StoreError): boolean {
  return /CERT|UNABLE_TO_(VERIFY|GET_ISSUER)|SELF_SIGNED|ALTNAME/.test(
    codeOf(error.cause) ?? '',
  )
}

/**
 * ms to wait by a `Retry-After` header: seconds, or an HTTP date against `now`
 * (ms since 1970); five minutes at most. Undefined for anything else.
 */
export function parseRetryAfter(
  value: string | undefined,
  now: number,
): number | undefined {
  const text = value?.trim() ?? ''
  if (/^[0-9]+$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfter)
  const time = parseDate(text)
  return time === undefined
    ? undefined
    : Math.min(Math.max(0, time - now), maxRetryAfter)
}
