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
import { hex64 } from '../hash/xxh64.js'
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
  /** What is hashed: the IDs, then the rest of a line. */
  readonly #scratch = Buffer.allocUnsafe(MAX_LINE_BYTES + 4096)
  readonly #found = new DataView(new ArrayBuffer(8))
  #logId: string | undefined
  #uploadId = ''
  #prefix = 0

  constructor(xxh64: Xxh64) {
    this.#xxh64 = xxh64
  }

  /** Whether a line's hash is that of the rest of it, under these IDs. */
  verifies(
    bytes: Buffer,
    { start, last }: RawLine,
    logId: string,
    uploadId: string,
  ): boolean {
    this.#begin(logId, uploadId)
    const tail = start + HASH_DIGITS + 1
    const copied = bytes.copy(this.#scratch, this.#prefix, tail, last)
    this.#found.setBigUint64(0, this.#digest(copied))
    return (
      hex32(bytes, start) === this.#found.getUint32(0) &&
      hex32(bytes, start + 8) === this.#found.getUint32(4)
    )
  }

  /** A record's line, its LF included. */
  encode(logId: string, epoch: string, seq: number, record: LogRecord): string {
    const tail = `${seq} ${record.type} ${encodeRecord(record)}`
    if (tail.length > MAX_LINE_BYTES - HASH_DIGITS - 2) {
      throw new TypeError(`a '${record.type}' record is too long for a line`)
    }
    this.#begin(logId, hashedUploadId(record, epoch))
    const written = this.#scratch.write(tail, this.#prefix, 'latin1')
    return `${hex64(this.#digest(written))} ${tail}\n`
  }

  #begin(logId: string, uploadId: string): void {
    if (logId === this.#logId && uploadId === this.#uploadId) return
    this.#logId = logId
    this.#uploadId = uploadId
    const ids = `${HASH_DOMAIN}\0${logId}\0${uploadId}\0`
    this.#prefix = this.#scratch.write(ids)
  }

  #digest(length: number): bigint {
    return this.#xxh64.hash(this.#scratch.subarray(0, this.#prefix + length))
  }
}

/** The value of eight lower-case hex digits; NaN when they are not. */
function hex32(bytes: Buffer, start: number): number {
  let value = 0
  for (let at = start; at < start + 8; at++) {
    const byte = bytes[at] ?? 0
    const isDigit = byte >= 0x30 && byte <= 0x39
    if (!isDigit && (byte < 0x61 || byte > 0x66)) return NaN
    value = value * 16 + byte - (isDigit ? 0x30 : 0x57)
  }
  return value
}
