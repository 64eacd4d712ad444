/**
 * What one field of a record may hold. A log is hostile input: whatever is not
 * expressly allowed here is refused, and with it the record.
 */
import { MAX_PARTS, MAX_PART_SIZE } from './format.js'
import { MAX_GROWTH_STEPS } from './growth.js'

/** Says whether a value is one that a field can have. */
export type Check = (value: unknown) => boolean

const CONTROL = /\p{Control}/u
const LONE_SURROGATE = /\p{Surrogate}/u

function matches(pattern: RegExp): Check {
  return (value) => typeof value === 'string' && pattern.test(value)
}

function integer(min: number, max: number): Check {
  return (value) =>
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= min &&
    value <= max
}

/** Any well-formed text; the limit is in bytes of UTF-8. */
function text(min: number, max: number): Check {
  return (value) => {
    if (typeof value !== 'string' || value.length > max) return false
    const bytes = Buffer.byteLength(value)
    return bytes >= min && bytes <= max && !LONE_SURROGATE.test(value)
  }
}

/** The same without control characters. */
function plainText(min: number, max: number): Check {
  const fits = text(min, max)
  return (value) => fits(value) && !CONTROL.test(String(value))
}

export function oneOf(...allowed: readonly unknown[]): Check {
  return (value) => allowed.includes(value)
}

/** Absent, or as `check` wants it. */
export function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}

export const isHex32 = matches(/^[0-9a-f]{32}$/)
export const isSha256 = matches(/^[0-9a-f]{64}$/)
export const isProofHash = matches(/^(?:[0-9a-f]{16}|[0-9a-f]{64})$/)

/** ms since 1970, as far as `Date` goes. */
export const isTime = integer(0, 8.64e15)
export const isRun = integer(1, 1_000_000_000)
export const isSize = integer(0, Number.MAX_SAFE_INTEGER)
export const isPartSize = integer(1, MAX_PART_SIZE)
export const isPartNumber = integer(1, MAX_PARTS)

export const isIdentity = plainText(1, 1024)
export const isBucket = plainText(1, 255)
export const isKey = text(1, 1024)
export const isUploadId = plainText(1, 1024)
export const isVersionId = plainText(1, 1024)
export const isReason = plainText(1, 256)

/** Printable ASCII, as it stands in a header. */
export const isEtag = matches(/^[\x20-\x7e]{1,128}$/)
/** Empty when the server did not say. */
export const isFinalEtag = matches(/^[\x20-\x7e]{0,128}$/)

const isDecimal = matches(/^(?:0|[1-9]\d{0,19})$/)
const isSignedDecimal = matches(/^(?:0|-?[1-9]\d{0,19})$/)

const MAX_UINT64 = '18446744073709551615'

/** 64 bits as an unsigned decimal. */
export function isCrc64(value: unknown): boolean {
  if (typeof value !== 'string' || !isDecimal(value)) return false
  return value.length < MAX_UINT64.length || value <= MAX_UINT64
}

/** Steps in ascending order, to larger parts. */
export function isGrowth(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  if (value.length === 0 || value.length > MAX_GROWTH_STEPS) return false
  let [from, partSize] = [1, 0]
  return value.every((step: unknown) => {
    if (typeof step !== 'object' || step === null) return false
    if (!('from' in step) || !isPartNumber(step.from)) return false
    if (!('partSize' in step) || !isPartSize(step.partSize)) return false
    const isLarger =
      Number(step.from) > from && Number(step.partSize) > partSize
    from = Number(step.from)
    partSize = Number(step.partSize)
    return isLarger && Object.keys(step).length === 2
  })
}

/** An object as it was seen before a Complete. */
export function isSight(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { etag, lastModified, versionId, ...more } = {
    etag: undefined,
    lastModified: undefined,
    versionId: undefined,
    ...value,
  }
  return (
    isFinalEtag(etag) &&
    (lastModified === undefined || isTime(lastModified)) &&
    (versionId === undefined || isVersionId(versionId)) &&
    Object.keys(more).length === 0
  )
}

export function isFileIdentity(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'device' in value &&
    isDecimal(value.device) &&
    'inode' in value &&
    isDecimal(value.inode) &&
    'size' in value &&
    isSize(value.size) &&
    'mtime' in value &&
    isSignedDecimal(value.mtime) &&
    'ctime' in value &&
    isSignedDecimal(value.ctime) &&
    Object.keys(value).length === 5
  )
}
