import { apiError } from '../wire/api-error.js'
import { readConditions, refuseHeader } from './conditional-headers.js'
import { judgeWrite, type Conditions, type Found } from './conditions.js'
import { ownHeader, type Context } from './context.js'
import { requireBucket } from './names.js'

/**
 * Throws when the object may not be written. Gives the same question to be asked
 * again in the turn in which it is written: somebody may have made, replaced or
 * deleted it meanwhile, or deleted its bucket.
 */
export function guardWrite(context: Context): () => void {
  const { bucket, dialect } = context
  if (dialect.name === 'oss') {
    checkOverwrite(context)
    return () => {
      requireBucket(context, bucket)
      checkOverwrite(context)
    }
  }
  const conditions = readConditions(context)
  checkForm(context, conditions)
  const before = find(context)
  check(conditions, before, before)
  return () => {
    requireBucket(context, bucket)
    check(conditions, find(context), before)
  }
}

/** OSS's way: it forbids to replace, and knows no conditions on writes. */
export function checkOverwrite(context: Context): void {
  const { storage, bucket, key } = context
  const forbids =
    ownHeader(context, 'forbid-overwrite')?.toLowerCase() === 'true'
  if (forbids && storage.objects.get(bucket, key) !== undefined) {
    apiError('FileAlreadyExists')
  }
}

/** S3 takes one ETag in `If-Match` and a star in `If-None-Match`. */
function checkForm({ dialect }: Context, conditions: Conditions): void {
  const { ifMatch, ifNoneMatch = '*' } = conditions
  if (ifNoneMatch.trim() !== '*') refuseHeader(dialect, 'if-none-match')
  if (ifMatch?.trim() === '*') refuseHeader(dialect, 'if-match')
}

function find({ storage, bucket, key }: Context): Found {
  return {
    etag: storage.objects.get(bucket, key)?.etag,
    changes: storage.objects.changes(bucket, key),
  }
}

function check(conditions: Conditions, now: Found, before: Found): void {
  const verdict = judgeWrite(conditions, now, before)
  if (verdict === 'goes') return
  const { ifMatch } = conditions
  apiError(verdict, {
    extra: { Condition: ifMatch === undefined ? 'If-None-Match' : 'If-Match' },
  })
}
