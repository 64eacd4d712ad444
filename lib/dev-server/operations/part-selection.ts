import { checksumElement } from '../body/checksum-headers.js'
import { hexToBase64 } from '../body/digests.js'
import type { PartRecord } from '../storage/records.js'
import type { Upload } from '../storage/upload.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { plainEtag } from '../wire/dialect.js'
import {
  childElements,
  decodeText,
  parseXml,
  type Element,
} from '../wire/read-xml.js'
import { ownHeader, type Context } from './context.js'

/** The parts that a Complete names, or all with `x-oss-complete-all`. */
export function selectParts(
  context: Context,
  upload: Upload,
  text: string,
): PartRecord[] {
  const parts = isCompleteAll(context)
    ? selectAll(upload, text)
    : selectListed(upload, text)
  checkSizes(context, parts)
  return parts
}

function isCompleteAll(context: Context): boolean {
  if (context.dialect.name !== 'oss') return false
  const value = ownHeader(context, 'complete-all')
  if (value === undefined) return false
  return value.toLowerCase() === 'yes'
    ? true
    : invalidArgument('x-oss-complete-all', value)
}

function selectAll(upload: Upload, text: string): PartRecord[] {
  if (text !== '') {
    invalidArgument(
      'x-oss-complete-all',
      'yes',
      'There must be no body with x-oss-complete-all.',
    )
  }
  return upload.size === 0 ? apiError('InvalidPart') : upload.parts()
}

function selectListed(upload: Upload, text: string): PartRecord[] {
  let last = 0
  return parsePartList(text).map((entry) => {
    const number = decodeText(entry['PartNumber'])
    if (!/^\d{1,9}$/.test(number) || typeof entry['ETag'] !== 'string') {
      apiError('MalformedXML')
    }
    const partNumber = Number(number)
    if (partNumber <= last) apiError('InvalidPartOrder')
    last = partNumber
    return selectOne(upload, partNumber, entry)
  })
}

/** The entries of a Complete's document; `MalformedXML` if it is none. */
export function parsePartList(text: string): readonly Element[] {
  const listed = childElements(
    parseXml(text, 'CompleteMultipartUpload'),
    'Part',
  )
  return listed.length === 0 ? apiError('MalformedXML') : listed
}

function selectOne(
  upload: Upload,
  partNumber: number,
  entry: Element,
): PartRecord {
  const etag = decodeText(entry['ETag'])
  const part = upload.part(partNumber)
  if (part === undefined || plainEtag(etag) !== part.etag) {
    apiError('InvalidPart', {
      extra: {
        UploadId: upload.record.uploadId,
        PartNumber: String(partNumber),
        ETag: etag,
      },
    })
  }
  const { checksum } = part
  if (checksum !== undefined) {
    const given = entry[checksumElement(checksum.algorithm)]
    if (
      given !== undefined &&
      decodeText(given) !== hexToBase64(checksum.hex)
    ) {
      apiError('InvalidPart', { extra: { PartNumber: String(partNumber) } })
    }
  }
  return part
}

function checkSizes(
  { minPartSize, equalParts }: Context,
  parts: PartRecord[],
): void {
  for (const { size, partNumber, etag } of parts.slice(0, -1)) {
    if (size < minPartSize) {
      apiError('EntityTooSmall', {
        extra: {
          ProposedSize: String(size),
          MinSizeAllowed: String(minPartSize),
          PartNumber: String(partNumber),
          ETag: etag,
        },
      })
    }
  }
  if (equalParts) checkEqual(parts)
}

function checkEqual(parts: PartRecord[]): void {
  const size = parts[0]?.size ?? 0
  const other = parts.find((part, index) =>
    index === parts.length - 1 ? part.size > size : part.size !== size,
  )
  if (other === undefined) return
  apiError('InvalidPart', {
    message: 'All non-trailing parts must have the same length.',
    extra: { PartNumber: String(other.partNumber) },
  })
}
