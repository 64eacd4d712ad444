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
import { jsonOf, lineEnd, parseLine } from './raw-line.js'
import type { RawLine } from './raw-line.js'

/** A line that verifies. */
export interface Entry {
  seq: number
  /** Undefined when it is of an unknown type, or says what cannot be. */
  record: LogRecord | undefined
  /** Of a type that this version may pass over. */
  isUnknown: boolean
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

  function accept({ entry, isNewer: needsLater }: Verified, end: number): void {
    const { record, seq } = entry
    if (record?.type === 'upload') {
      epoch = record.uploadId
      uploads.push({ seq, uploadId: epoch })
    }
    isNewer ||= needsLater
    goodLength = Math.max(goodLength, end)
    entries.push(entry)
  }

  for (let start = 0; start < bytes.length;) {
    const { last, end, isEnded } = lineEnd(bytes, start)
    const line = parseLine(bytes, start, last)
    const found = line && verifyLine(bytes, line, logId, epoch, hasher)
    if (found !== undefined) accept(found, end)
    else if (last > start) failed.push({ line, end, isEnded })
    start = end
  }

  const epochBefore = epochsOf(uploads)
  let unverified = 0
  for (const { line, end, isEnded } of failed) {
    const found =
      line && verifyLine(bytes, line, logId, epochBefore(line.seq), hasher)
    if (found !== undefined) accept(found, end)
    else if (isEnded) unverified += 1
  }
  return { entries, unverified, goodLength, isNewer }
}

interface Verified {
  entry: Entry
  isNewer: boolean
}

function verifyLine(
  bytes: Buffer,
  line: RawLine,
  logId: string,
  epoch: string,
  hasher: LineHasher,
): Verified | undefined {
  if (line.type === 'log') {
    const header = verifiedHeader(bytes, line, hasher)
    if (header?.logId !== logId) return undefined
    return {
      entry: entryOf(bytes, line, undefined),
      isNewer: header.format > FORMAT,
    }
  }
  if (namesItsUpload(line.type)) {
    const entry = entryOf(bytes, line, undefined)
    const { record } = entry
    if (record === undefined || !('uploadId' in record)) return undefined
    if (!hasher.verifies(bytes, line, logId, record.uploadId)) return undefined
    return { entry, isNewer: false }
  }
  if (!hasher.verifies(bytes, line, logId, epoch)) return undefined
  const entry = entryOf(bytes, line, epoch)
  return { entry, isNewer: entry.isUnknown && /^[A-Z]/.test(line.type) }
}

function entryOf(
  bytes: Buffer,
  line: RawLine,
  epoch: string | undefined,
): Entry {
  const { seq, type } = line
  const isUnknown = !isKnownType(type)
  const record = isUnknown ? undefined : decodeRecord(type, jsonOf(bytes, line))
  return { seq, record, isUnknown, epoch }
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
