/**
 * What one failed attempt of a store looks like to the uploader. `kind` is what
 * decisions are made on; `code` and the text are for people and callers.
 */
import {
  hasBrand,
  UploadError,
  type ErrorCode,
  type InstanceOf,
  type UploadErrorFields,
} from '../errors.js'

/**
 * What sort of failure it was; decisions are made on it.
 *
 * - `network`: no usable answer (refused, reset, cut, DNS, TLS)
 * - `timeout`: connect, stall or headers time-out of ours, or `RequestTimeout`
 * - `throttled`: 429, 503 and their kin: fewer at once for a while
 * - `server`: any other 5xx, 408
 * - `digest`: the bytes were damaged on the way (Content-MD5, checksum)
 * - `clock`: `RequestTimeTooSkewed`; the store has already corrected its offset
 * - `credentials`: expired or unknown; the store asks its provider again
 * - `denied`: wrong secret, no permission, account problems
 * - `unsupported`: 405, 501: this server has no such operation
 * - `no-bucket`, `no-upload`, `no-key`: 404 of each sort
 * - `invalid-part`: Complete named a part that the server does not have so
 * - `too-small`: a part other than the last is under the limit
 * - `exists`: overwriting was forbidden and the object exists
 * - `conflict`: 409 of another sort
 * - `response`: an answer that cannot be understood
 * - `request`: any other 4xx
 */
export type StoreErrorKind =
  | 'network'
  | 'timeout'
  | 'throttled'
  | 'server'
  | 'digest'
  | 'clock'
  | 'credentials'
  | 'denied'
  | 'unsupported'
  | 'no-bucket'
  | 'no-upload'
  | 'no-key'
  | 'invalid-part'
  | 'too-small'
  | 'exists'
  | 'conflict'
  | 'response'
  | 'request'

/** What a {@link StoreError} is made from. */
export interface StoreErrorFields extends UploadErrorFields {
  /** What decisions are made on. */
  kind: StoreErrorKind
  /** It failed on a reused connection before any answer: says nothing about the request. */
  staleConnection?: boolean | undefined
  /** This process has had no answer of the host, ever: its name may be wrong. */
  isStranger?: boolean | undefined
}

const codes: Record<StoreErrorKind, ErrorCode> = {
  network: 'PAWL_NETWORK',
  timeout: 'PAWL_TIMEOUT',
  throttled: 'PAWL_SERVER',
  server: 'PAWL_SERVER',
  digest: 'PAWL_VERIFY_FAILED',
  clock: 'PAWL_SERVER',
  credentials: 'PAWL_CREDENTIALS',
  denied: 'PAWL_ACCESS_DENIED',
  unsupported: 'PAWL_SERVER',
  'no-bucket': 'PAWL_NO_SUCH_BUCKET',
  'no-upload': 'PAWL_UPLOAD_GONE',
  'no-key': 'PAWL_SERVER',
  'invalid-part': 'PAWL_COMPLETE_REFUSED',
  'too-small': 'PAWL_COMPLETE_REFUSED',
  exists: 'PAWL_ALREADY_EXISTS',
  conflict: 'PAWL_SERVER',
  response: 'PAWL_RESPONSE',
  request: 'PAWL_SERVER',
}

/** What an error that came of this one says of the server's answer. */
export function answerOf(cause: StoreError): UploadErrorFields {
  const { status, serverCode, requestId, hostId, ec, retryAfter } = cause
  const { serverMessage, argument, recommendDoc } = cause
  return {
    cause,
    status,
    serverCode,
    requestId,
    hostId,
    ec,
    serverMessage,
    argument,
    recommendDoc,
    retryAfter,
  }
}

const brand = Symbol.for('pawl.StoreError')

/** One failed attempt of a store's call. */
export class StoreError extends UploadError {
  /** @internal */
  static override [Symbol.hasInstance]<Class, Value>(
    this: abstract new (...args: never[]) => Class,
    value: Value,
  ): value is InstanceOf<Class, Value> {
    return isStoreErrorItself(this)
      ? hasBrand(value, brand)
      : Function.prototype[Symbol.hasInstance].call(this, value)
  }

  /** @internal */
  get [brand](): true {
    return true
  }

  /** The class's name. */
  override readonly name = 'StoreError'
  /** What decisions are made on; `code` follows from it. */
  readonly kind: StoreErrorKind
  /** It failed on a reused connection before any answer: says nothing about the request. */
  readonly staleConnection: boolean
  /** This process has had no answer of the host, ever: its name may be wrong. */
  readonly isStranger: boolean

  /** For stores of your own: `code` follows from `kind`. */
  constructor(
    message: string,
    {
      kind,
      staleConnection = false,
      isStranger = false,
      ...fields
    }: StoreErrorFields,
  ) {
    super(codes[kind], message, fields)
    this.kind = kind
    this.staleConnection = staleConnection
    this.isStranger = isStranger
  }
}

/** Not in the class, as in `UploadError`'s: its name would be another when bundled. */
function isStoreErrorItself(found: unknown): boolean {
  return Object.is(found, StoreError)
}
