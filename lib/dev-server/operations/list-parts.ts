import { checksumElement } from '../body/checksum-headers.js'
import { hexToBase64, hexToDecimal } from '../body/digests.js'
import type { PartRecord } from '../storage/records.js'
import { invalidArgument } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import { requireUpload, type Context } from './context.js'
import { checkUploadKey } from './customer-key.js'
import { nameWriter, pageSize, person } from './xml-names.js'

/** ListParts, in pages. */
export function listParts(context: Context): Reply {
  const { dialect, bucket, key, head } = context
  const names = nameWriter(context)
  const max = pageSize(context, 'max-parts')
  const marker = head.query.get('part-number-marker') ?? '0'
  if (!/^\d*$/.test(marker)) invalidArgument('part-number-marker', marker)
  const { record, ...upload } = snapshot(context)
  const after = upload.parts.filter((part) => part.partNumber > Number(marker))
  const page = after.slice(0, max)
  const isTruncated = after.length > page.length
  const { storageClass = dialect.defaultStorageClass } = record.settings
  return xmlReply(dialect, 'ListPartsResult', [
    ...names.declaration,
    textElement('Bucket', bucket),
    names.element('Key', key),
    textElement('UploadId', record.uploadId),
    ...(dialect.name === 's3' ? [person('Initiator'), person('Owner')] : []),
    textElement('StorageClass', storageClass),
    textElement('PartNumberMarker', Number(marker)),
    textElement(
      'NextPartNumberMarker',
      page.at(-1)?.partNumber ?? Number(marker),
    ),
    textElement('MaxParts', max),
    textElement('IsTruncated', String(isTruncated)),
    ...(record.checksum === undefined
      ? []
      : [
          textElement(
            'ChecksumAlgorithm',
            record.checksum.algorithm.toUpperCase(),
          ),
          textElement('ChecksumType', record.checksum.type),
        ]),
    ...page.map((part) => partElement(part, dialect)),
  ])
}

function snapshot(context: Context) {
  const upload = requireUpload(context)
  checkUploadKey(context, upload.record.settings)
  return { record: upload.record, parts: upload.parts() }
}

function partElement(part: PartRecord, dialect: Dialect): string {
  const { crc64, checksum } = part
  const time = new Date(Math.floor(part.sequence / 1000)).toISOString()
  return parentElement('Part', [
    textElement('PartNumber', part.partNumber),
    textElement('LastModified', time),
    textElement('ETag', dialect.etag(part.etag)),
    ...(dialect.name === 'oss' && crc64 !== undefined
      ? [textElement('HashCrc64ecma', hexToDecimal(crc64))]
      : []),
    ...(dialect.name === 's3' && checksum !== undefined
      ? [
          textElement(
            checksumElement(checksum.algorithm),
            hexToBase64(checksum.hex),
          ),
        ]
      : []),
    textElement('Size', part.size),
  ])
}
