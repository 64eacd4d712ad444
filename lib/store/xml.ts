/**
 * XML from a server, which is hostile until read, and XML to a server.
 *
 * The parser leaves every value the text it was. Entities are decoded here: the
 * five predefined ones and character references, nothing else.
 */
import { StoreError } from './store-error.js'
import { parseDocument } from './xml-parser.js'

/** Elements with text are strings, with children objects, repeated ones arrays. */
export type XmlNode = string | XmlElement | readonly XmlNode[]
export interface XmlElement {
  readonly [name: string]: XmlNode
}

/** Of one tag, in characters: a name, and at most a namespace. */
const maxTag = 1024
/** Names in one document. */
const maxNames = 100

/** Tags in an answer about one thing, opening and closing ones. */
const fewTags = 1000
/** In a page of a thousand entries. */
export const tagsOfPage = 20_000

/**
 * Reads a document whose root is one of `roots`, and returns the root's name and
 * element. Throws a StoreError of kind `response` for anything else, and for more
 * than `maxTags`: the parser works without a pause, and everything waits for it. The
 * parser must be loaded: a session sees to it before it hands an answer out.
 */
export function parseXml(
  body: Uint8Array,
  roots: readonly string[],
  maxTags = fewTags,
): { root: string; element: XmlElement } {
  const text = decode(body)
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) refuse('has a document type')
  checkShape(text, maxTags)
  const parsed = parse(text)
  const root = roots.find(
    (name) => isElement(parsed) && Object.hasOwn(parsed, name),
  )
  if (root === undefined || !isElement(parsed)) {
    return refuse(`is not a ${roots[0] ?? 'known'} document`)
  }
  const element = parsed[root]
  // An empty root is text of nothing.
  if (typeof element === 'string' && element.trim() === '') {
    return { root, element: {} }
  }
  return isElement(element) ? { root, element } : refuse('has an empty root')
}

function parse(text: string): unknown {
  try {
    const parsed = parseDocument(text)
    if (parsed !== undefined) return parsed
  } catch {
    // As what the parser calls invalid.
  }
  return refuse('is not well-formed XML')
}

/** All elements of a name: none, one or many. */
export function childrenOf(parent: XmlElement, name: string): XmlElement[] {
  if (!Object.hasOwn(parent, name)) return []
  const found = parent[name]
  const list = Array.isArray(found) ? found : [found]
  return list.map((child: unknown) =>
    isElement(child) ? child : typeof child === 'string' ? {} : refuse('broke'),
  )
}

/** The text of an element exactly as sent; undefined when it is not there. */
export function rawText(parent: XmlElement, name: string): string | undefined {
  if (!Object.hasOwn(parent, name)) return undefined
  const found = parent[name]
  if (typeof found !== 'string') return refuse(`has no plain text in ${name}`)
  return decodeEntities(found)
}

/** The text without white space around it: for everything but keys. */
export function trimmedText(
  parent: XmlElement,
  name: string,
): string | undefined {
  return rawText(parent, name)?.trim()
}

/** For text between tags. */
export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"'\r\n\t]/g,
    (c) => escapes[c] ?? `&#${c.charCodeAt(0)};`,
  )
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

const predefined: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

function decodeEntities(text: string): string {
  return text.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) return refuse('has a bare ampersand')
    if (Object.hasOwn(predefined, name)) return predefined[name] ?? ''
    const digits = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}))$/i.exec(name)
    const point = digits?.[1]
      ? Number.parseInt(digits[1], 16)
      : Number(digits?.[2])
    const character = point >= 1 && point <= 0x10ffff && !isSurrogate(point)
    return character
      ? String.fromCodePoint(point)
      : refuse('has an unknown entity')
  })
}

function isSurrogate(point: number): boolean {
  return point >= 0xd800 && point <= 0xdfff
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body).trimStart()
  } catch {
    return refuse('is not UTF-8')
  }
}

/** What would cost the parser seconds is refused in one quick pass. */
function checkShape(text: string, maxTags: number): void {
  const names = new Set<string>()
  let tags = 0
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at + 1)) {
    tags += 1
    if (tags > maxTags) refuse('has too many elements')
    const end = text.indexOf('>', at)
    if (end === -1 || end - at > maxTag) refuse('is not well-formed XML')
    const tag = text.slice(at + 1, Math.min(end, at + 128))
    names.add(/^[^\s/>]*/.exec(tag.replace(/^\//, ''))?.[0] ?? '')
    if (names.size > maxNames) refuse('has too many sorts of elements')
  }
}

function isElement(value: unknown): value is XmlElement {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(what: string): never {
  throw new StoreError(`The server's answer ${what}.`, { kind: 'response' })
}
