import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { apiError } from './api-error.js'

/** Children of an element: text, or elements already written. */
export type XmlChildren = readonly string[]

/** One element with text. Control characters become references, as S3 does. */
export function textElement(name: string, value: string | number): string {
  return `<${name}>${escapeText(String(value))}</${name}>`
}

/** One element with elements. */
export function parentElement(name: string, children: XmlChildren): string {
  return `<${name}>${children.join('')}</${name}>`
}

/** A whole document; an empty namespace is left out. */
export function xmlDocument(
  root: string,
  children: XmlChildren,
  namespace = '',
): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${children.join('')}</${root}>`
}

function escapeText(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex
    /[&<>"\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  )
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  removeNSPrefix: true,
  // Entities are decoded by `decodeText`: the parser's own limits on them are
  // lower than the two quotes of 10,000 ETags.
  processEntities: false,
  isArray: (name) => name === 'Part',
})

/** The children of `root`; `MalformedXML` for anything else. */
export function parseXml(text: string, root: string): Record<string, unknown> {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) apiError('MalformedXML')
  if (XMLValidator.validate(text) !== true) apiError('MalformedXML')
  const document: unknown = parser.parse(text)
  const found = isRecord(document) ? document[root] : undefined
  return isRecord(found) ? found : apiError('MalformedXML')
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

/** Text of an element, with the predefined and numeric entities decoded. */
export function decodeText(value: unknown): string {
  if (typeof value !== 'string') return ''
  return value
    .replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (all, dec, hex, name) => {
      if (typeof dec === 'string') return character(parseInt(dec, 10), all)
      if (typeof hex === 'string') return character(parseInt(hex, 16), all)
      return (typeof name === 'string' ? entities[name] : undefined) ?? all
    })
    .trim()
}

function character(code: number, otherwise: string): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise
}
