/** The errors of an attempt that got no usable answer. */
import type { UploadErrorFields } from '../errors.js'
import { codeOf, reduceCause } from './cause.js'
import type { CallTimeouts } from './object-store.js'
import { StoreError, type StoreErrorKind } from './store-error.js'

/** What an attempt knows about itself when it fails. */
export interface Failing {
  /** Such as `UploadPart`. */
  operation: string
  host: string
  fields: UploadErrorFields
  timeouts: CallTimeouts
}

export interface Failure {
  kind: StoreErrorKind
  what?: string
  /** Kept as name, code and message only. */
  error?: unknown
  staleConnection?: boolean
}

/** One sentence, and the fields that say which request it was. */
export function failureOf(
  { operation, host, fields }: Failing,
  { kind, what, error, staleConnection }: Failure,
): StoreError {
  const cause = error === undefined ? undefined : reduceCause(error)
  const text = what ?? codeOf(error) ?? cause?.message ?? 'failed'
  return new StoreError(`${operation} at ${host}: ${text}.`, {
    ...fields,
    kind,
    cause,
    staleConnection,
  })
}

/** A request that undici refuses to send will be refused again. */
export function kindOf(error: unknown): StoreErrorKind {
  return refusedByClient.has(codeOf(error) ?? '') ? 'request' : 'network'
}

const refusedByClient = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

const phases: Record<keyof CallTimeouts, string> = {
  connect: 'no connection',
  stall: 'not one byte of the body moved',
  headers: 'the body was sent but no complete answer came',
}

export function timeoutError(
  failing: Failing,
  phase: keyof CallTimeouts,
): StoreError {
  const ms = failing.timeouts[phase]
  return failureOf(failing, {
    kind: 'timeout',
    what: `${phases[phase]} within ${ms} ms`,
  })
}
