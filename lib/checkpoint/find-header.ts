/**
 * Decides whether the bytes of a file are a log at all. Pure.
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
import { lineEnd, parseLine } from './raw-line.js'
import type { RawLine } from './raw-line.js'

/** A line that is a header by its hash. */
export interface FoundHeader {
  seq: number
  json: string
  logId: string
  /** The format's number, perhaps higher than what this version reads. */
  format: number
}

/** Says what bytes, of which there are some, begin with. */
export function findHeader(
  bytes: Buffer,
  hasher: LineHasher,
): FoundHeader | 'damaged' | 'foreign' {
  const text = bytes.toString('latin1', 0, MAX_LINE_BYTES)
  const { last } = lineEnd(text, 0)
  const first = parseLine(text, 0, last)
  const found =
    (first && verifiedHeader(first, hasher)) ??
    secondCopy(bytes.toString('latin1', 0, 3 * MAX_LINE_BYTES), hasher)
  if (found !== undefined) return found
  const start = text.slice(0, 64)
  return HEADER_MAGIC.test(start) || isCutMagic(start) ? 'damaged' : 'foreign'
}

/** A line as a header, of any format; undefined if it is none. */
export function verifiedHeader(
  line: RawLine,
  hasher: LineHasher,
): FoundHeader | undefined {
  if (line.type !== 'log') return undefined
  const { seq, json } = line
  const [, format, logId] = HEADER_JSON.exec(json) ?? []
  if (logId === undefined) return undefined
  if (!hasher.verifies(line, logId, '')) return undefined
  return { seq, json, logId, format: Number(format) }
}

/** The second copy: behind a damaged first that is as long and mostly equal. */
function secondCopy(text: string, hasher: LineHasher): FoundHeader | undefined {
  let start = 0
  while (start <= MAX_LINE_BYTES && start < text.length) {
    const { last, end } = lineEnd(text, start)
    // The copies and the blank line between them: all that may be before it.
    if (start === end - start + 1 && isLike(text, start)) {
      const line = parseLine(text, start, last)
      return line && verifiedHeader(line, hasher)
    }
    start = end
  }
  return undefined
}

/** At least half of the characters at the start are those at an offset. */
function isLike(text: string, offset: number): boolean {
  let same = 0
  for (let at = 0; at < offset; at++) {
    if (text[at] === text[at + offset]) same += 1
  }
  return same * 2 >= offset
}
