/** The errors of an attempt that got no usable answer. */
import type { UploadErrorFields } from '../errors.js'
import { codeOf, reduceCause } from './cause.js'
import type { CallTimeouts } from './object-store.js'
import { kindOfStatus } from './server-error.js'
import { StoreError, type StoreErrorKind } from './store-error.js'

/** What an attempt knows about itself when it fails. */
export interface Failing {
  /** Such as `UploadPart`. */
  operation: string
  host: string
  fields: UploadErrorFields
  timeouts: CallTimeouts
  /** This process has had no answer of the host. */
  isStranger: boolean
}

export interface Failure {
  kind: StoreErrorKind
  what?: string
  /** Kept as name, code and message only. */
  error?: unknown
  status?: number | undefined
  staleConnection?: boolean
}

/** One sentence, and the fields that say which request it was. */
export function failureOf(
  { operation, host, fields, isStranger }: Failing,
  { kind, what, error, status, staleConnection }: Failure,
): StoreError {
  const cause = error === undefined ? undefined : reduceCause(error)
  const text = what ?? codeOf(error) ?? cause?.message ?? 'failed'
  return new StoreError(`${operation} at ${host}: ${text}.`, {
    ...fields,
    kind,
    cause,
    status,
    staleConnection,
    isStranger,
  })
}

/** What the HTTP client, or a dispatcher of the caller's, made of a request. */
export function failureOfClient(
  failing: Failing,
  error: unknown,
  { staleConnection }: { staleConnection: boolean },
): StoreError {
  const refusal = refusalOf(error)
  return refusal === undefined
    ? failureOf(failing, { kind: kindOf(error), error, staleConnection })
    : failureOf(failing, { ...refusal, error })
}

function kindOf(error: unknown): StoreErrorKind {
  const code = codeOf(error) ?? ''
  // A request that undici refuses to send will be refused again.
  if (refusedByClient.has(code)) return 'request'
  return timeOuts.has(code) ? 'timeout' : 'network'
}

const refusedByClient = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

/** Limits of a dispatcher of the caller's. */
const timeOuts = new Set([
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
])

/**
 * A status that comes as an error: of a proxy that answers CONNECT with it, or
 * of a request that undici's RetryAgent has given up.
 */
function refusalOf(
  error: unknown,
): Pick<Failure, 'kind' | 'what' | 'status'> | undefined {
  const { message } = reduceCause(error)
  const ofProxy =
    /^Proxy response \((\d{3})\) !== 200/.exec(message)?.[1] ??
    /^Proxy Authentication Required \((407)\)/.exec(message)?.[1]
  if (ofProxy !== undefined) {
    const status = Number(ofProxy)
    const isFinal = status < 500 && status !== 408 && status !== 429
    const why =
      status === 407
        ? 'the proxy wants credentials, or others (407)'
        : `the proxy refused the connection (${status})`
    return { kind: isFinal ? 'request' : 'network', what: why, status }
  }
  if (codeOf(error) !== 'UND_ERR_REQ_RETRY') return undefined
  const status: unknown = Reflect.get(Object(error), 'statusCode')
  if (typeof status !== 'number') return undefined
  return { kind: kindOfStatus(status), what: `${status}`, status }
}

const phases: Record<keyof CallTimeouts, string> = {
  connect: 'no connection',
  stall: 'not one byte of the body moved',
  headers: 'the body was sent but no complete answer came',
}

/** `limit`: ms that the phase was given. */
export function timeoutError(
  failing: Failing,
  phase: keyof CallTimeouts,
  limit: number,
): StoreError {
  return failureOf(failing, {
    kind: 'timeout',
    what: `${phases[phase]} within ${Math.round(limit)} ms`,
  })
}
