/** The numbers and spellings that reader and writer share; see FORMAT.md. */

/** The format that this version writes, and the highest that it reads. */
export const FORMAT = 1

/** Largest log, in bytes. */
export const MAX_LOG_BYTES = 64 * 1024 * 1024

/** What ends a line. */
export const LF = 10

/** Longest line, its LF included, in bytes. */
export const MAX_LINE_BYTES = 64 * 1024

/** Highest part number. */
export const MAX_PARTS = 10_000

/** Largest part, in bytes. */
export const MAX_PART_SIZE = 5 * 1024 ** 3

/** Hex digits of a line's hash. */
export const HASH_DIGITS = 16

/** Opens what every hash is computed over. */
export const HASH_DOMAIN = 'pawl1'

/** How the JSON of a header begins, in every format there will be. */
export const HEADER_JSON = /^\{"pawl":([1-9]\d{0,8}),"logId":"([0-9a-f]{32})"/

/** How the first line of a log begins. */
export const HEADER_MAGIC = /^[0-9a-f]{16} 1 log \{"pawl":/

const MAGIC_AFTER_HASH = ' 1 log {"pawl":'

/** Whether a text is a first line that was cut before the magic was whole. */
export function isCutMagic(text: string): boolean {
  const hash = text.slice(0, HASH_DIGITS)
  return (
    /^[0-9a-f]+$/.test(hash) &&
    MAGIC_AFTER_HASH.startsWith(text.slice(HASH_DIGITS))
  )
}
