import { percentEncode } from '../wire/percent.js'
import { textElement } from '../wire/xml.js'
import { invalidArgument } from '../wire/api-error.js'
import type { Context } from './context.js'

/** Writes keys in answers, percent-encoded if the request asked for that. */
export interface NameWriter {
  /** The `EncodingType` element, if there is one. */
  readonly declaration: readonly string[]
  element(name: string, key: string): string
}

export function nameWriter({ head }: Context): NameWriter {
  const type = head.query.get('encoding-type')
  if (type !== undefined && type !== 'url') {
    invalidArgument('encoding-type', type)
  }
  const isEncoded = type === 'url'
  return {
    declaration: isEncoded ? [textElement('EncodingType', 'url')] : [],
    element: (name, key) =>
      textElement(name, isEncoded ? percentEncode(key) : key),
  }
}

/** A query parameter that limits a page: 1 (or 0) to 1000, 1000 by default. */
export function pageSize(
  { head, dialect, maxPageSize }: Context,
  name: string,
): number {
  const text = head.query.get(name)
  if (text === undefined || text === '') return maxPageSize
  const value = Number(text)
  if (!/^\d+$/.test(text) || (dialect.name === 'oss' && value > 1000)) {
    invalidArgument(name, text)
  }
  return Math.min(value, maxPageSize)
}

/** `<Owner>` and the like, of whom there is but one. */
export function person(name: string): string {
  return `<${name}>${textElement('ID', 'dev')}${textElement('DisplayName', 'dev')}</${name}>`
}
