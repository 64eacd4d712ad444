/**
 * Where a server says that an upload was begun, held against where it was meant.
 *
 * A server that looks for the bucket in another place of the URL than it was put
 * into takes the first name of the key for a bucket, or the bucket for a part of
 * the key, and answers as if all were well. Pure.
 */
export interface ToldPlace {
  bucket: string | undefined
  key: string | undefined
}

/** Characters of a server's name for something, in a text. */
const longestName = 256

/** Names that an access point answers to, where the bucket's own is told. */
const alias = /-(?:s3|oss)alias$/

/**
 * False when another object is meant. What is not told is no contradiction, nor
 * is another spelling: percent-encoded, without characters that XML cannot
 * carry, composed, with slashes drawn together, without a tenant.
 */
export function isPlace(
  told: ToldPlace,
  meant: { bucket: string; key: string; isOwnDomain: boolean },
): boolean {
  const { bucket, key, isOwnDomain } = meant
  // A domain of one's own decides by itself which bucket it leads to.
  const isAnyBucket = isOwnDomain || alias.test(bucket)
  return (
    (told.key === undefined || isKey(told.key, key)) &&
    (told.bucket === undefined ||
      isAnyBucket ||
      bareBucket(told.bucket) === bareBucket(bucket))
  )
}

function isKey(told: string, key: string): boolean {
  const spellings = [told, decoded(told), decoded(told.replaceAll('+', ' '))]
  return spellings.some((text) => bareKey(text) === bareKey(key))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function bareKey(key: string): string {
  return key
    .replaceAll(/[\p{C}\s]/gu, '')
    .replaceAll(/\/+/g, '/')
    .replace(/^\//, '')
    .normalize()
}

function bareBucket(bucket: string): string {
  return bucket
    .trim()
    .replace(/^[^:]*:/, '')
    .toLowerCase()
}

/** What is said of an upload that was begun elsewhere. */
export function otherPlaceText(
  told: ToldPlace,
  meant: { bucket: string; key: string },
): string {
  const name = (text: string | undefined): string =>
    text === undefined ? 'one that it does not name' : quoted(text)
  return `the server takes this for the key ${name(told.key)} in the bucket ${name(told.bucket)}, expected ${quoted(meant.key)} in ${quoted(meant.bucket)}: it looks for the bucket in another place of the URL. Give addressing 'path' or 'virtual', whichever it was not.`
}

/** In one line. */
function quoted(text: string): string {
  const characters = Array.from(text)
  const start = characters.slice(0, longestName).join('')
  return JSON.stringify(characters.length > longestName ? `${start}…` : start)
}
