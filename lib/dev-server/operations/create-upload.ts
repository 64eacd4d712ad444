import { checksumMode } from '../body/checksum-headers.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { textElement } from '../wire/xml.js'
import { requireUpload, type Context } from './context.js'
import { encryptionReply, readSettings } from './settings.js'
import { checkOverwrite } from './write-guard.js'
import { nameWriter } from './xml-names.js'

/** CreateMultipartUpload, which OSS calls Initiate: fixes all but the bytes. */
export function createUpload(context: Context): Reply {
  const { bucket, key, head, dialect, storage } = context
  if (dialect.name === 'oss') checkOverwrite(context)
  const names = nameWriter(context)
  const checksum =
    dialect.name === 's3' ? checksumMode(head.headers) : undefined
  const settings = readSettings(context)
  const { record } = storage.uploads.create({
    bucket,
    key,
    time: context.now,
    sequential: dialect.name === 'oss' && head.query.has('sequential'),
    settings,
    ...(checksum === undefined ? {} : { checksum }),
  })
  context.applied()
  const headers = encryptionReply(settings, dialect)
  if (checksum !== undefined) {
    headers['x-amz-checksum-algorithm'] = checksum.algorithm.toUpperCase()
    headers['x-amz-checksum-type'] = checksum.type
  }
  return xmlReply(
    dialect,
    'InitiateMultipartUploadResult',
    [
      ...names.declaration,
      textElement('Bucket', bucket),
      names.element('Key', key),
      textElement('UploadId', record.uploadId),
    ],
    headers,
  )
}

/** AbortMultipartUpload; waits for a Complete that is under way. */
export async function abortUpload(context: Context): Promise<Reply> {
  const upload = requireUpload(context)
  await upload.exclusively(async () => {
    context.applied()
    await context.storage.uploads.remove(upload)
  })
  return emptyReply(204)
}
