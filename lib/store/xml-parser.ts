/**
 * The parser of answers. It would take a quarter of what loading this package takes, and
 * a PutObject never needs it: so it is loaded beside the first request whose answer is
 * XML, or with the first refusal that has one.
 */
import type * as Package from 'fast-xml-parser'
import { LatePackage } from '../late-package.js'

const maxDepth = 16

const latePackage = new LatePackage<typeof Package>(
  'fast-xml-parser',
  () => import(/* webpackMode: "eager" */ 'fast-xml-parser'),
)

let parser: Package.XMLParser | undefined

export function isXmlParserLoaded(): boolean {
  return latePackage.loaded !== undefined
}

/** Rejects with what the system said; the next call tries again. */
export async function loadXmlParser(): Promise<void> {
  await latePackage.load()
}

/** Undefined for what is not well-formed, or it throws. Not before it is loaded. */
export function parseDocument(text: string): unknown {
  const { loaded } = latePackage
  if (loaded?.XMLValidator.validate(text) !== true) return undefined
  parser ??= parserOf(loaded)
  return parser.parse(text)
}

/**
 * The defaults turn `0004098943221888` into a number and eat spaces of keys; here
 * every value stays the text it was, and entities are left as they are.
 */
function parserOf({ XMLParser }: typeof Package): Package.XMLParser {
  return new XMLParser({
    parseTagValue: false,
    trimValues: false,
    ignoreAttributes: true,
    removeNSPrefix: true,
    processEntities: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: maxDepth,
    // CDATA must not be decoded again; it is refused as nothing we know sends it.
    cdataPropName: '#cdata',
  })
}
