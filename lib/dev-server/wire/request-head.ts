import type { IncomingHttpHeaders } from 'node:http'
import type { Target } from './target.js'

/** A request before its body, as signatures and handlers see it. */
export interface RequestHead extends Target {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/** One header's value as text; repeated ones joined. */
export function header(
  headers: IncomingHttpHeaders,
  name: string,
): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

/** All headers as pairs of lower-case name and text. */
export function headerEntries(
  headers: IncomingHttpHeaders,
): [name: string, value: string][] {
  return Object.keys(headers).map((name) => [name, header(headers, name) ?? ''])
}
