import type { ObjectRecord } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { header } from '../wire/request-head.js'
import { ownHeader, type Context } from './context.js'

/** A stretch of an object, `end` not included. */
export interface Slice {
  readonly start: number
  readonly end: number
  /** What the answer says of it. */
  readonly headers: Readonly<Record<string, string>>
}

/** The range or part that a read asks for; undefined for the whole. */
export function readSlice(
  context: Context,
  record: ObjectRecord,
): Slice | undefined {
  const partNumber = context.head.query.get('partNumber')
  const range = header(context.head.headers, 'range')
  if (partNumber === undefined) {
    return range === undefined
      ? undefined
      : rangeSlice(context, range, record.size)
  }
  if (range !== undefined) {
    apiError('InvalidRequest', {
      message: 'Cannot specify both Range header and partNumber.',
    })
  }
  return partSlice(record, partNumber)
}

/** OSS answers the whole object for a senseless range, if not told otherwise. */
function rangeSlice(
  context: Context,
  text: string,
  size: number,
): Slice | undefined {
  const range = parseRange(text, size)
  if (range === undefined) return undefined
  const { start, end } = range
  if (start < end) {
    return {
      ...range,
      headers: { 'content-range': `bytes ${start}-${end - 1}/${size}` },
    }
  }
  const isStrict =
    context.dialect.name === 's3' ||
    ownHeader(context, 'range-behavior') === 'standard'
  return isStrict ? apiError('InvalidRange') : undefined
}

/** The bytes of a range, none where it lies outside; undefined for other text. */
function parseRange(
  text: string,
  size: number,
): { start: number; end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(text) ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const isLast = first === '' || last === ''
  const end = isLast ? size : Math.min(size, Number(last) + 1)
  return { start, end }
}

/** An object in one piece is its own first part. */
function partSlice(record: ObjectRecord, text: string): Slice {
  const wanted = Number(text)
  if (!/^\d+$/.test(text) || wanted < 1 || wanted > 10_000) {
    invalidArgument('partNumber', text)
  }
  const { parts = [{ partNumber: 1, size: record.size }], size } = record
  const index = parts.findIndex(({ partNumber }) => partNumber === wanted)
  const part = parts[index]
  if (part === undefined) {
    apiError('InvalidRange', {
      message: 'The requested partnumber is not satisfiable.',
    })
  }
  const start = parts
    .slice(0, index)
    .reduce((sum, before) => sum + before.size, 0)
  const end = start + part.size
  return {
    start,
    end,
    headers: {
      'x-amz-mp-parts-count': String(parts.length),
      ...(start < end
        ? { 'content-range': `bytes ${start}-${end - 1}/${size}` }
        : {}),
    },
  }
}
