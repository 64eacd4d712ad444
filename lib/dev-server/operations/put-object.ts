import type { Blob } from '../storage/receive-blob.js'
import type { ObjectRecord } from '../storage/records.js'
import { createHash } from 'node:crypto'
import { apiError } from '../wire/api-error.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { answerCallback, readCallback } from './callback.js'
import { checkOverwrite, ownHeader, type Context } from './context.js'
import { digestHeaders, payloadOf, receive } from './receive.js'
import { encryptionReply, readSettings } from './settings.js'
import type { Payload } from '../body/payload.js'

/** PutObject: the whole object in one request. */
export async function putObject(context: Context): Promise<Reply> {
  const { dialect, storage } = context
  if (ownHeader(context, 'copy-source') !== undefined) {
    apiError('NotImplemented', { message: 'CopyObject is not implemented.' })
  }
  checkOverwrite(context)
  const settings = readSettings(context)
  const callback = readCallback(context)
  const payload = payloadOf(context)
  if (dialect.name === 's3') payload.requireSize()
  const { record, digests } = await receive(context, payload, [], (blob) => {
    // Somebody may have made the object meanwhile.
    checkOverwrite(context)
    const made = describe(context, payload, blob, settings)
    storage.objects.put(made, blob.path)
    return { record: made, digests: blob.digests }
  })
  const headers = {
    etag: dialect.etag(record.etag),
    ...digestHeaders(context, payload, digests),
    ...encryptionReply(settings, dialect),
  }
  return callback === undefined
    ? emptyReply(200, headers)
    : answerCallback(context, callback, record, headers)
}

function describe(
  { bucket, key, now }: Context,
  { algorithm }: Payload,
  { size, digests }: Blob,
  settings: ObjectRecord['settings'],
): ObjectRecord {
  const { md5, crc64ecma } = digests
  const hex = algorithm === undefined ? undefined : digests[algorithm]
  return {
    bucket,
    key,
    size,
    etag: md5 ?? opaqueEtag(`${bucket} ${key} ${now} ${size}`),
    type: 'Normal',
    ...(md5 === undefined ? {} : { md5 }),
    ...(crc64ecma === undefined ? {} : { crc64: crc64ecma }),
    ...(algorithm === undefined || hex === undefined
      ? {}
      : {
          checksum: {
            algorithm,
            type: 'FULL_OBJECT',
            value: Buffer.from(hex, 'hex').toString('base64'),
          },
        }),
    time: now,
    settings,
  }
}

/** Stands in for the MD5 where that is switched off. */
function opaqueEtag(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
