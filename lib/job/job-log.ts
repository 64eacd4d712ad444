/**
 * Which files of a job were sent, so that the same job, begun again after a kill,
 * sends them no second time. Append-only text, in the lines of an upload's log:
 * each with a hash, so that one that was cut or damaged is passed over.
 *
 * A line is written before anybody hears that its file was sent, and by one
 * system call, so that a kill has no time between the two. It is not synced: a
 * power cut may cost the last seconds, whose files are sent again.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { fileFailed } from '../checkpoint/file-errors.js'
import { nodeFileSystem, type FileSystem } from '../checkpoint/file-system.js'
import { MAX_LINE_BYTES } from '../checkpoint/format.js'
import { LineHasher } from '../checkpoint/line.js'
import { platformLocker } from '../checkpoint/lock.js'
import { openLogFile, type OpenLogFile } from '../checkpoint/open-log-file.js'
import { lineEnd, parseLine } from '../checkpoint/raw-line.js'
import { UploadError } from '../errors.js'
import { loadXxh64, type Xxh64 } from '../hash/xxh64.js'
import type { JobFile } from './job-file.js'

/** What is known of an object that was made of a file. */
export interface SentObject {
  etag: string
  crc64: string | undefined
}

export interface JobLogOptions {
  /** Where to, in words for people. */
  target: string
  /** What the objects are to be: files that were sent with others are sent again. */
  options: string
  /** The log may be owned or written by others. */
  isTrusted?: boolean
  /** The system's calls, so that a test can make one fail. */
  fs?: FileSystem
  /** Hears, once, that nothing can be written any more; the job goes on. */
  onLost?: (why: unknown) => void
}

/** What a log says of a job, for those who only look. */
export interface JobSummary {
  path: string
  /** Where to, in words of the one who began it. */
  target: string
  files: number
  /** Bytes in them. */
  bytes: number
  /** ms since 1970, when it was begun. */
  time: number
}

const blockBytes = 1024 * 1024

// oxlint-disable-next-line no-control-regex
const beyondAscii = /[^\u0000-\u007f]/

export class JobLog {
  readonly #path: string
  readonly #file: OpenLogFile
  readonly #hasher: LineHasher
  readonly #xxh64: Xxh64
  /** Undefined once it was called. */
  #onLost: ((why: unknown) => void) | undefined
  /** By the hash of path, key and identity: what it was when it was sent. */
  readonly #sent = new Map<string, SentObject & { time: number }>()
  #logId = ''
  #seq = 1

  private constructor(
    path: string,
    file: OpenLogFile,
    xxh64: Xxh64,
    onLost: (why: unknown) => void,
  ) {
    this.#path = path
    this.#file = file
    this.#xxh64 = xxh64
    this.#hasher = new LineHasher(xxh64)
    this.#onLost = onLost
  }

  /**
   * Opened as carefully as the log of an upload: a file that is none of ours would
   * be emptied. Rejects with `PAWL_CHECKPOINT_LOCKED` while another command holds
   * the same job, `PAWL_CHECKPOINT_UNSAFE` and `PAWL_NOT_A_CHECKPOINT` as an upload
   * does, and `PAWL_CHECKPOINT_IO` with what the system says.
   */
  static async open(path: string, given: JobLogOptions): Promise<JobLog> {
    const { target, options, isTrusted = false } = given
    const { fs = nodeFileSystem, onLost = () => {} } = given
    const xxh64 = await loadXxh64()
    const locker = await platformLocker()
    const file = await openLogFile(path, path, {
      fs,
      locker,
      isTrusted,
      // A line for each file of the job.
      mostBytes: Infinity,
    }).catch((error: unknown) => {
      const isLocked =
        error instanceof UploadError && error.code === 'PAWL_CHECKPOINT_LOCKED'
      throw isLocked ? locked(path) : error
    })
    try {
      const log = new JobLog(path, file, xxh64, onLost)
      log.#read(target, options)
      return log
    } catch (error) {
      if (file.isNew) remove(path)
      await file.lock.release()
      await file.handle.close()
      throw fileFailed(path, 'written', error)
    }
  }

  /** Files that an earlier run has sent. */
  get size(): number {
    return this.#sent.size
  }

