/**
 * Every error that leaves this library is an {@link UploadError} with a stable
 * `code`. Callers compare codes, never texts. A text says what failed, on what,
 * what was found against what was expected, and what to do next. Neither texts
 * nor properties ever hold a secret, a body or a query string; of a server's
 * words only its `Message`, cut and cleaned. `cause` is kept only where the cause
 * was made on this machine (file system, socket).
 */

import { inspect } from 'node:util'
import type { UploadResult } from './upload-result.js'

/** A stable name for what went wrong. */
export type ErrorCode =
  // The caller's arguments and calls.
  | 'PAWL_INVALID_OPTION'
  | 'PAWL_INVALID_STATE'
  | 'PAWL_VERIFY_UNSUPPORTED'
  // How an upload ended without its object.
  | 'PAWL_SUSPENDED'
  | 'PAWL_DISCARDED'
  | 'PAWL_BEFORE_COMPLETE'
  // The source.
  | 'PAWL_SOURCE_CHANGED'
  | 'PAWL_SOURCE_IO'
  | 'PAWL_SOURCE_ID_REQUIRED'
  | 'PAWL_SIZE_MISMATCH'
  | 'PAWL_TOO_MANY_PARTS'
  // The upload on the server.
  | 'PAWL_UPLOAD_GONE'
  | 'PAWL_UPLOAD_CONTENDED'
  | 'PAWL_COMPLETE_REFUSED'
  | 'PAWL_COMPLETE_UNKNOWN'
  | 'PAWL_CALLBACK_FAILED'
  | 'PAWL_VERIFY_FAILED'
  // The checkpoint.
  | 'PAWL_NOT_A_CHECKPOINT'
  | 'PAWL_CHECKPOINT_MISMATCH'
  | 'PAWL_CHECKPOINT_VERSION'
  | 'PAWL_CHECKPOINT_LOST'
  | 'PAWL_CHECKPOINT_LOCKED'
  | 'PAWL_CHECKPOINT_UNSAFE'
  | 'PAWL_CHECKPOINT_IO'
  | 'PAWL_LOCK_UNSUPPORTED'
  // Requests.
  | 'PAWL_CREDENTIALS'
  | 'PAWL_ACCESS_DENIED'
  | 'PAWL_NO_SUCH_BUCKET'
  | 'PAWL_ALREADY_EXISTS'
  | 'PAWL_SERVER'
  | 'PAWL_NETWORK'
  | 'PAWL_TIMEOUT'
  | 'PAWL_RESPONSE'

/** A code that is missing does not compile. */
const allCodes: Record<ErrorCode, true> = {
  PAWL_INVALID_OPTION: true,
  PAWL_INVALID_STATE: true,
  PAWL_VERIFY_UNSUPPORTED: true,
  PAWL_SUSPENDED: true,
  PAWL_DISCARDED: true,
  PAWL_BEFORE_COMPLETE: true,
  PAWL_SOURCE_CHANGED: true,
  PAWL_SOURCE_IO: true,
  PAWL_SOURCE_ID_REQUIRED: true,
  PAWL_SIZE_MISMATCH: true,
  PAWL_TOO_MANY_PARTS: true,
  PAWL_UPLOAD_GONE: true,
  PAWL_UPLOAD_CONTENDED: true,
  PAWL_COMPLETE_REFUSED: true,
  PAWL_COMPLETE_UNKNOWN: true,
  PAWL_CALLBACK_FAILED: true,
  PAWL_VERIFY_FAILED: true,
  PAWL_NOT_A_CHECKPOINT: true,
  PAWL_CHECKPOINT_MISMATCH: true,
  PAWL_CHECKPOINT_VERSION: true,
  PAWL_CHECKPOINT_LOST: true,
  PAWL_CHECKPOINT_LOCKED: true,
  PAWL_CHECKPOINT_UNSAFE: true,
  PAWL_CHECKPOINT_IO: true,
  PAWL_LOCK_UNSUPPORTED: true,
  PAWL_CREDENTIALS: true,
  PAWL_ACCESS_DENIED: true,
  PAWL_NO_SUCH_BUCKET: true,
  PAWL_ALREADY_EXISTS: true,
  PAWL_SERVER: true,
  PAWL_NETWORK: true,
  PAWL_TIMEOUT: true,
  PAWL_RESPONSE: true,
}

/** Every code that an {@link UploadError} can have. */
export const errorCodes: readonly ErrorCode[] = Object.freeze(
  Object.keys(allCodes).filter(isCode),
)

function isCode(name: string): name is ErrorCode {
  return Object.hasOwn(allCodes, name)
}

/** What is known about a failure besides its text; all of it optional. */
export interface UploadErrorFields {
  /** What it came from; only what was made on this machine. */
  cause?: unknown
  /** The object's key. */
  key?: string | undefined
  /** The upload's ID on the server. */
  uploadId?: string | undefined
  /** The part that it was about, from 1. */
  partNumber?: number | undefined
  /** Bytes from the start of the object. */
  offset?: number | undefined
  /** Requests made before giving up. */
  attempts?: number | undefined
  /** ms from the first of them to giving up. */
  elapsed?: number | undefined
  /**
   * What is stored is kept: the same call, made again once the cause is gone,
   * goes on from there.
   */
  resumable?: boolean | undefined
  /** The same call may well succeed with nothing changed. */
  transient?: boolean | undefined
  /** ms that who refused asks to wait: a server, or who holds a log. */
  retryAfter?: number | undefined
  /** HTTP status. Absent when no answer came. */
  status?: number | undefined
  /** The server's own error code, such as `NoSuchBucket`. */
  serverCode?: string | undefined
  /** The server's name for the request; its support asks for it. */
  requestId?: string | undefined
  /** The server's name for the host that answered. */
  hostId?: string | undefined
  /** OSS's fine-grained cause, for its support; not to be programmed against. */
  ec?: string | undefined
  /**
   * The server's own words, as one line of at most 512 bytes without credentials.
   * Absent for refusals of a signature or a token.
   */
  serverMessage?: string | undefined
  /** The argument, header or condition that the server found fault with. */
  argument?: string | undefined
  /** Where the service explains the failure. */
  recommendDoc?: string | undefined
  /** The object is complete all the same (a `discard()` that came too late). */
  completed?: boolean | undefined
}

