import { checksumHeader } from '../body/checksum-headers.js'
import { hexToBase64 } from '../body/digests.js'
import type { ObjectRecord } from '../storage/records.js'
import { apiError } from '../wire/api-error.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { header } from '../wire/request-head.js'
import { crcHeader } from './complete-upload.js'
import { ownHeader, type Context } from './context.js'
import { settingsHeaders } from './settings.js'

/** HeadObject. */
export function headObject(context: Context): Reply {
  const record = requireObject(context)
  return emptyReply(200, {
    ...objectHeaders(context, record, true),
    'content-length': String(record.size),
  })
}

/** GetObject, whole or one range. */
export function getObject(context: Context): Reply {
  const record = requireObject(context)
  const path = context.storage.objects.dataPath(record)
  if (path === undefined) apiError('InvalidObjectState')
  const range = readRange(context, record.size)
  const headers = {
    ...objectHeaders(context, record, range === undefined),
    ...overrides(context),
  }
  if (range === undefined) {
    return {
      status: 200,
      headers,
      body: { path, start: 0, end: record.size },
    }
  }
  const { start, end } = range
  return {
    status: 206,
    headers: {
      ...headers,
      'content-range': `bytes ${start}-${end - 1}/${record.size}`,
    },
    body: { path, start, end },
  }
}

/** DeleteObject, which succeeds whether or not there is one. */
export function deleteObject(context: Context): Reply {
  const { storage, bucket, key } = context
  if (storage.objects.delete(bucket, key)) context.applied()
  return emptyReply(204)
}

function requireObject({ storage, bucket, key }: Context): ObjectRecord {
  return (
    storage.objects.get(bucket, key) ??
    apiError('NoSuchKey', { extra: { Key: key } })
  )
}

function objectHeaders(
  context: Context,
  record: ObjectRecord,
  isWhole: boolean,
): Record<string, string> {
  const { dialect } = context
  const { md5, checksum } = record
  const headers: Record<string, string> = {
    ...settingsHeaders(record.settings, dialect),
    etag: dialect.etag(record.etag),
    'last-modified': new Date(record.time).toUTCString(),
    'accept-ranges': 'bytes',
    ...crcHeader(record, context),
  }
  if (dialect.name === 'oss') {
    headers['x-oss-object-type'] = record.type
    if (md5 !== undefined) headers['content-md5'] = hexToBase64(md5)
    return headers
  }
  const mode = ownHeader(context, 'checksum-mode')?.toUpperCase()
  if (checksum !== undefined && mode === 'ENABLED' && isWhole) {
    headers[checksumHeader(checksum.algorithm)] = checksum.value
    headers['x-amz-checksum-type'] = checksum.type
  }
  return headers
}

/** `response-content-type` and the like, which presigned URLs use. */
function overrides({ head }: Context): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of head.query.pairs) {
    if (name.startsWith('response-')) headers[name.slice(9)] = value
  }
  return headers
}

/** `end` is not included. OSS answers the whole object for a senseless range. */
function readRange(
  context: Context,
  size: number,
): { start: number; end: number } | undefined {
  const text = header(context.head.headers, 'range')
  if (text === undefined) return undefined
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(text) ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const isLast = first === '' || last === ''
  const end = isLast ? size : Math.min(size, Number(last) + 1)
  if (start < end) return { start, end }
  const isStrict =
    context.dialect.name === 's3' ||
    ownHeader(context, 'range-behavior') === 'standard'
  return isStrict ? apiError('InvalidRange') : undefined
}
