/**
 * Which failures are worth another attempt at all, and how long to wait before it;
 * how many there may be is `patience.ts`. Nothing here waits.
 */
import { codeOf } from './cause.js'
import { parseDate } from './clock.js'
import type { StoreError } from './store-error.js'

export interface RetryDecision {
  retry: boolean
  /** ms to wait before the next attempt. */
  delay: number
  /** False for a failure that says nothing about the request. */
  countsAttempt: boolean
}

/** ms; no server means more by it, and a timer of Node's could not wait for it. */
const longestWish = 24 * 60 * 60_000

/** Full jitter: anything up to the bound, so that clients do not meet again. */
export function retryDelay(
  attempt: number,
  random: () => number,
  { baseDelay = 200, maxDelay = 20_000 } = {},
): number {
  return random() * Math.min(maxDelay, baseDelay * 2 ** attempt)
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
    // After the first failure the store has done what it can about these.
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
 * (ms since 1970); a day at most. Undefined for anything else.
 */
export function parseRetryAfter(
  value: string | undefined,
  now: number,
): number | undefined {
  const text = value?.trim() ?? ''
  if (/^[0-9]+$/.test(text)) return Math.min(Number(text) * 1000, longestWish)
  const time = parseDate(text)
  return time === undefined
    ? undefined
    : Math.min(Math.max(0, time - now), longestWish)
}
