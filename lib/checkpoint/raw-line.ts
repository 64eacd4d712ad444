/**
 * Finds the lines in the text of a log, one character a byte, and takes them
 * apart, without believing any of them. Pure.
 *
 * The pieces are slices of the text, found by one pattern: a log of 10,000 parts
 * is mostly read in the first call of a process, where code that goes from byte
 * to byte is not compiled yet.
 */
import { LF, MAX_LINE_BYTES } from './format.js'

/** A line that looks like one. */
export interface RawLine {
  hash: string
  /** What the hash covers of it: all behind the hash and its space. */
  rest: string
  seq: number
  type: string
  json: string
}

/** Where a line ends. */
export interface LineEnd {
  /** Without LF, and without a CR before it. */
  last: number
  /** Behind its LF, or the end of the log. */
  end: number
  /** The line has its LF. Only the last one can be without. */
  isEnded: boolean
}

/** Whole lines of a log as text. */
export interface Block {
  text: string
  /** Where it begins in the log. */
  offset: number
}

/** Bytes of a block, unless one line is longer. */
const blockBytes = 8 * 1024

const LINE = /^(.{16}) ((0|[1-9]\d{0,14}) ([A-Za-z]{1,32}) (\{.+))$/s

/**
 * A log in blocks of whole lines, one character a byte. The text of all of it
 * would be fresh memory, which costs more than what is done with it.
 */
export function* blocksOf(bytes: Buffer): Generator<Block, void, undefined> {
  for (let offset = 0; offset < bytes.length;) {
    const lf = bytes.indexOf(LF, offset + blockBytes)
    const end = lf === -1 ? bytes.length : lf + 1
    yield { text: bytes.toString('latin1', offset, end), offset }
    offset = end
  }
}

/**
 * The end of the line that begins at an offset. A CR before the LF is not part
 * of the line: a log that went through an editor is still a log.
 */
export function lineEnd(text: string, start: number): LineEnd {
  const lf = text.indexOf('\n', start)
  if (lf === -1) return { last: text.length, end: text.length, isEnded: false }
  const isCrLf = lf > start && text[lf - 1] === '\r'
  return { last: isCrLf ? lf - 1 : lf, end: lf + 1, isEnded: true }
}

/** Takes apart what lies between two offsets; undefined when it is no line. */
export function parseLine(
  text: string,
  start: number,
  last: number,
): RawLine | undefined {
  if (last - start >= MAX_LINE_BYTES) return undefined
  const found = LINE.exec(text.slice(start, last))
  if (found === null) return undefined
  const [, hash = '', rest = '', seq, type = '', json = ''] = found
  return { hash, rest, seq: Number(seq), type, json }
}
