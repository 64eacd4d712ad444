import { apiError } from '../wire/api-error.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { readConditions } from './conditional-headers.js'
import { matches } from './conditions.js'
import type { Context } from './context.js'

/** DeleteObject, which succeeds whether or not there is one. */
export function deleteObject(context: Context): Reply {
  const { storage, bucket, key } = context
  const { ifMatch } = readConditions(context)
  if (ifMatch !== undefined) checkDeletion(context, key, ifMatch)
  if (storage.objects.delete(bucket, key)) context.applied()
  return emptyReply(204)
}

/** Throws unless there is an object with that ETag, or any for `*`. */
export function checkDeletion(
  { storage, bucket }: Context,
  key: string,
  ifMatch: string,
): void {
  const record = storage.objects.get(bucket, key)
  if (record === undefined && ifMatch.trim() !== '*') {
    apiError('NoSuchKey', { extra: { Key: key } })
  }
  if (record === undefined || !matches(ifMatch, record.etag)) {
    apiError('PreconditionFailed', { extra: { Condition: 'If-Match' } })
  }
}
