import { emptyReply, type Reply } from '../wire/reply.js'
import { answerCallback, readCallback } from './callback.js'
import type { Context } from './context.js'
import { describeBlob } from './describe-blob.js'
import { digestHeaders, payloadOf, receive } from './receive.js'
import { encryptionReply, readSettings } from './settings.js'
import { guardWrite } from './write-guard.js'

/** PutObject: the whole object in one request. */
export async function putObject(context: Context): Promise<Reply> {
  const { dialect, storage } = context
  const recheck = guardWrite(context)
  const settings = readSettings(context)
  const callback = readCallback(context)
  const payload = payloadOf(context)
  if (dialect.name === 's3') payload.requireSize()
  const { record, digests } = await receive(context, payload, [], (blob) => {
    recheck()
    const made = describeBlob(context, blob, payload.algorithm, settings)
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