  /** What was made of the file as it is now; undefined when nothing was. */
  find(file: JobFile): (SentObject & { time: number }) | undefined {
    if (this.#sent.size === 0) return undefined
    return this.#sent.get(this.#nameOf(file))
  }

  /** The file was sent, or is there as it is. Never throws: that is true anyway. */
  add(file: JobFile, { etag, crc64 }: SentObject): void {
    const { path, key, identity, time } = file
    const record = { path, key, ...identity, time, etag, crc64 }
    this.#unlessLost(() => this.#append('sent', record))
  }

  /**
   * Lets go of the log; `isDone`: nothing is left to be sent, so its file is
   * removed.
   */
  async close(isDone: boolean): Promise<void> {
    if (isDone) remove(this.#path)
    await this.#file.lock.release()
    await this.#file.handle.close()
  }

  /** Behind a line that was cut nothing more is written: it would be lost as well. */
  #unlessLost(write: () => void): void {
    const onLost = this.#onLost
    if (onLost === undefined) return
    try {
      write()
    } catch (error) {
      this.#onLost = undefined
      onLost(error)
    }
  }

  #read(target: string, options: string): void {
    let isOurs = false
    let isWhole = true
    for (const line of linesOf(this.#file.handle.fd)) {
      isWhole = line.isEnded
      const { type, record, seq } = this.#parse(line.text) ?? {}
      if (record === undefined || type === undefined) continue
      if (type === 'job') isOurs = record['options'] === options
      this.#seq = Math.max(this.#seq, (seq ?? 0) + 1)
      if (type === 'sent') this.#note(record)
    }
    if (!isOurs) {
      this.#begin(target, options)
      return
    }
    if (!isWhole) this.#unlessLost(() => this.#write('\n'))
  }

  #begin(target: string, options: string): void {
    ftruncateSync(this.#file.handle.fd, 0)
    this.#sent.clear()
    this.#seq = 1
    this.#logId = randomBytes(16).toString('hex')
    this.#append('job', {
      pawl: 1,
      logId: this.#logId,
      target,
      options,
      time: Date.now(),
    })
  }

  #parse(text: string): ParsedLine | undefined {
    const parsed = parsedLine(text, this.#hasher, this.#logId)
    if (parsed?.type === 'job') this.#logId = String(parsed.record['logId'])
    return parsed
  }

  #note(record: Record<string, unknown>): void {
    const text = (name: string): string => String(record[name])
    const { etag, crc64, time, size } = record
    if (typeof etag !== 'string' || typeof time !== 'number') return
    const name = this.#nameOf({
      path: text('path'),
      key: text('key'),
      identity: {
        device: text('device'),
        inode: text('inode'),
        size: Number(size),
        mtime: text('mtime'),
        ctime: text('ctime'),
      },
    })
    const known = typeof crc64 === 'string' ? crc64 : undefined
    this.#sent.set(name, { etag, crc64: known, time })
  }

  #nameOf({
    path,
    key,
    identity,
  }: Pick<JobFile, 'path' | 'key' | 'identity'>): string {
    const { device, inode, size, mtime, ctime } = identity
    return this.#xxh64.hexOf(
      JSON.stringify([path, key, device, inode, size, mtime, ctime]),
    )
  }

  #append(type: string, record: object): void {
    const rest = `${this.#seq} ${type} ${asciiJson(record)}`
    this.#seq += 1
    this.#write(this.#hasher.seal(this.#logId, '', rest))
  }

  #write(text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    const written = writeSync(this.#file.handle.fd, bytes)
    if (written < bytes.length) {
      throw new Error(
        `only ${written} of ${bytes.length} bytes were written; the disk may be full`,
      )
    }
  }
}

interface ParsedLine {
  type: string
  seq: number
  record: Record<string, unknown>
}

/** Undefined for what was cut or damaged, and for the line of another log. */
function parsedLine(
  text: string,
  hasher: LineHasher,
  logId: string,
): ParsedLine | undefined {
  const raw = parseLine(text, 0, text.length)
  if (raw === undefined) return undefined
  const record = parsedJson(raw.json)
  const id = raw.type === 'job' ? String(record?.['logId']) : logId
  if (record === undefined || !hasher.verifies(raw, id, '')) return undefined
  return { type: raw.type, seq: raw.seq, record }
}

function parsedJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? { ...value }
      : undefined
  } catch {
    return undefined
  }
}

/** Undefined when the file is no job's log. Throws what the system says. */
export async function readJob(path: string): Promise<JobSummary | undefined> {
  const hasher = new LineHasher(await loadXxh64())
  // Without O_NONBLOCK opening a FIFO would wait for a writer.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const descriptor = openSync(path, flags)
  try {
    if (!fstatSync(descriptor).isFile()) return undefined
    let summary: JobSummary | undefined
    let logId = ''
    for (const { text } of linesOf(descriptor)) {
      const line = parsedLine(text, hasher, logId)
      if (line?.type === 'job') {
        const { target, time } = line.record
        logId = String(line.record['logId'])
        summary = {
          path,
          target: String(target),
          files: 0,
          bytes: 0,
          time: Number(time),
        }
      }
      // A file of another kind is not read to its end.
      if (summary === undefined) return undefined
      if (line?.type === 'sent') {
        summary.files += 1
        summary.bytes += Number(line.record['size'])
      }
    }
    return summary
  } finally {
    closeSync(descriptor)
  }
}

/** Lines of an open file, in blocks; the last one may be without its end. */
function* linesOf(
  descriptor: number,
): Generator<{ text: string; isEnded: boolean }> {
  const block = Buffer.alloc(blockBytes)
  let rest = ''
  for (let position = 0; ;) {
    const count = readSync(descriptor, block, 0, blockBytes, position)
    if (count === 0) break
    position += count
    rest += block.toString('latin1', 0, count)
    let start = 0
    for (;;) {
      const { last, end, isEnded } = lineEnd(rest, start)
      if (!isEnded) break
      yield { text: rest.slice(start, last), isEnded }
      start = end
    }
    // Longer than any line is: of what else there is of it nothing is kept.
    rest = rest.slice(start, start + MAX_LINE_BYTES)
    if (rest.length === MAX_LINE_BYTES) yield { text: rest, isEnded: false }
  }
  if (rest !== '') yield { text: rest, isEnded: false }
}

/** One character a byte, as the lines of logs are. */
function asciiJson(record: object): string {
  const text = JSON.stringify(record)
  // Names mostly are ASCII, and looking is faster than replacing nothing.
  if (!beyondAscii.test(text)) return text
  return text.replaceAll(
    new RegExp(beyondAscii, 'g'),
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A log that stays is as good as none: every line of it says which file it means. */
function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Somebody was faster, or may remove what we may not.
  }
}

function locked(path: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_LOCKED',
    `${path} is held: another command does the same job; let it finish, or stop it`,
    { resumable: true },
  )
}
