import { bufferOn } from '../realm.js'

/**
 * One object of a log that is kept in a bucket: a line that says which it is, then
 * bytes of the log. Pure.
 *
 *     pawl-segment 1 <number> <token> <kind>[ <other number>] LF
 *
 * `held`: a run has taken the log. `data`: bytes follow. `aside`: what is before it
 * is damaged and kept. `removed`: the log is over, and the next one begins behind
 * it. `moved`: the log that began here is over, at the `removed` of that number.
 */
export type SegmentKind = 'held' | 'data' | 'aside' | 'removed' | 'moved'

export interface Segment {
  number: number
  /** Of the run that made it. */
  token: string
  kind: SegmentKind
  /** Of `moved`: the number of the end. */
  end: number
  bytes: Uint8Array
}

const line =
  /^pawl-segment 1 ([1-9]\d{0,8}) ([0-9a-f]{32}) (held|data|aside|removed|moved)(?: ([1-9]\d{0,8}))?\n/

/** Longest first line, in bytes. */
const longestLine = 128

export function encodeSegment({
  number,
  token,
  kind,
  end = 0,
  bytes = Buffer.alloc(0),
}: Pick<Segment, 'number' | 'token' | 'kind'> & Partial<Segment>): Buffer {
  const to = kind === 'moved' ? ` ${end}` : ''
  const first = `pawl-segment 1 ${number} ${token} ${kind}${to}\n`
  return Buffer.concat([Buffer.from(first, 'latin1'), bytes])
}

/** Undefined for anything else, and for one of another number. */
export function decodeSegment(
  object: Uint8Array,
  number: number,
): Segment | undefined {
  const all = bufferOn(object)
  const found = line.exec(all.toString('latin1', 0, longestLine))
  if (found === null || Number(found[1]) !== number) return undefined
  const [first, , token = '', kind = '', end] = found
  if (!isKind(kind) || (kind === 'moved') !== (end !== undefined)) {
    return undefined
  }
  const bytes = all.subarray(first.length)
  if (kind !== 'data' && bytes.length > 0) return undefined
  return { number, token, kind, end: Number(end ?? 0), bytes }
}

function isKind(text: string): text is SegmentKind {
  return ['held', 'data', 'aside', 'removed', 'moved'].includes(text)
}

/** What segments that follow each other add up to. */
export interface SegmentedLog {
  bytes: Uint8Array
  /** Where the log begins: the first number behind the end of the one before it. */
  first: number
  /** The number that comes next. */
  next: number
  /** Of the last segment; undefined before the first. */
  token: string | undefined
}

/** `segments` in order, without a gap, from `first`. */
export function foldSegments(
  segments: readonly Segment[],
  first: number,
): SegmentedLog {
  let begin = first
  let blocks: Uint8Array[] = []
  for (const { kind, number, bytes } of segments) {
    if (kind === 'removed') begin = number + 1
    if (kind === 'removed' || kind === 'aside') blocks = []
    if (kind === 'data') blocks.push(bytes)
  }
  return {
    bytes: Buffer.concat(blocks),
    first: begin,
    next: first + segments.length,
    token: segments.at(-1)?.token,
  }
}

/** What is kept beside the segments, and written over again and again. */
export interface Heartbeat {
  /** Of the run that holds the log, or has let go of it. */
  token: string
  /** ms */
  lease: number
  isFree: boolean
  /** The number of the last `removed` that is known; 0: none. */
  end: number
}

const beat =
  /^pawl-hold 1 ([0-9a-f]{32}) ([1-9]\d{0,8}) (held|free) (0|[1-9]\d{0,8})\n$/

export function encodeHeartbeat(heartbeat: Heartbeat): Buffer {
  const { token, lease, isFree, end } = heartbeat
  const how = isFree ? 'free' : 'held'
  return Buffer.from(`pawl-hold 1 ${token} ${lease} ${how} ${end}\n`, 'latin1')
}

/** Undefined for anything else. */
export function decodeHeartbeat(object: Uint8Array): Heartbeat | undefined {
  const text = Buffer.from(object).toString('latin1', 0, longestLine)
  const found = beat.exec(text)
  if (found === null) return undefined
  const [, token = '', lease, how, end] = found
  return {
    token,
    lease: Number(lease),
    isFree: how === 'free',
    end: Number(end),
  }
}

/** Servers give times in whole seconds, ms. */
const granularity = 1000

/** Signs of life of whoever may hold a log, by the server's clock. */
export interface SignsOfLife {
  heartbeat: Heartbeat | undefined
  /** Of the last segment. */
  token: string | undefined
  /** ms since the last of them; undefined: there is none. */
  age: number | undefined
  /** ms; of who asks, where the holder's own is not known. */
  lease: number
}

/**
 * ms until the log may be taken, 0 and less: since when it may. Undefined: nobody
 * ever held it.
 */
export function untilFree({
  heartbeat,
  token,
  age,
  lease,
}: SignsOfLife): number | undefined {
  if (age === undefined) return undefined
  const isHolders = heartbeat?.token === token
  if (heartbeat?.isFree === true && (isHolders || token === undefined)) {
    return -age
  }
  const its = isHolders ? (heartbeat?.lease ?? lease) : lease
  return its + granularity - age
}
