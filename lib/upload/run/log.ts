/**
 * The log of one upload as the run uses it. Its `state` is the run's own: the
 * fold of all that was read and of every record that this run adds.
 *
 * Control records are awaited before what they announce is done. Part records are
 * written in groups beside the next parts.
 */
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import {
  applyRecord,
  emptyState,
  type LogState,
} from '../../checkpoint/fold.js'
import { equalParts } from '../../checkpoint/growth.js'
import { noLog } from '../../checkpoint/no-log.js'
import { type ReadLog, readLog } from '../../checkpoint/reader.js'
import type {
  HeaderRecord,
  LogRecord,
  PartRecord,
} from '../../checkpoint/record.js'
import { endOf, LogWriter, startOf } from '../../checkpoint/writer.js'
import { type ErrorCode, UploadError } from '../../errors.js'
import { loadXxh64, type Xxh64 } from '../../hash/xxh64.js'
import { kindOf, mayHaveHappened } from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import { checkTarget } from '../rules/plan.js'
import { type FileSight, isSameFile, isSettled } from '../source/file-source.js'

/** Why an upload is void whose Complete may have taken effect. */
export const completeUnknown = 'complete-unknown'

export class UploadLog {
  readonly checkpoint: Checkpoint
  readonly state: LogState
  /** There was nothing in it when it was opened. */
  readonly isNew: boolean
  /** The name under which a damaged log was kept. */
  readonly setAside: string | undefined
  readonly header: HeaderRecord
  /** What is added to it is kept anywhere but in this run. */
  readonly isKept: boolean
  /** Uploads whose Abort was refused in this run. */
  readonly mayNotAbort = new Set<string>()
  /** What an emptied log says again. */
  readonly #kept: readonly LogRecord[] | undefined
  /** When earlier uploads were first seen gone in this run, by the monotonic clock. */
  readonly goneAt = new Map<string, number>()
  readonly #monotonic: () => number
  readonly #openedAt: number
  /** Undefined where nothing is kept. */
  readonly #writer: LogWriter | undefined
  readonly #file: FileSight | undefined
  /** Upload IDs whose record is on the disk. */
  readonly #durable: Set<string>
  /** How the run before this one has left it. */
  readonly #before: { voided: string | undefined; isUnknown: boolean }
  /** This run has made the object, or has found it there. */
  isComplete = false
  #hasEnded = false
  #hasUnheard = false

