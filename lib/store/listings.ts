/** The XML of lists, the same for OSS and S3, as contract types. */
import { parseDate } from './clock.js'
import { readEtag, readNumber, readUploadId } from './fields.js'
import type { ListedPart, PartPage, UploadPage } from './object-store.js'
import { StoreError } from './store-error.js'
import type { ToldPlace } from './told-place.js'
import {
  childrenOf,
  parseXml,
  rawText,
  tagsOfPage,
  trimmedText,
  type XmlElement,
} from './xml.js'

export interface CrcReader {
  crcElement: string
  readCrc(text: string | undefined): string | undefined
}

export interface BegunUpload extends ToldPlace {
  uploadId: string
}

export function readBegunUpload(body: Uint8Array): BegunUpload {
  const { element } = parseXml(body, ['InitiateMultipartUploadResult'])
  return {
    uploadId: readUploadId(trimmedText(element, 'UploadId')),
    bucket: rawText(element, 'Bucket'),
    key: rawText(element, 'Key'),
  }
}

/**
 * `after` is the marker that was sent. A page that is not the last has parts, and
 * its marker is not before them: a list that only pretends to go on would keep
 * its reader for ever.
 */
export function readPartPage(
  body: Uint8Array,
  after: number,
  crc: CrcReader,
): PartPage {
  const { element } = parseXml(body, ['ListPartsResult'], tagsOfPage)
  const parts = childrenOf(element, 'Part').map((part): ListedPart => {
    const modified = parseDate(trimmedText(part, 'LastModified'))
    const crc64 = crc.readCrc(trimmedText(part, crc.crcElement))
    return {
      partNumber: readPartNumber(trimmedText(part, 'PartNumber')),
      etag: readEtag(trimmedText(part, 'ETag')),
      size: readNumber(trimmedText(part, 'Size'), 'part size'),
      ...(crc64 === undefined ? {} : { crc64 }),
      ...(modified === undefined ? {} : { lastModified: modified }),
    }
  })
  let last = after
  for (const { partNumber } of parts) {
    if (partNumber <= last) stuck('parts')
    last = partNumber
  }
  if (trimmedText(element, 'IsTruncated') !== 'true') return { parts }
  const next = readPartNumber(trimmedText(element, 'NextPartNumberMarker'))
  if (parts.length === 0 || next < last) stuck('parts')
  return { parts, next }
}

/** Both services number parts up to ten thousand. */
function readPartNumber(text: string | undefined): number {
  const number = readNumber(text, 'part number')
  return number >= 1 && number <= 10_000 ? number : unusable('part number')
}

interface UploadMarker {
  key: string
  uploadId: string
  /** ms since 1970; undefined in a marker. */
  initiated?: number
}

/** `prefix` and the markers are those that were sent. */
export function readUploadPage(
  body: Uint8Array,
  sent: { prefix: string; keyMarker: string; uploadIdMarker: string },
): UploadPage {
  const { element } = parseXml(
    body,
    ['ListMultipartUploadsResult', 'ListMultipartUploadResult'],
    tagsOfPage,
  )
  // Only what the server says is encoded may be decoded.
  const encoded = trimmedText(element, 'EncodingType')?.toLowerCase() === 'url'
  const key = (parent: XmlElement, name: string) => {
    const text = rawText(parent, name)
    return text === undefined || !encoded ? text : decodeKey(text.trim())
  }
  const listed = childrenOf(element, 'Upload').map((upload) => ({
    key: key(upload, 'Key') ?? unusable('key'),
    uploadId: readUploadId(trimmedText(upload, 'UploadId')),
    initiated:
      parseDate(trimmedText(upload, 'Initiated')) ??
      unusable('initiation time'),
  }))
  const before = { key: sent.keyMarker, uploadId: sent.uploadIdMarker }
  let last: UploadMarker | undefined = before.key === '' ? undefined : before
  for (const upload of listed) {
    if (last !== undefined && !isAfter(upload, last)) stuck('uploads')
    last = upload
  }
  // A server that ignores the prefix would have others' uploads aborted.
  const uploads = listed.filter((upload) => upload.key.startsWith(sent.prefix))
  const isTruncated = trimmedText(element, 'IsTruncated') === 'true'
  const isBeyond =
    last !== undefined &&
    !last.key.startsWith(sent.prefix) &&
    compareBytes(last.key, sent.prefix) > 0
  if (!isTruncated || isBeyond) return { uploads }
  const next = {
    keyMarker: key(element, 'NextKeyMarker') ?? '',
    uploadIdMarker: trimmedText(element, 'NextUploadIdMarker') ?? '',
  }
  const marker = { key: next.keyMarker, uploadId: next.uploadIdMarker }
  if (listed.length === 0 || last === undefined) return stuck('uploads')
  if (!isSame(marker, last) && !isAfter(marker, last)) stuck('uploads')
  return { uploads, next }
}

/**
 * By key, as all document it. Of one key OSS goes by the ID and AWS by the time;
 * Swift goes by key and ID as one name, so that `a b/1` comes before `a/1`.
 */
function isAfter(later: UploadMarker, earlier: UploadMarker): boolean {
  const keys = compareBytes(later.key, earlier.key)
  if (keys > 0) return true
  const names = compareBytes(nameOf(later), nameOf(earlier))
  if (keys < 0 || names > 0) return names > 0
  return (
    later.uploadId !== earlier.uploadId &&
    (later.initiated === undefined ||
      earlier.initiated === undefined ||
      later.initiated >= earlier.initiated)
  )
}

function isSame(one: UploadMarker, other: UploadMarker): boolean {
  return one.key === other.key && one.uploadId === other.uploadId
}

function nameOf({ key, uploadId }: UploadMarker): string {
  return `${key}/${uploadId}`
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return unusable('key')
  }
}

function stuck(what: string): never {
  throw new StoreError(`The server's list of ${what} does not advance.`, {
    kind: 'response',
  })
}

function unusable(what: string): never {
  throw new StoreError(`The server's answer has no usable ${what}.`, {
    kind: 'response',
  })
}
