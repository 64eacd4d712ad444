/** The XML of lists, the same for OSS and S3, as contract types. */
import { parseDate } from './clock.js'
import { readEtag, readNumber, readUploadId } from './fields.js'
import type { ListedPart, PartPage, UploadPage } from './object-store.js'
import { StoreError } from './store-error.js'
import {
  childrenOf,
  parseXml,
  rawText,
  trimmedText,
  type XmlElement,
} from './xml.js'

export interface CrcReader {
  crcElement: string
  readCrc(text: string | undefined): string | undefined
}

export function readUploadIdAnswer(body: Uint8Array): string {
  const { element } = parseXml(body, ['InitiateMultipartUploadResult'])
  return readUploadId(trimmedText(element, 'UploadId'))
}

/** `after` is the marker that was sent: the next one must be beyond it. */
export function readPartPage(
  body: Uint8Array,
  after: number,
  crc: CrcReader,
): PartPage {
  const { element } = parseXml(body, ['ListPartsResult'])
  const parts = childrenOf(element, 'Part').map((part): ListedPart => {
    const modified = parseDate(trimmedText(part, 'LastModified'))
    const crc64 = crc.readCrc(trimmedText(part, crc.crcElement))
    return {
      partNumber: readNumber(trimmedText(part, 'PartNumber'), 'part number'),
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
  const next = readNumber(
    trimmedText(element, 'NextPartNumberMarker'),
    'marker for the next page',
  )
  if (next <= after) stuck('parts')
  return { parts, next }
}

export function readUploadPage(
  body: Uint8Array,
  before: { keyMarker: string; uploadIdMarker: string },
): UploadPage {
  const { element } = parseXml(body, [
    'ListMultipartUploadsResult',
    'ListMultipartUploadResult',
  ])
  // Only what the server says is encoded may be decoded.
  const encoded = trimmedText(element, 'EncodingType')?.toLowerCase() === 'url'
  const key = (parent: XmlElement, name: string) => {
    const text = rawText(parent, name)
    return text === undefined || !encoded ? text : decodeKey(text.trim())
  }
  const uploads = childrenOf(element, 'Upload').map((upload) => ({
    key: key(upload, 'Key') ?? unusable('key'),
    uploadId: readUploadId(trimmedText(upload, 'UploadId')),
    initiated:
      parseDate(trimmedText(upload, 'Initiated')) ??
      unusable('initiation time'),
  }))
  if (trimmedText(element, 'IsTruncated') !== 'true') return { uploads }
  const next = {
    keyMarker: key(element, 'NextKeyMarker') ?? '',
    uploadIdMarker: trimmedText(element, 'NextUploadIdMarker') ?? '',
  }
  const moved =
    next.keyMarker !== before.keyMarker ||
    next.uploadIdMarker !== before.uploadIdMarker
  if (!moved || next.keyMarker === '') stuck('uploads')
  return { uploads, next }
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
