/** Values that a server sent, checked before they are kept or sent back. */
import { unquoted } from './etag.js'
import { StoreError } from './store-error.js'

/** An upload ID goes into URLs and logs: short, and nothing that is not text. */
export function readUploadId(text: string | undefined): string {
  const ok =
    text !== undefined &&
    text !== '' &&
    Buffer.byteLength(text) <= 1024 &&
    !/\p{Cc}|\p{Cs}/u.test(text)
  return ok ? text : refuse('upload ID')
}

/**
 * As the server spelled it, quotes included. The `W/` of a weak one is a proxy's,
 * which changed the answer's encoding: Complete does not know it.
 */
export function readEtag(text: string | undefined): string {
  const strong = text?.replace(/^W\/(?=")/, '')
  const ok = strong !== undefined && /^[\x20-\x7e]{1,128}$/.test(strong)
  return ok ? strong : refuse('ETag')
}

/** Without quotes; empty when the server did not say. */
export function unquotedEtag(text: string | undefined): string {
  if (text === undefined || text === '') return ''
  return unquoted(readEtag(text))
}

/**
 * Whether headers say that an ETag is no MD5 of the bytes: any encryption but
 * the one with keys that the service keeps for itself, and a key of the caller's
 * own (S3 API, "Object": ETag). OSS promises an MD5 for none (OSS documentation,
 * "PutObject"); where its own keys leave it one, comparing shows it.
 */
export function hasOpaqueEtag(
  headers: Readonly<Record<string, string>>,
  prefix: 'x-oss-' | 'x-amz-',
): boolean {
  const encryption = headers[`${prefix}server-side-encryption`]
  return (
    (encryption !== undefined && encryption.toUpperCase() !== 'AES256') ||
    headers[`${prefix}server-side-encryption-customer-algorithm`] !== undefined
  )
}

/** An unsigned 64-bit number in decimal, without leading zeros. */
export function readCrc(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^[0-9]{1,20}$/.test(text)) return refuse('CRC-64')
  const value = BigInt(text)
  return value < 1n << 64n ? value.toString() : refuse('CRC-64')
}

/** A whole number that fits a JavaScript number. */
export function readNumber(text: string | undefined, what: string): number {
  const value = Number(text)
  const ok =
    text !== undefined &&
    /^[0-9]{1,16}$/.test(text) &&
    Number.isSafeInteger(value)
  return ok ? value : refuse(what)
}

/** Of a version; undefined for a bucket without versions. */
export function readVersionId(text: string | undefined): string | undefined {
  if (text === undefined || !/^[\x21-\x7e]{1,1024}$/.test(text))
    return undefined
  return text
}

function refuse(what: string): never {
  throw new StoreError(`The server's answer has no usable ${what}.`, {
    kind: 'response',
  })
}
