/**
 * Appends records to a log. Owns the numbers of records, the epoch and the log
 * ID; knows nothing of files.
 *
 * One append is in flight. Records given meanwhile go together in the next
 * (group commit). A promise of `append` resolves when its records are durable. Where
 * the sink lets parts linger, their append begins after that time, or with the next
 * record of another type.
 *
 * The first failure is final: what was asked for and all that is asked for
 * later rejects with it, and nothing more is appended. A sync that is repeated
 * after a failed one can succeed although the bytes were lost. `end()` is such a
 * failure too, for work that outlives its upload's hold of the log.
 *
 * `log` and `upload` are written twice each, on two lines with one number: they
 * are the records whose loss would cost more than themselves. A blank line keeps
 * the copies apart, so that no damaged byte can make one line of them.
 */
import type { Environment, Timer } from '../environment.js'
import { messageOf } from '../realm.js'
import { UploadError } from '../errors.js'
import type { Xxh64 } from '../hash/xxh64.js'
import type { Checkpoint } from './checkpoint.js'
import { MAX_LOG_BYTES } from './format.js'
import { LineHasher } from './line.js'
import type { ReadLog } from './reader.js'
import type { LogRecord } from './record.js'

/** Where in a log writing goes on. */
export interface LogPosition {
  logId: string
  /** The upload ID of the epoch; empty before the first `upload`. */
  epoch: string
  nextSeq: number
  /** The log does not end with LF. */
  tornTail: boolean
  /** In bytes. */
  size: number
}

/** The start of a log that is empty. */
export function startOf(logId: string): LogPosition {
  return { logId, epoch: '', nextSeq: 1, tornTail: false, size: 0 }
}

/** The end of a log that was read. */
export function endOf(log: ReadLog): LogPosition {
  const { state, nextSeq, tornTail, size } = log
  const epoch = state.upload?.uploadId ?? ''
  return { logId: state.header.logId, epoch, nextSeq, tornTail, size }
}

export class LogWriter {
  readonly #checkpoint: Checkpoint
  readonly #timer: Environment['timer']
  readonly #hasher: LineHasher
  readonly #logId: string
  #epoch: string
  #nextSeq: number
  #size: number
  /** Lines that wait for the append in flight. */
  #waiting: string
  /** Shared by all whose lines are waiting; undefined while there are none. */
  #next: Promise<void> | undefined
  /** What it waits for, while all of them may linger. */
  #lingering: { timer: Timer; end: () => void } | undefined
  /** Settles with the append in flight. */
  #running: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | undefined

  constructor(
    checkpoint: Checkpoint,
    position: LogPosition,
    xxh64: Xxh64,
    { timer }: Pick<Environment, 'timer'>,
  ) {
    this.#checkpoint = checkpoint
    this.#timer = timer
    this.#hasher = new LineHasher(xxh64)
    this.#logId = position.logId
    this.#epoch = position.epoch
    this.#nextSeq = position.nextSeq
    this.#size = position.size
    this.#waiting = position.tornTail ? '\n' : ''
  }

  /** The upload ID that records are written for; empty before the first. */
  get epoch(): string {
    return this.#epoch
  }

  /**
   * Adds records, all in one write; resolves when they are durable. Rejects
   * with the first failure of the log. A record that could not be read back
   * rejects with `PAWL_CHECKPOINT_IO`, appends nothing and is not a failure of
   * the log.
   */
  append(records: readonly LogRecord[]): Promise<void> {
    if (this.#failure !== undefined) return this.flush()
    try {
      this.#waiting += this.#encode(records)
    } catch (error) {
      return Promise.reject(refused(this.#checkpoint.name, error))
    }
    const { linger = 0 } = this.#checkpoint
    const mayLinger = linger > 0 && records.every(({ type }) => type === 'part')
    if (!mayLinger) this.#hurry()
    this.#next ??= this.#appendNext(
      this.#running,
      mayLinger ? this.#linger(linger) : undefined,
    )
    return this.#next
  }

  /** Resolves when so much time has passed, or somebody hurries. */
  #linger(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => this.#hurry()
      this.#lingering = { timer: this.#timer(ms, end), end: resolve }
    })
  }

  /** What lingers is appended now. */
  #hurry(): void {
    this.#lingering?.timer.cancel()
    this.#lingering?.end()
    this.#lingering = undefined
  }

  /** Resolves when all that was given is durable; rejects with the first failure. */
  flush(): Promise<void> {
    this.#hurry()
    if (this.#failure === undefined) return this.#next ?? this.#running
    return Promise.reject(this.#failure.error)
  }

  /**
   * Nothing more is appended, not even what waits: the log is being let go of.
   */
  end(): void {
    this.#hurry()
    this.#failure ??= {
      error: new UploadError(
        'PAWL_INVALID_STATE',
        `${this.#checkpoint.name} is no longer held by this upload`,
      ),
    }
  }

  async #appendNext(
    running: Promise<void>,
    lingering: Promise<void> | undefined,
  ): Promise<void> {
    if (lingering !== undefined) await lingering
    // Waits in any case: what is given in the same turn goes together.
    await running
    if (this.#failure !== undefined) throw this.#failure.error
    const bytes = Buffer.from(this.#waiting, 'latin1')
    this.#waiting = ''
    this.#running = this.#next ?? running
    this.#next = undefined
    try {
      if (this.#size + bytes.length > MAX_LOG_BYTES) throw this.#full()
      if (bytes.length > 0) await this.#checkpoint.append(bytes)
      this.#size += bytes.length
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  /** Lines of all records, or none and a `TypeError`. */
  #encode(records: readonly LogRecord[]): string {
    let [epoch, seq, lines] = [this.#epoch, this.#nextSeq, '']
    for (const record of records) {
      const line = this.#hasher.encode(this.#logId, epoch, seq, record)
      const isCopied = record.type === 'log' || record.type === 'upload'
      lines += isCopied ? `${line}\n${line}` : line
      if (record.type === 'upload') epoch = record.uploadId
      seq += 1
    }
    this.#epoch = epoch
    this.#nextSeq = seq
    return lines
  }

  #full(): UploadError {
    return new UploadError(
      'PAWL_CHECKPOINT_IO',
      `${this.#checkpoint.name} cannot grow beyond ${MAX_LOG_BYTES} bytes; ` +
        'discard the upload, or remove the log to start over',
    )
  }
}

function refused(name: string, cause: unknown): UploadError {
  const why = messageOf(cause)
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name} cannot hold a record: ${why}`,
    { cause },
  )
}
