import { plainEtag } from '../wire/dialect.js'

/** What a conditional header is compared with. */
export interface Validators {
  /** As stored: lower case, without quotes. */
  readonly etag: string
  /** Of the last change, ms since 1970. */
  readonly time: number
}

/** The four conditional headers, as far as a request has them. */
export interface Conditions {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: string | undefined
  readonly ifUnmodifiedSince: string | undefined
}

export type Verdict =
  | { readonly holds: true }
  | {
      readonly holds: false
      /** The header that does not hold. */
      readonly condition: string
      /** Such a read is answered by what the reader already has. */
      readonly isUnchanged: boolean
    }

const holds: Verdict = { holds: true }

/**
 * May an object be read? By RFC 9110: a condition on dates counts only where the
 * one on ETags that goes with it is missing; a date that is none counts as missing.
 */
export function judgeRead(
  { ifMatch, ifNoneMatch, ...dates }: Conditions,
  { etag, time }: Validators,
): Verdict {
  // Dates of headers have no parts of a second.
  const changed = Math.floor(time / 1000) * 1000
  const unmodified = Date.parse(dates.ifUnmodifiedSince ?? '')
  const modified = Date.parse(dates.ifModifiedSince ?? '')
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, etag)) return fails('If-Match')
  } else if (changed > unmodified) {
    return fails('If-Unmodified-Since')
  }
  if (ifNoneMatch !== undefined) {
    return matches(ifNoneMatch, etag) ? fails('If-None-Match', true) : holds
  }
  return changed <= modified ? fails('If-Modified-Since', true) : holds
}

function fails(condition: string, isUnchanged = false): Verdict {
  return { holds: false, condition, isUnchanged }
}

/** Is an ETag among those of a header? `*` is any. */
export function matches(list: string, etag: string): boolean {
  return list
    .split(',')
    .some((item) => item.trim() === '*' || plainEtag(item) === etag)
}

/** What a conditional write finds under its key, at its start or its end. */
export interface Found {
  /** Undefined where there is no object. */
  readonly etag: string | undefined
  /** Grows with each write and deletion. */
  readonly changes: number
}

export type WriteVerdict =
  'goes' | 'PreconditionFailed' | 'NoSuchKey' | 'ConditionalRequestConflict'

/**
 * May an object be written? Asked with `now` alone before the body is taken, and
 * with both once it is there: the first of two writers wins, and who lost to a
 * write or deletion that came between is told of a conflict.
 */
export function judgeWrite(
  { ifMatch, ifNoneMatch }: Pick<Conditions, 'ifMatch' | 'ifNoneMatch'>,
  now: Found,
  before: Found = now,
): WriteVerdict {
  const isChanged = now.changes !== before.changes
  if (ifNoneMatch !== undefined) {
    if (now.etag !== undefined) return 'PreconditionFailed'
    if (isChanged) return 'ConditionalRequestConflict'
  }
  if (ifMatch !== undefined) {
    if (now.etag === undefined) return 'NoSuchKey'
    if (isChanged) return 'ConditionalRequestConflict'
    if (!matches(ifMatch, now.etag)) return 'PreconditionFailed'
  }
  return 'goes'
}
