import type { ObjectRecord } from '../storage/records.js'
import { apiError } from '../wire/api-error.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { readConditions } from './conditional-headers.js'
import { judgeRead } from './conditions.js'
import type { Context } from './context.js'

const kept = ['cache-control', 'expires']

/** The answer to a reader who has the object already; throws a 412. */
export function unchangedReply(
  context: Context,
  record: ObjectRecord,
): Reply | undefined {
  const verdict = judgeRead(readConditions(context), record)
  if (verdict.holds) return undefined
  if (!verdict.isUnchanged) failed(verdict.condition)
  const headers = Object.entries(record.settings.headers)
  return emptyReply(304, {
    etag: context.dialect.etag(record.etag),
    'last-modified': new Date(record.time).toUTCString(),
    ...Object.fromEntries(headers.filter(([name]) => kept.includes(name))),
  })
}

/**
 * The same for what is copied: OSS answers 304 where a reader would get it, S3
 * refuses in any case.
 */
export function unchangedCopy(
  context: Context,
  source: ObjectRecord,
): Reply | undefined {
  const { dialect } = context
  const prefix = `${dialect.prefix}copy-source-`
  const verdict = judgeRead(readConditions(context, prefix), source)
  if (verdict.holds) return undefined
  return dialect.name === 'oss' && verdict.isUnchanged
    ? emptyReply(304, { etag: dialect.etag(source.etag) })
    : failed(prefix + verdict.condition.toLowerCase())
}

function failed(condition: string): never {
  return apiError('PreconditionFailed', { extra: { Condition: condition } })
}
