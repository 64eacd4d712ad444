/** What a run is made with, what its stages share, and what they say to each other. */
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { LogState } from '../../checkpoint/fold.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import { messageOf } from '../../realm.js'
import { unlessAborted } from '../../signals.js'
import type { UploadResult } from '../../upload-result.js'
import type { Requests } from '../calls/requests.js'
import type { PartSender } from '../calls/send.js'
import type { Emit, PartEvent, RestartReason } from '../options/events.js'
import type { CompleteCandidate } from '../options/options.js'
import type { ProgressCounter } from '../options/progress.js'
import type { UploadSettings } from '../options/settings.js'
import type { FileSight } from '../source/file-source.js'
import type {
  HashedPart,
  PartContent,
  Piece,
  TakenPart,
} from '../source/part-content.js'
import type { UploadLog } from './log.js'
import type { UploadScope } from './trace.js'

/** What a run is made with. */
export interface UploadRunOptions {
  settings: UploadSettings
  /** Finds the log's place, which may take a look at the disk. */
  checkpoint: () => Promise<Checkpoint>
  emit: Emit
  /** Of the run before, which this one goes on from. */
  progress?: ProgressCounter | undefined
  /** What the run before knew, of the same call: all there is where there is no log. */
  known?: LogState | undefined
  /** While somebody watches the upload. */
  scope: UploadScope | undefined
  /** The source is a file: how it was when it was opened. */
  file?: FileSight | undefined
  /** Rejects when the source is not what was read of it, `taken`; before the object is made. */
  checkSource?: (taken: () => Promise<readonly HashedPart[]>) => Promise<void>
  /** Looks at the log, before the run has written or asked anything; may throw. */
  opened?: (log: UploadLog) => Promise<void>
}

export interface RunContext {
  readonly settings: UploadSettings
  readonly log: UploadLog
  readonly requests: Requests
  readonly sender: PartSender
  readonly progress: ProgressCounter
  readonly emit: Emit
  /** While somebody watches the upload. */
  readonly scope: UploadScope | undefined
  /** Aborted when the run is suspended: it is to end without taking the log away. */
  readonly signal: AbortSignal
  /** Aborted later: a Complete that was sent is waited for, within a bound. */
  readonly completeSignal: AbortSignal
  readonly beforeComplete: BeforeComplete
  readonly tally: PartTally
  /** The log is about to say that this result was handed out: so it must be. */
  readonly handsOut: (result: UploadResult) => void
  /** The object is complete. */
  readonly done: (result: UploadResult) => void
  /** Ends the run; the first failure counts. */
  readonly fail: (error: unknown) => void
}

/**
 * What is asked when the source has ended, before anything is made of it or given up
 * for it: a clean end is not a whole source. The caller is asked once a run, the
 * source each time.
 */
export class BeforeComplete {
  readonly #settings: UploadSettings
  readonly #signal: AbortSignal
  readonly #checkSource: (() => Promise<void>) | undefined
  #hasAgreed = false

  constructor(
    settings: UploadSettings,
    signal: AbortSignal,
    checkSource: (() => Promise<void>) | undefined,
  ) {
    this.#settings = settings
    this.#signal = signal
    this.#checkSource = checkSource
  }

  /** Rejects when the caller or the source keeps the object from being made. */
  async ask(candidate: CompleteCandidate): Promise<void> {
    if (!this.#hasAgreed) await this.#askCaller(candidate)
    this.#hasAgreed = true
    await this.#checkSource?.()
    this.#signal.throwIfAborted()
  }

  async #askCaller(candidate: CompleteCandidate): Promise<void> {
    const { beforeComplete, key } = this.#settings
    const signal = this.#signal
    if (beforeComplete === undefined) return
    try {
      signal.throwIfAborted()
      const asked = Promise.resolve().then(() => beforeComplete(candidate))
      await unlessAborted(signal, asked)
    } catch (cause) {
      signal.throwIfAborted()
      throw new UploadError(
        'PAWL_BEFORE_COMPLETE',
        `beforeComplete did not agree, so nothing was completed: ${messageOf(cause)}`,
        { cause, key },
      )
    }
  }
}

/** What a run has of its object, told and counted. */
export class PartTally {
  readonly #emit: Emit
  readonly #progress: ProgressCounter
  /** Those that needed no request, and their bytes. */
  parts = 0
  bytes = 0
  /** An earlier run's upload is gone on with, or its object claimed. */
  resumed: boolean

  constructor(emit: Emit, progress: ProgressCounter, resumed: boolean) {
    this.#emit = emit
    this.#progress = progress
    this.resumed = resumed
  }

  /** A stored part is passed over, which is no event. */
  skipped(size: number): void {
    this.parts++
    this.bytes += size
    this.#progress.reused(size)
  }

  /** A part was stored before. */
  reused(piece: Piece, etag: string): PartEvent {
    this.skipped(piece.size)
    return this.#tell(piece, etag, true, 0)
  }

  /** A part was sent. */
  sent(piece: Piece, etag: string, attempts: number): PartEvent {
    this.#progress.stored(piece.size)
    return this.#tell(piece, etag, false, attempts)
  }

  /** The upload in use is no longer used: nothing of it counts any more. */
  restarted(reason: RestartReason): void {
    this.resumed = false
    this.#emit('restarted', { reason })
  }

  #tell(
    { partNumber, offset, size }: Piece,
    etag: string,
    reused: boolean,
    attempts: number,
  ): PartEvent {
    const event = { partNumber, offset, size, etag, reused, attempts }
    this.#emit('part', event)
    return event
  }
}

/** How a run ended. When it is told, nothing of the run is left but its log. */
export type Ending =
  | { how: 'done'; result: UploadResult }
  /** Stopped from outside; the same call goes on. */
  | { how: 'suspended'; error: Error }
  | { how: 'failed'; error: Error }
  /** Failed, and its upload is void: the same source can be uploaded anew at once. */
  | { how: 'begins-anew'; error: Error; reason: RestartReason }

/** A source that has come to its end. */
export interface EndedSource {
  /** Parts taken, all of them stored or proved. */
  parts: number
  /** Bytes. */
  size: number
  /** All bytes, when they are less than a part, or none. */
  whole: PartContent | undefined
}

/**
 * What the parts of a run go through. `Sending` has them stored. `Proving` holds
 * them against an object that is there already, and sends nothing.
 */
export interface Stage {
  /** Parts are taken one after the other. */
  readonly isInOrder: boolean
  /** Takes stored parts on the log's word. */
  skip(records: readonly PartRecord[]): void
  /** Takes all parts on the word of their receipts; rejects when the object is of others. */
  join(records: readonly PartRecord[]): Promise<void>
  /** Takes a stored part of a file unread; undefined when it has to be read. */
  takeUnread(piece: Piece): PartEvent | undefined
  /** The record of a part whose bytes are not wanted when they are those. */
  expected(partNumber: number): PartRecord | undefined
  /** Takes a part. `over`: this stage is, and the part has to go to the next one. */
  take(part: TakenPart): Promise<PartEvent | 'over'>
  /** The part behind `last`, which was the end at byte `offset`: always rejects. */
  refuse(last: number, offset: number): Promise<never>
  /** Makes the object of all that was taken. */
  end(source: EndedSource): Promise<UploadResult>
}
