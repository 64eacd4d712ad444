/**
 * What a value is, whichever realm made it. Test runners such as Jest give their
 * code a context with an Error, an ArrayBuffer and an AbortSignal of its own, and
 * two copies of this package may be loaded: `instanceof` says no to both.
 */
import {
  isDate,
  isNativeError,
  isSharedArrayBuffer,
  isUint8Array,
} from 'node:util/types'

export { isDate, isSharedArrayBuffer, isUint8Array }

export function isError(value: unknown): value is Error {
  return isNativeError(value) || value instanceof Error || isDomException(value)
}

/** What `abort()` without a reason gives; no native error before Node 24. */
function isDomException(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object DOMException]'
}

/** The system's own code of a failed call, such as `ENOENT`; empty if none. */
export function systemCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : ''
}

/** Why a call failed: the system's own code, or what was thrown as text. */
export function reasonOf(error: unknown): string {
  return systemCode(error) || String(error)
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(String(thrown))
}

/** What an error says of itself; anything else that was thrown, as text. */
export function messageOf(thrown: unknown): string {
  return isError(thrown) ? thrown.message : String(thrown)
}

/** A URL of any realm, or of a polyfill. */
export function isUrl(value: unknown): value is URL {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'href') === 'string' &&
    typeof Reflect.get(value, 'protocol') === 'string'
  )
}

/** Whether it can be waited for as a signal of a caller's: Node's, a test's, a polyfill's. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'aborted') === 'boolean' &&
    typeof Reflect.get(value, 'addEventListener') === 'function' &&
    typeof Reflect.get(value, 'removeEventListener') === 'function'
  )
}

/** Whether the memory was transferred, to another thread for one. */
export function isDetached(bytes: ArrayBufferView | ArrayBufferLike): boolean {
  const memory = ArrayBuffer.isView(bytes) ? bytes.buffer : bytes
  if (memory.byteLength > 0) return false
  try {
    // Nothing else says it on Node 20.
    return new Uint8Array(memory).length > 0
  } catch {
    return true
  }
}

/** The same bytes, not a copy of them. */
export function bufferOn({
  buffer,
  byteOffset,
  byteLength,
}: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
