/** Headers that callers can choose, kept from doing more than they say. */
import { isDate } from '../realm.js'
import { UploadError, invalidOption } from '../errors.js'
import type { ObjectOptions } from './object-store.js'
import { percentEncode } from './percent-encode.js'

/** Made by the store or the connection for each request. */
const reserved = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-md5',
  'cookie',
  'date',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Collects headers by lower-case name; refuses bad and repeated ones. */
export class HeaderBag {
  readonly headers: Record<string, string> = {}

  /** `option` names the value in the error; undefined values are left out. */
  set(name: string, value: string | undefined, option: string): void {
    if (value === undefined) return
    if (Object.hasOwn(this.headers, name)) {
      invalidOption(`${option}: the header ${name} is already set.`)
    }
    this.headers[name] = headerValue(value, option)
  }
}

/** Printable ASCII: anything else would be sent as other bytes than signed. */
export function headerValue(value: string, option: string): string {
  if (typeof value !== 'string' || !/^[\x20-\x7e\t]*$/.test(value)) {
    invalidOption(
      `${option}: expected a string of printable ASCII; encode anything else.`,
    )
  }
  const trimmed = value.trim()
  if (trimmed === '') invalidOption(`${option}: must not be empty.`)
  return trimmed
}

/** The standard headers of an object, the same for both services. */
export function setStandardHeaders(
  bag: HeaderBag,
  object: ObjectOptions,
): void {
  bag.set('content-type', object.contentType, 'object.contentType')
  bag.set('cache-control', object.cacheControl, 'object.cacheControl')
  bag.set(
    'content-disposition',
    object.contentDisposition,
    'object.contentDisposition',
  )
  bag.set('content-encoding', object.contentEncoding, 'object.contentEncoding')
  bag.set('expires', httpDate(object.expires), 'object.expires')
}

/** `a=1&b=2`, encoded; undefined for no tags. */
export function encodeTags(tags: ObjectOptions['tagging']): string | undefined {
  const pairs = Object.entries(tags ?? {}).map(
    ([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`,
  )
  return pairs.length === 0 ? undefined : pairs.join('&')
}

/**
 * The caller's further headers. `owned` are names or prefixes (ending in `-`)
 * that have an option of their own or belong to signing; `dropped` is the name
 * of the one that is passed over in silence.
 */
export function setFurtherHeaders(
  bag: HeaderBag,
  headers: ObjectOptions['headers'],
  { owned, dropped }: { owned: readonly string[]; dropped: string },
): void {
  for (const [given, value] of Object.entries(headers ?? {})) {
    const name = given.toLowerCase()
    if (name === dropped) continue
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
      invalidOption('object.headers: a header name has an illegal character.')
    }
    const own = owned.some((o) =>
      o.endsWith('-') ? name.startsWith(o) : name === o,
    )
    if (own || reserved.has(name)) {
      invalidOption(
        `object.headers: ${name} is set by the store or has its own option.`,
      )
    }
    bag.set(name, value, `object.headers.${name}`)
  }
}

/** An ACL that the service does not know is refused before the first byte. */
export function setAcl(
  bag: HeaderBag,
  header: string,
  { acl }: Pick<ObjectOptions, 'acl'>,
  known: readonly string[],
): void {
  if (acl !== undefined && !known.includes(acl)) {
    invalidOption(`object.acl: expected one of ${known.join(', ')}.`)
  }
  bag.set(header, acl, 'object.acl')
}

/** For an option that the other service has. */
export function unsupportedOption(option: string, service: string): never {
  throw new UploadError(
    'PAWL_INVALID_OPTION',
    `${option}: ${service} has no such thing.`,
  )
}

function httpDate(value: string | Date | undefined): string | undefined {
  if (!isDate(value)) return value
  if (Number.isNaN(value.getTime())) {
    invalidOption('object.expires: not a valid date.')
  }
  return value.toUTCString()
}

/** By their names in lower case; of two of one name the later one counts. */
export function lowerCased(
  ...all: Readonly<Record<string, string>>[]
): Map<string, string> {
  const values = new Map<string, string>()
  for (const headers of all) {
    for (const name of Object.keys(headers)) {
      values.set(name.toLowerCase(), headers[name] ?? '')
    }
  }
  return values
}
