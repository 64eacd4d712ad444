/**
 * One line of the log: `hash SP seq SP type SP JSON LF`.
 *
 * The hash is over `pawl1 NUL logId NUL uploadId NUL seq SP type SP JSON`, so
 * that a record says nothing in another log or to another upload. Which upload
 * ID that is:
 *
 * - none, the empty string, for `log`, which says itself what its log ID is;
 * - its own for a record that names one (`upload`, `void`, `closed`);
 * - that of the epoch, the last `upload` before it, for every other, and the
 *   empty string before the first `upload`.
 */
import type { Xxh64 } from '../hash/xxh64.js'
import { HASH_DIGITS, HASH_DOMAIN, MAX_LINE_BYTES } from './format.js'
import type { RawLine } from './raw-line.js'
import { encodeRecord } from './record.js'
import type { LogRecord } from './record.js'

/** Whether the hash of a type's records covers the upload ID they name. */
export function namesItsUpload(type: string): boolean {
  return type === 'upload' || type === 'void' || type === 'closed'
}

/** The upload ID that a record's hash covers. */
export function hashedUploadId(record: LogRecord, epoch: string): string {
  if (record.type === 'log') return ''
  return 'uploadId' in record ? record.uploadId : epoch
}

/** Computes hashes of lines; keeps what they begin with from call to call. */
export class LineHasher {
  readonly #xxh64: Xxh64
  #logId: string | undefined
  #uploadId = ''
  #prefix = ''

  constructor(xxh64: Xxh64) {
    this.#xxh64 = xxh64
  }

  /** Whether a line's hash is that of the rest of it, under these IDs. */
  verifies({ hash, rest }: RawLine, logId: string, uploadId: string): boolean {
    return this.#hash(logId, uploadId, rest) === hash
  }

  /** A record's line, its LF included. */
  encode(logId: string, epoch: string, seq: number, record: LogRecord): string {
    const rest = `${seq} ${record.type} ${encodeRecord(record)}`
    if (rest.length > MAX_LINE_BYTES - HASH_DIGITS - 2) {
      throw new TypeError(`a '${record.type}' record is too long for a line`)
    }
    return this.seal(logId, hashedUploadId(record, epoch), rest)
  }

  /** A line of that text behind its hash, its LF included. */
  seal(logId: string, uploadId: string, rest: string): string {
    return `${this.#hash(logId, uploadId, rest)} ${rest}\n`
  }

  #hash(logId: string, uploadId: string, rest: string): string {
    if (logId !== this.#logId || uploadId !== this.#uploadId) {
      this.#logId = logId
      this.#uploadId = uploadId
      this.#prefix = `${HASH_DOMAIN}\0${logId}\0${uploadId}\0`
    }
    return this.#xxh64.hexOf(this.#prefix + rest)
  }
}
