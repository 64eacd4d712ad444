/** Percent-encoding, one way for keys, query strings and what is signed. */
import { invalidOption } from '../errors.js'

/** Name and value pairs, not encoded; an empty value means a bare name. */
export type Query = readonly (readonly [name: string, value: string])[]

/** What most keys and names are, which stays as it is. */
const plain = /^[A-Za-z0-9_.~-]*$/
const plainKey = /^[A-Za-z0-9_.~/-]*$/

/**
 * Encodes the UTF-8 bytes of `text`; only `A-Z a-z 0-9 - _ . ~` stay.
 * Throws `PAWL_INVALID_OPTION` for a lone surrogate, which has no bytes.
 */
export function percentEncode(text: string): string {
  if (plain.test(text)) return text
  let encoded: string
  try {
    encoded = encodeURIComponent(text)
  } catch {
    return invalidOption('Text with half a surrogate pair cannot be sent.')
  }
  return encoded.replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The same for an object key: `/` stays, dots and double slashes too. */
export function percentEncodeKey(key: string): string {
  if (plainKey.test(key)) return key
  return percentEncode(key).replaceAll('%2F', '/')
}

/**
 * A query string in the order in which it is signed: by encoded name, then by
 * encoded value, byte for byte. `bare` is what follows a name without a value.
 */
export function encodeQuery(query: Query, bare: '' | '='): string {
  if (query.length === 0) return ''
  return query
    .map(
      ([name, value]) => [percentEncode(name), percentEncode(value)] as const,
    )
    .toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => name + (value === '' ? bare : `=${value}`))
    .join('&')
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
