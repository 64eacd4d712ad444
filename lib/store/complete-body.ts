/** The body of CompleteMultipartUpload. */
import { invalidOption } from '../errors.js'
import { readEtag } from './fields.js'
import type { CompletedPart } from './object-store.js'
import { escapeXml } from './xml.js'

/** Throws `PAWL_INVALID_OPTION` unless the numbers ascend. */
export function completeBody(
  parts: readonly CompletedPart[],
  namespace?: string,
): Buffer {
  let last = 0
  const items = parts.map(({ partNumber, etag }) => {
    if (!Number.isSafeInteger(partNumber) || partNumber <= last) {
      invalidOption('parts: the numbers must ascend from 1.')
    }
    last = partNumber
    return `<Part><PartNumber>${partNumber}</PartNumber><ETag>${escapeXml(readEtag(etag))}</ETag></Part>`
  })
  const attribute =
    namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`
  return Buffer.from(
    `<CompleteMultipartUpload${attribute}>${items.join('')}</CompleteMultipartUpload>`,
  )
}