  private constructor(
    checkpoint: Checkpoint,
    settings: UploadSettings,
    file: FileSight | undefined,
    found: {
      xxh64?: Xxh64
      /** What was read, and where it ends, unless it begins anew. */
      log?: ReadLog | undefined
      /** What the run before knew, where nothing is read. */
      known?: LogState | undefined
      setAside?: string | undefined
      kept?: readonly LogRecord[] | undefined
    } = {},
  ) {
    const { environment } = settings
    const { xxh64, log } = found
    const state = log?.state ?? found.known
    this.#monotonic = environment.monotonic
    this.#openedAt = environment.monotonic()
    this.checkpoint = checkpoint
    this.#file = file
    this.isKept = xxh64 !== undefined
    this.header = headerOf(state, settings, { file, isKept: this.isKept })
    this.state = state ?? emptyState(this.header)
    this.isNew = state === undefined
    this.#durable = new Set(state?.uploadIds)
    const { upload, put, lastVoid: voided } = this.state
    const isUnknown =
      (upload?.completing !== undefined && this.isResumable) ||
      put?.completing !== undefined
    this.#before = { voided, isUnknown }
    this.setAside = found.setAside
    if (xxh64 !== undefined) {
      const position = log ? endOf(log) : startOf(this.header.logId)
      this.#writer = new LogWriter(checkpoint, position, xxh64, environment)
    }
    this.#kept = found.kept
    for (const record of this.#kept ?? []) applyRecord(this.state, record)
  }

  /**
   * Opens, locks and reads; what is no log of this target is left as it was found.
   * `known`: what the run before knew, of the same call; it counts where there is no log.
   */
  static async open(
    checkpoint: Checkpoint,
    settings: UploadSettings,
    {
      file,
      known,
    }: { file?: FileSight | undefined; known?: LogState | undefined } = {},
  ): Promise<UploadLog> {
    const bytes = await checkpoint.open()
    try {
      if (checkpoint === noLog) {
        return new UploadLog(checkpoint, settings, file, { known })
      }
      const xxh64 = await loadXxh64()
      const reading = readLog(bytes, xxh64, checkpoint.name)
      const setAside =
        reading.kind === 'damaged' ? await checkpoint.setAside() : undefined
      const log = reading.kind === 'log' ? reading : undefined
      // Before anything can be added: even `void` would end another's upload.
      if (log !== undefined) checkTarget(log.state, settings)
      const { longestTold } = settings.environment
      const canEmpty =
        bytes.length > longestTold && checkpoint.empty !== undefined
      const kept = canEmpty && log ? leftIn(log.state) : undefined
      return new UploadLog(checkpoint, settings, file, {
        xxh64,
        log: kept === undefined ? log : undefined,
        setAside,
        kept,
      })
    } catch (error) {
      await checkpoint.close()
      throw error
    }
  }

  /** Writes this run's header, before anything else; into an emptied log what is left. */
  async begin(): Promise<void> {
    if (this.#kept !== undefined) await this.checkpoint.empty?.()
    await this.append(this.header, ...(this.#kept ?? []))
  }

  /** Uploads that no log names once it is emptied, and until it has begun. */
  get namedByNone(): ReadonlySet<string> {
    return this.#kept === undefined ? new Set() : this.state.unclosed
  }

  /** The number of this run, from 1. */
  get run(): number {
    return this.header.run
  }

  /** This run's header says which file it was: later runs need not read its parts. */
  get hasFileIdentity(): boolean {
    const { sourceDigest, fileIdentity } = this.header
    const isNamed = this.#file !== undefined && sourceDigest !== undefined
    return isNamed || fileIdentity !== undefined
  }

  /**
   * Whether a part was stored of this run's file, as it is now: the `sourceId` says so,
   * or else the file was not written to since. Then it need not be read.
   */
  isOfFile(
    record: PartRecord | undefined,
    { size }: { size: number },
  ): record is PartRecord {
    if (this.#file === undefined || record?.size !== size) return false
    const { sourceDigest } = this.header
    const then = this.state.runs.get(record.run)
    if (sourceDigest !== undefined) return then?.sourceDigest === sourceDigest
    if (then?.fileIdentity === undefined) return false
    const { fileIdentity: identity, time } = then
    return (
      isSameFile(identity, this.#file.identity) && isSettled({ identity, time })
    )
  }

  /** Whether a later run finds an upload in it that it can go on with. */
  get isResumable(): boolean {
    const { upload } = this.state
    if (upload === undefined || !this.#durable.has(upload.uploadId)) {
      return false
    }
    return upload.voided === undefined && upload.done === undefined
  }

  /** Whether the run before this one has ended in the same way. */
  endedSoBefore(code: ErrorCode): boolean {
    switch (code) {
      case 'PAWL_UPLOAD_GONE':
        return this.#before.voided === 'upload-gone'
      case 'PAWL_COMPLETE_REFUSED':
        return this.#before.voided === equalParts
      case 'PAWL_COMPLETE_UNKNOWN':
        return this.#before.isUnknown || this.#before.voided === completeUnknown
      case 'PAWL_SOURCE_CHANGED': {
        // Written to then too.
        const before = this.state.runs.get(this.run - 1)?.fileIdentity
        if (before === undefined || this.#file === undefined) return false
        return !isSameFile(before, this.#file.identity)
      }
      default:
        return false
    }
  }

  /** Adds records to the state at once, and to the log; durable when it resolves. */
  append(...records: LogRecord[]): Promise<void> {
    let written = this.#writer?.append(records) ?? Promise.resolve()
    for (const record of records) {
      if (!applyRecord(this.state, record)) {
        // A mistake of ours.
        written.catch(() => undefined)
        return Promise.reject(this.#misfit(record))
      }
      if (record.type === 'done') this.isComplete = true
      if (record.type === 'upload') {
        const { uploadId } = record
        written = written.then(() => void this.#durable.add(uploadId))
      }
    }
    return written
  }

  #misfit({ type }: LogRecord): UploadError {
    return new UploadError(
      'PAWL_INVALID_STATE',
      `a '${type}' record does not fit what ${this.checkpoint.name} says`,
    )
  }

  /** ms in which only this run has held it; undefined when the sink does not know. */
  get freeFor(): number | undefined {
    const { freeFor } = this.checkpoint
    if (freeFor === undefined) return undefined
    return freeFor + this.#monotonic() - this.#openedAt
  }

  /** Rejects when another run may hold it; asked before an object is made. */
  confirm(): Promise<void> {
    return this.checkpoint.confirm?.() ?? Promise.resolve()
  }

  /**
   * A new log says nothing of use when nothing was asked of the server, or that was
   * refused for certain: kept, it would be in the way of the call put right.
   */
  #isWorthKeeping(failure: Error): boolean {
    const { uploadIds, intents, put } = this.state
    if (!this.isNew || uploadIds.size > 0) return true
    const hasAsked = intents.length > 0 || put !== undefined
    if (!hasAsked || this.#hasUnheard) return hasAsked
    const kind = kindOf(failure)
    const isCertain = kind !== undefined && !mayHaveHappened(failure)
    return !isCertain && kind !== 'exists'
  }

  /** A request that makes something on the server may have done so unheard. */
  noteUnheard(): void {
    this.#hasUnheard = true
  }

  /** Removes it and lets go of it, the object being complete; false: it is still there. */
  remove(): Promise<boolean> {
    return this.#hasEnded ? Promise.resolve(false) : this.checkpoint.remove()
  }

  /** Lets go of it, unless `leave` did. */
  close(): Promise<void> {
    return this.#hasEnded ? Promise.resolve() : this.checkpoint.close()
  }

  /** Resolves when all that was given to `append` is durable. */
  flush(): Promise<void> | undefined {
    return this.#writer?.flush()
  }

  /** Writes nothing more, and lets go of it; `free` when that is done. */
  leave(failure: Error): { isKept: boolean; free: Promise<void> } {
    // The next run may hold the log: what outlives a suspension must not touch it.
    this.#hasEnded = true
    this.#writer?.end()
    const { checkpoint } = this
    const isKept = this.#isWorthKeeping(failure)
    const leave = async (): Promise<void> => {
      if (!isKept) await checkpoint.remove()
      return checkpoint.close()
    }
    return { isKept, free: leave() }
  }
}

function headerOf(
  state: LogState | undefined,
  settings: UploadSettings,
  { file, isKept }: { file: FileSight | undefined; isKept: boolean },
): HeaderRecord {
  const { store, environment, key, partSize, proof, digests } = settings
  const logId = state?.header.logId ?? environment.id()
  return {
    type: 'log',
    pawl: 1,
    logId,
    store: store.identity,
    bucket: store.bucket,
    key,
    partSize,
    proof,
    // No other run will hold what is not kept against its own.
    optionsDigest: isKept ? digests.options : '',
    sourceDigest: settings.sourceDigest,
    // One that a later write may leave as it is would prove nothing.
    fileIdentity: file && isSettled(file) ? file.identity : undefined,
    time: environment.now(),
    run: (state?.maxRun ?? 0) + 1,
  }
}

/**
 * What a log has left to do when all its results were handed out; undefined for any
 * other, and while an earlier Complete may be under way.
 */
function leftIn({
  upload,
  put,
  rivals,
  unclosed,
}: LogState): LogRecord[] | undefined {
  const isTold = (put ?? upload)?.isTold === true
  if (!isTold || rivals.size > 0) return undefined
  const reason = 'left'
  return [...unclosed].map((uploadId) => ({ type: 'void', uploadId, reason }))
}

/**
 * How the log says that an upload is no longer used; `closed`: it has become an
 * object, which an Abort breaks on some servers.
 */
export function givenUp(
  uploadId: string,
  reason: string,
  closed?: 'object',
): LogRecord[] {
  const voided: LogRecord = { type: 'void', uploadId, reason }
  if (closed === undefined) return [voided]
  return [voided, { type: 'closed', uploadId, by: closed }]
}
