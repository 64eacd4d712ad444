/**
 * From the bytes of a file to what the log in them says. Pure; it throws only
 * for a file that is not a log, and for a log that a later version wrote.
 *
 * A clean end, a torn tail and damage are three results: only damage is counted
 * as such. What is returned was written with exactly this content, to this log
 * and for this upload, whatever has happened to the bytes around it.
 */
import { UploadError } from '../errors.js'
import type { Xxh64 } from '../hash/xxh64.js'
import { bufferOn } from '../realm.js'
import { findHeader } from './find-header.js'
import { applyRecord, emptyState } from './fold.js'
import type { LogState } from './fold.js'
import { FORMAT, LF, MAX_LOG_BYTES } from './format.js'
import { LineHasher } from './line.js'
import { decodeRecord } from './record.js'
import type { HeaderRecord } from './record.js'
import { verifyLines } from './verify-lines.js'
import type { Entry } from './verify-lines.js'

/** What was lost or not understood; all zero for a log that is whole. */
export interface LogDamage {
  /** Lines that do not verify; a torn tail is not among them. */
  lines: number
  /** Records that verify but say what cannot be. */
  refused: number
  /** Numbers up to the last record's that no line has. */
  missing: number
}

/** A log that could be read. */
export interface ReadLog {
  kind: 'log'
  state: LogState
  damage: LogDamage
  /** The last byte is not LF: the next write has to begin with one. */
  tornTail: boolean
  /** The number of the next record. */
  nextSeq: number
  /** Where the last line that verifies ends, in bytes. */
  goodLength: number
  /** In bytes. */
  size: number
}

/**
 * What the bytes of a file are. `damaged` was meant to be a log but has no
 * header left: it is to be set aside, unchanged.
 */
export type LogReading = { kind: 'empty' } | ReadLog | { kind: 'damaged' }

/**
 * Reads a log. Throws `PAWL_NOT_A_CHECKPOINT` for anything that is not one, and
 * `PAWL_CHECKPOINT_VERSION` for one in a newer format; `name` is for the text.
 */
export function readLog(
  bytes: Uint8Array,
  xxh64: Xxh64,
  name = 'the file',
): LogReading {
  if (bytes.byteLength === 0) return { kind: 'empty' }
  if (bytes.byteLength > MAX_LOG_BYTES) throw notACheckpoint(name)
  const log = bufferOn(bytes)
  const hasher = new LineHasher(xxh64)
  const found = findHeader(log, hasher)
  if (found === 'foreign' && !wasOurs(log, name)) throw notACheckpoint(name)
  if (found === 'foreign') return { kind: 'damaged' }
  if (found === 'damaged') return { kind: 'damaged' }
  if (found.format > FORMAT) throw newerFormat(name)
  const header = decodeRecord('log', found.json)
  if (header?.type !== 'log') return { kind: 'damaged' }

  const read = verifyLines(log, found.logId, hasher)
  if (read.isNewer) throw newerFormat(name)
  const { state, ...rest } = fold(header, read.entries)
  return {
    kind: 'log',
    state,
    damage: { lines: read.unverified, ...rest.damage },
    tornTail: bytes.at(-1) !== LF,
    nextSeq: rest.nextSeq,
    goodLength: read.goodLength,
    size: bytes.length,
  }
}

/** Adds up the entries in the order of their numbers; the first of each counts. */
function fold(header: HeaderRecord, entries: readonly Entry[]) {
  const state = emptyState(header)
  let [last, distinct, refused] = [-1, 0, 0]
  for (const entry of entries.toSorted((a, b) => a.seq - b.seq)) {
    if (entry.seq === last) continue
    last = entry.seq
    distinct += 1
    if (!entry.isUnknown && !fits(state, entry)) refused += 1
  }
  const missing = Math.max(0, last - distinct)
  return { state, damage: { refused, missing }, nextSeq: last + 1 }
}

function fits(state: LogState, { record, epoch }: Entry): boolean {
  if (record === undefined) return false
  // Two runs that wrote at once, without a lock, may have mixed their uploads.
  const current = state.upload?.uploadId ?? ''
  if (epoch !== undefined && epoch !== current) return false
  return applyRecord(state, record)
}

/** Names that this library makes: a digest, perhaps behind a file's name. */
const madeName = /(?:^|[./\\])[0-9a-f]{32}\.pawl$/
/** Names that people give to logs, after the documents. */
const givenName = /\.pawl$/
/** A file system that lost what was written shows blocks of zeros. */
const blockSize = 4096

/**
 * Whether a file that has nothing of a log was one: by its name, where only we
 * give such names, or else by zeros in place of its first block.
 */
function wasOurs(bytes: Buffer, name: string): boolean {
  if (madeName.test(name)) return true
  if (!givenName.test(name)) return false
  return bytes.subarray(0, blockSize).every((byte) => byte === 0)
}

export function notACheckpoint(name: string): UploadError {
  return new UploadError(
    'PAWL_NOT_A_CHECKPOINT',
    `${name} is not a checkpoint log; nothing in it was changed. ` +
      'Name a file that does not exist yet, or the log of this upload',
  )
}

function newerFormat(name: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_VERSION',
    `${name} is a checkpoint log in a newer format than ${FORMAT}; ` +
      'go on with the version that wrote it, or name another file',
  )
}
