/**
 * User metadata as headers, and the one entry of it that is not the caller's:
 * the mark by which an upload knows its own object again.
 */
import { invalidOption } from '../errors.js'
import type { HeaderBag } from './header-values.js'
import type { ObjectOptions } from './object-store.js'

/** The name of the mark among the metadata of an object. */
export const markName = 'pawl'
/** Hex digits. */
const markLength = 32

/** How a service takes user metadata. */
export interface MetadataRules {
  readonly prefix: 'x-oss-meta-' | 'x-amz-meta-'
  /** Of names and values together. */
  readonly maxBytes: number
  /** The prefix belongs to the name that is counted. */
  readonly countsPrefix: boolean
}

/**
 * The caller's metadata; what has the name of the mark is dropped. Throws
 * `PAWL_INVALID_OPTION` for what the service would refuse.
 */
export function setMetadata(
  bag: HeaderBag,
  metadata: ObjectOptions['metadata'],
  { prefix, maxBytes, countsPrefix }: MetadataRules,
): void {
  // A text or a Map has other entries than what is meant by it, or none.
  const kind = Object.prototype.toString.call(metadata ?? {})
  if (kind !== '[object Object]') {
    invalidOption('object.metadata: expected an object of names and values.')
  }
  let bytes = 0
  for (const [name, value] of entriesOf(metadata)) {
    if (!/^[a-zA-Z0-9-]+$/.test(name)) {
      invalidOption(
        'object.metadata: a name may have letters, digits and hyphens only.',
      )
    }
    bag.set(prefix + name.toLowerCase(), value, `object.metadata.${name}`)
    bytes += (countsPrefix ? prefix.length : 0) + name.length + value.length
  }
  if (bytes > maxBytes) {
    invalidOption(
      `object.metadata: ${bytes} bytes of names and values, the store allows ${maxBytes}.`,
    )
  }
}

/**
 * Whether a mark fits too. Counted as the strictest server counts, prefixes and
 * all (MinIO does so for S3), as a mark must not be what an upload fails for.
 */
export function fitsMark(
  metadata: ObjectOptions['metadata'],
  { prefix, maxBytes }: MetadataRules,
): boolean {
  let bytes = prefix.length + markName.length + markLength
  for (const [name, value] of entriesOf(metadata)) {
    bytes += prefix.length + name.length + value.length
  }
  return bytes <= maxBytes
}

/** The header of a mark; none where an object is to have none. */
export function markHeaders(
  mark: string | undefined,
  { prefix }: MetadataRules,
): Record<string, string> {
  if (mark === undefined) return {}
  if (readMark(mark) === undefined) {
    invalidOption('mark: expected 32 lower-case hex digits.')
  }
  return { [prefix + markName]: mark }
}

/** Undefined for what no upload of ours can have written. */
export function readMark(value: string | undefined): string | undefined {
  return value !== undefined && /^[0-9a-f]{32}$/.test(value) ? value : undefined
}

/** In any case, as services fold the names of metadata. */
export function isMarkName(name: string): boolean {
  return name.toLowerCase() === markName
}

function entriesOf(
  metadata: ObjectOptions['metadata'],
): (readonly [name: string, value: string])[] {
  return Object.entries(metadata ?? {}).filter(([name]) => !isMarkName(name))
}