const brand = Symbol.for('pawl.UploadError')

/** The base of every error; `code` says which. Fields are absent when unknown. */
export class UploadError extends Error {
  /**
   * Of whichever copy of the package. What it tells of a value's type is a union
   * in which `code` says what else the error has.
   *
   * @hidden
   */
  static override [Symbol.hasInstance]<Class, Value>(
    this: abstract new (...args: never[]) => Class,
    value: Value,
  ): value is InstanceOf<Class, Value> {
    return isUploadErrorItself(this)
      ? hasBrand(value, brand)
      : Function.prototype[Symbol.hasInstance].call(this, value)
  }

  /** @internal */
  get [brand](): true {
    return true
  }

  /** The class's name. */
  override readonly name: string = 'UploadError'
  /** What went wrong; compare this, never texts. */
  readonly code: ErrorCode
  /** The object's key. */
  declare readonly key?: string
  /** The upload's ID on the server. */
  declare readonly uploadId?: string
  /** The part that it was about, from 1. */
  declare readonly partNumber?: number
  /** Bytes from the start of the object. */
  declare readonly offset?: number
  /** Requests made before giving up. */
  declare readonly attempts?: number
  /** ms from the first of them to giving up. */
  declare readonly elapsed?: number
  /** What is stored is kept: the same call, made again, goes on from there. */
  readonly resumable: boolean
  /** The same call may well succeed with nothing changed: worth repeating. */
  readonly transient: boolean
  /** ms that who refused asks to wait: a server, or who holds a log. */
  declare readonly retryAfter?: number
  /** HTTP status; absent when no answer came. */
  declare readonly status?: number
  /** The server's own error code, such as `NoSuchBucket`. */
  declare readonly serverCode?: string
  /** The server's name for the request; its support asks for it. */
  declare readonly requestId?: string
  /** The server's name for the host that answered. */
  declare readonly hostId?: string
  /** OSS's fine-grained cause, for its support; not to be programmed against. */
  declare readonly ec?: string
  /** The server's own words, as one line without credentials. */
  declare readonly serverMessage?: string
  /** The argument, header or condition that the server found fault with. */
  declare readonly argument?: string
  /** Where the service explains the failure. */
  declare readonly recommendDoc?: string
  /** The object is complete all the same. */
  declare readonly completed?: boolean

  /** For stores and checkpoints of your own. */
  constructor(
    code: ErrorCode,
    message: string,
    {
      cause,
      resumable = false,
      transient = false,
      ...fields
    }: UploadErrorFields = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.resumable = resumable
    this.transient = transient
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) {
        Object.defineProperty(this, name, {
          value,
          enumerable: true,
          writable: true,
          configurable: true,
        })
      }
    }
  }
}

/**
 * Whether it is of a class that carries this brand, in whichever copy of the
 * package: a store or a checkpoint of a caller's may come with one of its own.
 */
export function hasBrand(value: unknown, brand: symbol): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, brand) === true
  )
}

/**
 * Not in the class: one that names itself is called `_UploadError` by the bundler,
 * and whoever prints an error would read that name in its stack.
 */
function isUploadErrorItself(found: unknown): boolean {
  return Object.is(found, UploadError)
}

/**
 * The object is complete, but the callback that OSS was to make failed
 * (`PAWL_CALLBACK_FAILED`). `result` is what the upload would have resolved to.
 * It is not repeated: the object exists, and the log is gone.
 */
export class CallbackError extends UploadError {
  /** The class's name. */
  override readonly name = 'CallbackError'
  /** What went wrong. */
  declare readonly code: 'PAWL_CALLBACK_FAILED'
  /** What the upload would have resolved to. */
  readonly result: UploadResult

  /** Made by uploads with `object.callback`. */
  constructor(
    result: UploadResult,
    why: string,
    fields: UploadErrorFields = {},
  ) {
    super(
      'PAWL_CALLBACK_FAILED',
      `the object is complete, but its callback failed: ${why}`,
      {
        ...fields,
        key: result.key,
        uploadId: result.uploadId,
        completed: true,
      },
    )
    this.result = result
  }
}

/** An {@link UploadError} by its `code`, which says what else it has. */
export type AnyUploadError =
  | CallbackError
  | (UploadError & {
      /** What went wrong. */
      readonly code: Exclude<ErrorCode, 'PAWL_CALLBACK_FAILED'>
    })

/**
 * What `instanceof Class` makes of the type of a value. One that may be an
 * `UploadError` by its type stays what it is: so nothing of it is left where the
 * answer was no.
 */
export type InstanceOf<Class, Value> = UploadError extends Class
  ? Value extends UploadError
    ? Value
    : Value & AnyUploadError
  : Value & Class

/** Throws `PAWL_INVALID_OPTION`; for checks in expressions. */
export function invalidOption(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}

/** A value that is no right one, whatever it is, for the text of an error. */
export function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : inspect(value, { depth: 0, breakLength: Infinity })
}
