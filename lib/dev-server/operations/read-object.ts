import type { ObjectRecord } from '../storage/records.js'
import { apiError } from '../wire/api-error.js'
import { overridable } from '../wire/calls.js'
import { headerText } from '../wire/header-text.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { readSlice, type Slice } from './byte-range.js'
import { requireObject, type Context } from './context.js'
import { requireKey } from './customer-key.js'
import { objectHeaders } from './object-headers.js'
import { unchangedReply } from './read-conditions.js'

/** HeadObject, of which S3 takes ranges and parts too. */
export function headObject(context: Context): Reply {
  const record = requireObject(context)
  requireKey(context, record.settings)
  const unchanged = unchangedReply(context, record)
  if (unchanged !== undefined) return unchanged
  const slice =
    context.dialect.name === 's3' ? readSlice(context, record) : undefined
  const { start, end } = slice ?? { start: 0, end: record.size }
  return emptyReply(slice === undefined ? 200 : 206, {
    ...answerHeaders(context, record, slice),
    'content-length': String(end - start),
  })
}

/** GetObject: whole, one range or, with S3, one part. */
export function getObject(context: Context): Reply {
  const record = requireObject(context)
  requireKey(context, record.settings)
  const unchanged = unchangedReply(context, record)
  if (unchanged !== undefined) return unchanged
  const path = context.storage.objects.dataPath(record)
  if (path === undefined) apiError('InvalidObjectState')
  const slice = readSlice(context, record)
  const { start, end } = slice ?? { start: 0, end: record.size }
  return {
    status: slice === undefined ? 200 : 206,
    headers: answerHeaders(context, record, slice),
    body: { path, start, end },
  }
}

/** GetObjectMeta, which is a HEAD of fewer words. */
export function getObjectMeta({ dialect, ...context }: Context): Reply {
  const record = requireObject(context)
  return emptyReply(200, {
    etag: dialect.etag(record.etag),
    'content-length': String(record.size),
    'last-modified': new Date(record.time).toUTCString(),
  })
}

function answerHeaders(
  context: Context,
  record: ObjectRecord,
  slice: Slice | undefined,
): Record<string, string> {
  return {
    ...objectHeaders(context, record, slice === undefined),
    ...slice?.headers,
    ...overrides(context),
  }
}

/** What presigned URLs choose of the answer, such as a file name. */
function overrides({ head }: Context): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of overridable) {
    const asked = `response-${name}`
    const value = head.query.get(asked)
    if (value !== undefined) headers[name] = headerText(asked, value)
  }
  return headers
}
