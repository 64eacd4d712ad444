import { rm } from 'node:fs/promises'
import { checksumElement } from '../body/checksum-headers.js'
import { hexToBase64 } from '../body/digests.js'
import type {
  ObjectRecord,
  ObjectSettings,
  PartRecord,
} from '../storage/records.js'
import { invalidArgument } from '../wire/api-error.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { textElement } from '../wire/xml.js'
import { ownHeader, requireUpload, type Context } from './context.js'
import { requireUploadKey } from './customer-key.js'
import { readCopySource, receiveCopy } from './copy-source.js'
import { unchangedCopy } from './read-conditions.js'
import { encryptionReply } from './settings.js'
import { readPartNumber } from './upload-part.js'

interface Range {
  readonly start: number
  readonly end: number
}

/** UploadPartCopy: a part whose bytes are those of an object, or a range of it. */
export async function uploadPartCopy(context: Context): Promise<Reply> {
  const partNumber = readPartNumber(context)
  const upload = requireUpload(context)
  const { settings, checksum } = upload.record
  requireUploadKey(context, settings)
  upload.checkAccepts(partNumber)
  const source = readCopySource(context)
  const unchanged = unchangedCopy(context, source)
  if (unchanged !== undefined) return unchanged
  const range = readSourceRange(context, source)
  const algorithm = checksum?.algorithm
  const all = { start: 0, end: source.size }
  const blob = await receiveCopy(context, source, range ?? all, algorithm)
  try {
    const part = upload.commit(partNumber, blob, algorithm)
    context.applied()
    return copyPartReply(context, source, part, { range, settings })
  } catch (error) {
    if (blob.path !== undefined) await rm(blob.path, { force: true })
    throw error
  }
}

/** S3 refuses a range that is not within the source; OSS copies all of it. */
function readSourceRange(
  context: Context,
  { size }: ObjectRecord,
): Range | undefined {
  const text = ownHeader(context, 'copy-source-range')
  if (text === undefined) return undefined
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(text) ?? []
  const start = Number(first)
  const end = Number(last) + 1
  if (first !== '' && start < end && end <= size) return { start, end }
  return context.dialect.name === 'oss'
    ? undefined
    : invalidArgument(
        'x-amz-copy-source-range',
        text,
        `Range specified is not valid for source object of size: ${size}`,
      )
}

function copyPartReply(
  { dialect }: Context,
  { size }: ObjectRecord,
  part: PartRecord,
  { range, settings }: { range: Range | undefined; settings: ObjectSettings },
): Reply {
  const etag = dialect.etag(part.etag)
  const { checksum } = part
  const time = new Date(Math.floor(part.sequence / 1000)).toISOString()
  const copied: Record<string, string> =
    range === undefined
      ? {}
      : { 'content-range': `bytes ${range.start}-${range.end - 1}/${size}` }
  return xmlReply(
    dialect,
    'CopyPartResult',
    [
      textElement('LastModified', time),
      textElement('ETag', etag),
      ...(checksum === undefined || dialect.name === 'oss'
        ? []
        : [
            textElement(
              checksumElement(checksum.algorithm),
              hexToBase64(checksum.hex),
            ),
          ]),
    ],
    dialect.name === 'oss'
      ? { etag, ...copied }
      : encryptionReply(settings, dialect),
  )
}
