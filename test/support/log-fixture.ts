/** Words for tests of the log: what was written, and what happens to bytes. */
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js'
import type { UploadState } from '../../lib/checkpoint/fold.js'
import { LineHasher } from '../../lib/checkpoint/line.js'
import { readLog } from '../../lib/checkpoint/reader.js'
import type { LogReading, ReadLog } from '../../lib/checkpoint/reader.js'
import type {
  HeaderRecord,
  LogRecord,
  PartRecord,
  UploadRecord,
} from '../../lib/checkpoint/record.js'
import { LogWriter, endOf, startOf } from '../../lib/checkpoint/writer.js'
import { realEnvironment } from '../../lib/environment.js'
import { hex64, loadXxh64 } from '../../lib/hash/xxh64.js'

export const xxh64 = await loadXxh64()
export const PART = 1024 * 1024
export const LOG_ID = '00112233445566778899aabbccddeeff'
export const DIGEST = 'ab'.repeat(32)

export function header(fields: Partial<HeaderRecord> = {}): HeaderRecord {
  return {
    type: 'log',
    pawl: 1,
    logId: LOG_ID,
    store: 'oss:cn-hangzhou/examplebucket',
    bucket: 'examplebucket',
    key: 'backups/db.dump.gz',
    partSize: PART,
    proof: 'xxh64',
    optionsDigest: DIGEST,
    time: 1_700_000_000_000,
    run: 1,
    ...fields,
  }
}

export function upload(
  uploadId: string,
  fields: Partial<UploadRecord> = {},
): UploadRecord {
  return {
    type: 'upload',
    uploadId,
    partSize: PART,
    optionsDigest: DIGEST,
    time: 1_700_000_001_000,
    ...fields,
  }
}

export function part(
  number: number,
  fields: Partial<PartRecord> = {},
): PartRecord {
  return {
    type: 'part',
    number,
    offset: (number - 1) * PART,
    size: PART,
    hash: number.toString(16).padStart(16, '0'),
    etag: `"${'E'.repeat(32 - String(number).length)}${number}"`,
    crc64: String(number * 7919),
    check: 'crc64',
    run: 1,
    ...fields,
  }
}

/** An upload as the fold of a log has it. */
export function uploadState(fields: Partial<UploadState> = {}): UploadState {
  return {
    uploadId: 'u',
    partSize: PART,
    optionsDigest: DIGEST,
    time: 0,
    serverDate: undefined,
    mark: undefined,
    growth: undefined,
    etagsDigests: new Map(),
    sentDigests: new Map(),
    voided: undefined,
    parts: new Map(),
    drops: new Map(),
    completing: undefined,
    mayBeComplete: false,
    done: undefined,
    isTold: false,
    ...fields,
  }
}

/** A sink over bytes in memory that knows no lock. */
export class BytesSink implements Checkpoint {
  readonly name = 'bytes'
  readonly appends: string[] = []

  async open(): Promise<Uint8Array> {
    return Buffer.from(this.text, 'latin1')
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.appends.push(Buffer.from(bytes).toString('latin1'))
  }

  async setAside(): Promise<string> {
    return ''
  }

  async remove(): Promise<boolean> {
    return true
  }

  async close(): Promise<void> {}

  get text(): string {
    return this.appends.join('')
  }

  get bytes(): Buffer {
    return Buffer.from(this.text, 'latin1')
  }
}

/** The bytes of a log that holds these records, each group one write. */
export async function logOf(
  groups: readonly (readonly LogRecord[])[],
  logId = LOG_ID,
): Promise<Buffer> {
  const sink = new BytesSink()
  const writer = new LogWriter(sink, startOf(logId), xxh64, realEnvironment)
  for (const group of groups) await writer.append(group)
  return sink.bytes
}

/** A log of two runs and two uploads, with every type of record in it. */
export const story: readonly (readonly LogRecord[])[] = [
  [header(), { type: 'intent', time: 1 }],
  [upload('FIRST')],
  [part(1), part(2)],
  [{ type: 'drop', number: 2, reason: 'invalid-part' }],
  [{ type: 'void', uploadId: 'FIRST', reason: 'options-changed' }],
  [
    header({ run: 2, sourceDigest: DIGEST }),
    { type: 'intent', time: 2, mark: 'ab'.repeat(16) },
  ],
  [upload('SECOND/ü', { serverDate: 5, mark: 'ab'.repeat(16) })],
  [{ type: 'closed', uploadId: 'FIRST', by: 'abort' }],
  [part(1, { run: 2, md5: '0'.repeat(32), check: 'md5' }), part(3, { run: 2 })],
  [part(2, { run: 2, size: PART })],
  [{ type: 'completing', put: true, size: 10, crc64: '1' }],
  [
    {
      type: 'completing',
      parts: 3,
      size: 3 * PART,
      etagsDigest: DIGEST,
      sentDigest: DIGEST,
    },
  ],
  [{ type: 'refused', sentDigest: DIGEST }],
  [{ type: 'completing', parts: 3, size: 3 * PART, etagsDigest: DIGEST }],
  [{ type: 'done', etag: 'X-3', size: 3 * PART, crc64: '9', versionId: 'v' }],
  [{ type: 'told' }],
]

export function read(bytes: Uint8Array): LogReading {
  return readLog(bytes, xxh64)
}

/** Reads bytes that must be a log. */
export function readGood(bytes: Uint8Array): ReadLog {
  const reading = read(bytes)
  if (reading.kind !== 'log') throw new Error(`not a log but ${reading.kind}`)
  return reading
}

/** Adds records to a log that was left as it is; the bytes afterwards. */
export async function goOn(
  bytes: Buffer,
  records: readonly LogRecord[],
): Promise<Buffer> {
  const sink = new BytesSink()
  const end = endOf(readGood(bytes))
  await new LogWriter(sink, end, xxh64, realEnvironment).append(records)
  return Buffer.concat([bytes, sink.bytes])
}

/** A line as this library never writes it, with a hash that verifies. */
export function forge(
  tail: string,
  { logId = LOG_ID, uploadId = '' } = {},
): Buffer {
  const ids = `pawl1\0${logId}\0${uploadId}\0`
  const hash = xxh64.create()
  hash.update(Buffer.from(ids))
  hash.update(Buffer.from(tail, 'latin1'))
  return Buffer.from(`${hex64(hash.digest())} ${tail}\n`, 'latin1')
}

export function setByte(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = value
  return changed
}

export function cut(bytes: Buffer, length: number): Buffer {
  return Buffer.from(bytes.subarray(0, length))
}

/** Lines without their LF; blank ones too. */
export function linesOf(bytes: Buffer): string[] {
  return bytes.toString('latin1').split('\n')
}

export function join(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\n'), 'latin1')
}

export function newHasher(): LineHasher {
  return new LineHasher(xxh64)
}
