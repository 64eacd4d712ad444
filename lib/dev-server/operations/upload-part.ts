import { invalidArgument } from '../wire/api-error.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { ownHeader, requireUpload, type Context } from './context.js'
import { requireUploadKey } from './customer-key.js'
import { digestHeaders, payloadOf, receive } from './receive.js'
import { encryptionReply } from './settings.js'

const maxParts = 10_000

/** UploadPart. A part is listed only once all of it has come and is right. */
export async function uploadPart(context: Context): Promise<Reply> {
  const { dialect } = context
  const partNumber = readPartNumber(context)
  const upload = requireUpload(context)
  const { settings, checksum } = upload.record
  refuseForeign(context)
  requireUploadKey(context, settings)
  upload.checkAccepts(partNumber)
  const payload = payloadOf(context)
  payload.requireSize()
  const algorithm = checksum?.algorithm ?? payload.algorithm
  const { blob, part } = await receive(
    context,
    payload,
    algorithm === undefined ? [] : [algorithm],
    (received) => ({
      blob: received,
      part: upload.commit(partNumber, received, algorithm),
    }),
  )
  return emptyReply(200, {
    etag: dialect.etag(part.etag),
    ...digestHeaders(context, payload, blob.digests),
    ...(dialect.name === 's3' ? encryptionReply(settings, dialect) : {}),
  })
}

/** The query's part number, 1 to 10,000. */
export function readPartNumber({ head }: Context): number {
  const text = head.query.get('partNumber') ?? ''
  const partNumber = Number(text)
  return /^\d+$/.test(text) && partNumber >= 1 && partNumber <= maxParts
    ? partNumber
    : invalidArgument(
        'partNumber',
        text,
        'Part number must be an integer between 1 and 10000, inclusive.',
        '0017-00000220',
      )
}

function refuseForeign(context: Context): void {
  const name = 'server-side-encryption'
  const encryption = ownHeader(context, name)
  if (context.dialect.name === 'oss' && encryption !== undefined) {
    invalidArgument(`x-oss-${name}`, encryption)
  }
}
