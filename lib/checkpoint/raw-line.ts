/**
 * Finds the lines in the bytes of a log and takes them apart, without believing
 * any of them. Works on bytes: making a string of each line first would cost
 * more than all the rest of reading.
 */
import { CR, HASH_DIGITS, LF, MAX_LINE_BYTES } from './format.js'

/** A line that looks like one; offsets are from the start of the log. */
export interface RawLine {
  /** Where its hash begins. */
  start: number
  seq: number
  type: string
  /** Where its JSON begins and ends. */
  json: number
  last: number
}

/** Where a line ends. */
export interface LineEnd {
  /** Without LF, and without a CR before it. */
  last: number
  /** Behind its LF, or the end of the log. */
  end: number
  /** It has its LF. Only the last can be without. */
  isEnded: boolean
}

const SPACE = 0x20
const ZERO = 0x30
const OPEN_BRACE = 0x7b
const MAX_SEQ_DIGITS = 15
const MAX_TYPE_LETTERS = 32

/**
 * The end of the line that begins at an offset. A CR before the LF is not part
 * of the line: a log that went through an editor is still a log.
 */
export function lineEnd(bytes: Buffer, start: number): LineEnd {
  const lf = bytes.indexOf(LF, start)
  if (lf === -1)
    return { last: bytes.length, end: bytes.length, isEnded: false }
  const isCrLf = lf > start && bytes[lf - 1] === CR
  return { last: isCrLf ? lf - 1 : lf, end: lf + 1, isEnded: true }
}

/** Takes apart what lies between two offsets; undefined when it is no line. */
export function parseLine(
  bytes: Buffer,
  start: number,
  last: number,
): RawLine | undefined {
  if (last - start >= MAX_LINE_BYTES) return undefined
  let at = start + HASH_DIGITS
  if (bytes[at] !== SPACE) return undefined
  const digits = at + 1
  let seq = 0
  for (at = digits; isDigit(bytes[at]); at++) {
    seq = seq * 10 + (bytes[at] ?? 0) - ZERO
  }
  const isPlain = bytes[digits] !== ZERO || at === digits + 1
  if (at === digits || at - digits > MAX_SEQ_DIGITS || !isPlain)
    return undefined
  if (bytes[at] !== SPACE) return undefined
  const letters = at + 1
  for (at = letters; isLetter(bytes[at]); at++);
  if (at === letters || at - letters > MAX_TYPE_LETTERS) return undefined
  if (bytes[at] !== SPACE || bytes[at + 1] !== OPEN_BRACE) return undefined
  const type = bytes.toString('latin1', letters, at)
  return at + 1 < last ? { start, seq, type, json: at + 1, last } : undefined
}

/** A line's JSON. */
export function jsonOf(bytes: Buffer, line: RawLine): string {
  return bytes.toString('latin1', line.json, line.last)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9
}

function isLetter(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}
