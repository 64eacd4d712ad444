import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { ApiError, apiError } from './api-error.js'

/** Children of an element by name: text, an element, or a list of them. */
export type Element = Readonly<Record<string, unknown>>

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  removeNSPrefix: true,
  // Spaces are part of keys and tags.
  trimValues: false,
  // Entities are decoded below: the parser's own limits on them are lower than
  // the two quotes of 10,000 ETags.
  processEntities: false,
})

/** The children of `root`; `MalformedXML` for anything else. */
export function parseXml(text: string, root: string): Element {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) apiError('MalformedXML')
  const document = parse(text)
  const found = isRecord(document) ? document[root] : undefined
  return isRecord(found) && !Array.isArray(found)
    ? found
    : apiError('MalformedXML')
}

function parse(text: string): unknown {
  try {
    if (XMLValidator.validate(text) === true) return parser.parse(text)
  } catch (error) {
    // The parser refuses some names and depths by throwing.
    throw new ApiError('MalformedXML', { message: String(error) })
  }
  return apiError('MalformedXML')
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** All children of that name that have children; `MalformedXML` for text. */
export function childElements(parent: Element, name: string): Element[] {
  const found = Object.hasOwn(parent, name) ? parent[name] : []
  const list: unknown[] = Array.isArray(found) ? found : [found]
  return list.map((item) => (isRecord(item) ? item : apiError('MalformedXML')))
}

/** The one child of that name; empty where it has no children itself. */
export function singleElement(parent: Element, name: string): Element {
  const found = Object.hasOwn(parent, name) ? parent[name] : undefined
  if (typeof found === 'string' && found.trim() === '') return {}
  return isRecord(found) && !Array.isArray(found)
    ? found
    : apiError('MalformedXML')
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

/** Text of an element as it is, with its entities decoded. */
export function exactText(value: unknown): string {
  if (typeof value !== 'string') return ''
  return value.replace(
    /&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g,
    (all, dec, hex, name) => {
      if (typeof dec === 'string') return character(parseInt(dec, 10))
      if (typeof hex === 'string') return character(parseInt(hex, 16))
      return typeof name === 'string' && Object.hasOwn(entities, name)
        ? (entities[name] ?? all)
        : all
    },
  )
}

/** Text of an element whose spaces mean nothing. */
export function decodeText(value: unknown): string {
  return exactText(value).trim()
}

/** Half of a pair is no character: it would become the name of another object. */
function character(code: number): string {
  const isHalf = code >= 0xd800 && code <= 0xdfff
  return code <= 0x10ffff && !isHalf
    ? String.fromCodePoint(code)
    : apiError('MalformedXML')
}
