/**
 * Decides whether bytes are a log at all. Pure.
 *
 * A log begins with two copies of its first header. One of them must verify, in
 * its place: the first at the very start, the second right behind what is
 * recognisably a damaged first. A header further on proves nothing: archives
 * and dumps may well hold a log, and appending to them would destroy them.
 */
import {
  HEADER_JSON,
  HEADER_MAGIC,
  MAX_LINE_BYTES,
  isCutMagic,
} from './format.js'
import type { LineHasher } from './line.js'
import { jsonOf, lineEnd, parseLine } from './raw-line.js'
import type { RawLine } from './raw-line.js'

/** A line that is a header by its hash. */
export interface FoundHeader {
  seq: number
  json: string
  logId: string
  /** The format's number, perhaps higher than what this version reads. */
  format: number
}

/** Says what the bytes, at least one, begin with. */
export function findHeader(
  bytes: Buffer,
  hasher: LineHasher,
): FoundHeader | 'damaged' | 'foreign' {
  const { last } = lineEnd(bytes, 0)
  const first = parseLine(bytes, 0, last)
  const found =
    (first && verifiedHeader(bytes, first, hasher)) ?? secondCopy(bytes, hasher)
  if (found !== undefined) return found
  const start = bytes.toString('latin1', 0, 64)
  return HEADER_MAGIC.test(start) || isCutMagic(start) ? 'damaged' : 'foreign'
}

/** A line as a header, of any format; undefined if it is none. */
export function verifiedHeader(
  bytes: Buffer,
  line: RawLine,
  hasher: LineHasher,
): FoundHeader | undefined {
  if (line.type !== 'log') return undefined
  const json = jsonOf(bytes, line)
  const [, format, logId] = HEADER_JSON.exec(json) ?? []
  if (logId === undefined) return undefined
  if (!hasher.verifies(bytes, line, logId, '')) return undefined
  return { seq: line.seq, json, logId, format: Number(format) }
}

/** The second copy: behind a damaged first that is as long and mostly equal. */
function secondCopy(
  bytes: Buffer,
  hasher: LineHasher,
): FoundHeader | undefined {
  let start = 0
  while (start <= MAX_LINE_BYTES && start < bytes.length) {
    const { last, end } = lineEnd(bytes, start)
    // The copies and the blank line between them: all that may be before it.
    if (start === end - start + 1 && isLike(bytes, start)) {
      const line = parseLine(bytes, start, last)
      return line && verifiedHeader(bytes, line, hasher)
    }
    start = end
  }
  return undefined
}

/** At least half of the bytes at the start are those at an offset. */
function isLike(bytes: Buffer, offset: number): boolean {
  let same = 0
  for (let at = 0; at < offset; at++) {
    if (bytes[at] === bytes[at + offset]) same += 1
  }
  return same * 2 >= offset
}
