/**
 * Tells the lines that were written to this log from all others. Pure.
 *
 * A line's hash covers the upload that it was written for. The reader goes
 * through the file with the ID of the last `upload` it has come by. A line that
 * does not verify so is tried once more at the end, with the ID that its number
 * asks for: lines that changed places are not lost.
 */
import { verifiedHeader } from './find-header.js'
import { FORMAT } from './format.js'
import { namesItsUpload } from './line.js'
import type { LineHasher } from './line.js'
import { decodeRecord, isKnownType } from './record.js'
import type { LogRecord } from './record.js'
import { blocksOf, lineEnd, parseLine } from './raw-line.js'
import type { RawLine } from './raw-line.js'

/** A line that verifies. */
export interface Entry {
  seq: number
  /** Undefined when it is of an unknown type, or says what cannot be. */
  record: LogRecord | undefined
  /** Of a type that this version does not know. */
  isUnknown: boolean
  /** In a format, or of a type, that only a later version may read. */
  isNewer: boolean
  /** The upload that it was written for; undefined when that is no matter. */
  epoch: string | undefined
}

export interface VerifiedLines {
  entries: Entry[]
  /** Lines that do not verify, without a torn tail. */
  unverified: number
  /** Where the last line that verifies ends. */
  goodLength: number
  /** Something that verifies needs a later version. */
  isNewer: boolean
}

interface Failed {
  line: RawLine | undefined
  end: number
  isEnded: boolean
}

/** Verifies every line of a log, against the log's own ID. */
export function verifyLines(
  bytes: Buffer,
  logId: string,
  hasher: LineHasher,
): VerifiedLines {
  const entries: Entry[] = []
  const uploads: { seq: number; uploadId: string }[] = []
  const failed: Failed[] = []
  let goodLength = 0
  let isNewer = false
  let epoch = ''

  function accept(entry: Entry, end: number): void {
    const { record, seq } = entry
    if (record?.type === 'upload') {
      epoch = record.uploadId
      uploads.push({ seq, uploadId: epoch })
    }
    isNewer ||= entry.isNewer
    goodLength = Math.max(goodLength, end)
    entries.push(entry)
  }

  for (const { text, offset } of blocksOf(bytes)) {
    for (let start = 0; start < text.length;) {
      const { last, end, isEnded } = lineEnd(text, start)
      const line = parseLine(text, start, last)
      const found = line && verifyLine(line, logId, epoch, hasher)
      if (found !== undefined) accept(found, offset + end)
      else if (last > start) failed.push({ line, end: offset + end, isEnded })
      start = end
    }
  }

  const epochBefore = epochsOf(uploads)
  let unverified = 0
  for (const { line, end, isEnded } of failed) {
    const found = line && verifyLine(line, logId, epochBefore(line.seq), hasher)
    if (found !== undefined) accept(found, end)
    else if (isEnded) unverified += 1
  }
  return { entries, unverified, goodLength, isNewer }
}

function verifyLine(
  line: RawLine,
  logId: string,
  epoch: string,
  hasher: LineHasher,
): Entry | undefined {
  if (line.type === 'log') {
    const header = verifiedHeader(line, hasher)
    if (header?.logId !== logId) return undefined
    return { ...entryOf(line, undefined), isNewer: header.format > FORMAT }
  }
  if (namesItsUpload(line.type)) {
    const entry = entryOf(line, undefined)
    const { record } = entry
    if (record === undefined || !('uploadId' in record)) return undefined
    return hasher.verifies(line, logId, record.uploadId) ? entry : undefined
  }
  return hasher.verifies(line, logId, epoch) ? entryOf(line, epoch) : undefined
}

function entryOf(
  { seq, type, json }: RawLine,
  epoch: string | undefined,
): Entry {
  const isUnknown = !isKnownType(type)
  const record = isUnknown ? undefined : decodeRecord(type, json)
  const isNewer = isUnknown && /^[A-Z]/.test(type)
  return { seq, record, isUnknown, isNewer, epoch }
}

/** Looks up which upload a number belongs to: the last one below it. */
function epochsOf(
  uploads: readonly { seq: number; uploadId: string }[],
): (seq: number) => string {
  const sorted = uploads.toSorted((a, b) => a.seq - b.seq)
  return (seq) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sorted[middle]?.seq ?? 0) < seq) low = middle + 1
      else high = middle
    }
    return sorted[low - 1]?.uploadId ?? ''
  }
}
