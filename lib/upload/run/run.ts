/**
 * One run of an upload: from the log's opening to the object, or to a log from
 * which the next run goes on. Streams and files feed it parts.
 *
 * States: `idle` → `opening` → `open` → `finishing` → `done`, and from each of
 * them `ended` (suspended, or failed, which is the same for the log).
 *
 * - `open()` once; `skip()` at most once, before the first `take()`.
 * - `take(part)` and `takePart(part)` own the part: it is released when its
 *   memory may be used again. Parts come in order, once each.
 * - `takeWhole(part)` instead: one PutObject.
 * - `finish()` once, after the last of them.
 * - `suspend()` at any time, idempotent: after it nothing is sent or written,
 *   and the lock is free. It waits for no server.
 *
 * The first failure wins; it stops the run and is told through `onFailure` and
 * by `finish()`. A failed part is never left out: no Complete without a receipt
 * for every part.
 */
import type { PartRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import { Requests } from '../calls/requests.js'
import { PartSender, Slots } from '../calls/send.js'
import type { UploadResult } from '../options/result.js'
import { storedRun } from '../rules/judge.js'
import type { Plan } from '../rules/plan.js'
import type { RunContext, UploadRunOptions } from './context.js'
import { OpenUpload } from './current-upload.js'
import { sizeMismatch } from './errors.js'
import { makeObject } from './finish.js'
import { UploadLog } from './log.js'
import { prepare } from './open.js'
import { PartTaker } from './parts.js'
import { bounds, Deadline, leaveLog } from './suspension.js'
import { inScope } from './trace.js'
import {
  letGo,
  MemoryContent,
  type Piece,
  type TakenPart,
} from '../source/part-content.js'
import type { Part } from '../source/part.js'

export class UploadRun {
  readonly #options: UploadRunOptions
  readonly #stop = new AbortController()
  readonly #stopComplete = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  #state: 'idle' | 'opening' | 'open' | 'finishing' | 'done' | 'ended' = 'idle'
  #opening: Promise<void> | undefined
  #finishing: Promise<UploadResult> | undefined
  #suspending: Promise<void> | undefined
  #failure: Error | undefined
  #log: UploadLog | undefined
  #context: RunContext | undefined
  #upload: OpenUpload | undefined
  #plan: Plan = { mode: 'create' }
  #taker: PartTaker | undefined
  /** Parts are taken one after the other: claims, and sequential uploads. */
  #inOrder: Promise<unknown> = Promise.resolve()
  /** All there is, for one PutObject. */
  #whole: TakenPart | undefined
  #parts = 0
  #size = 0

  constructor(options: UploadRunOptions) {
    this.#options = options
  }

  get state(): string {
    return this.#state
  }

  /** Aborted, with the reason, when the run has stopped. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** The upload on the server, once there is one. */
  get uploadId(): string | undefined {
    return this.#upload?.uploadId
  }

  /** Bytes of every part but the last: the log's, when it is gone on with. */
  get partSize(): number {
    return this.#plan.mode === 'create'
      ? this.#options.settings.partSize
      : this.#plan.upload.partSize
  }

  /** Parts that can be passed over in a source that somebody vouches for. */
  get storedParts(): readonly PartRecord[] {
    const plan = this.#plan
    if (plan.mode === 'create') return []
    const { verify } = this.#options.settings
    return plan.mode === 'claim'
      ? storedRun(plan.upload, 'refused', false)
      : storedRun(plan.upload, plan.listed, verify)
  }

  /** The digest of the source that a run cut its parts from. */
  sourceOf(run: number): string | undefined {
    return this.#log?.state.runs.get(run)?.sourceDigest
  }

  open(): Promise<void> {
    this.#state = 'opening'
    this.#opening = inScope(this.#options.scope, () => this.#open())
    return this.#opening
  }

  async #open(): Promise<void> {
    const { settings, checkpoint, emit, progress, file, scope } = this.#options
    const { signal } = this.#stop
    const log = await UploadLog.open(checkpoint, settings, file)
    if (signal.aborted) {
      // Who stopped the run may not have waited for this long.
      await checkpoint.close()
      signal.throwIfAborted()
    }
    this.#log = log
    scope?.logOpened(log)
    const requests = new Requests(settings, signal, emit)
    const slots = new Slots(settings.concurrency)
    requests.onThrottled = () => slots.throttle()
    this.#plan = await prepare({ settings, log, requests, emit })
    signal.throwIfAborted()
    scope?.planned(this.#plan, this.partSize)
    this.#context = {
      settings,
      log,
      requests,
      sender: new PartSender(settings, requests, slots, progress),
      progress,
      emit,
      scope,
      signal,
      completeSignal: this.#stopComplete.signal,
      isSuspending: () => this.#suspending !== undefined,
      checkSource: this.#options.checkSource ?? (async () => undefined),
    }
    this.#upload = new OpenUpload(this.#context, this.#plan, this.partSize)
    this.#taker = new PartTaker(this.#context, this.#plan, this.#upload, {
      partSize: this.partSize,
      onLogFailure: (error) => this.fail(error),
    })
    this.#state = 'open'
  }

  /** Takes `records` as stored, unread; the next part follows the last of them. */
  skip(records: readonly PartRecord[]): void {
    opened(this.#taker).skip(records)
    const last = records.at(-1)
    if (last === undefined) return
    this.#parts = last.number
    this.#size = last.offset + last.size
  }

  /** Parts taken or skipped so far. */
  get partsTaken(): number {
    return this.#parts
  }

  /** The upload in the log is gone on with, or its object claimed. */
  get isContinued(): boolean {
    return this.#plan.mode !== 'create'
  }

  /** An object that is there already is held against the source, part by part. */
  get isClaiming(): boolean {
    return this.#taker?.claim !== undefined
  }

  /** The run failed in such a way that the next one begins anew by itself. */
  get hasGivenUp(): boolean {
    return this.#taker?.hasGivenUp === true || this.#upload?.hasGivenUp === true
  }

  /** Takes a stored part of a file unread; false when it has to be read. */
  takeUnread(piece: Piece): boolean {
    if (!opened(this.#taker).takeUnread(piece)) return false
    this.#count(piece)
    return true
  }

  /** Takes the next part of a stream; a short first one is all there is. */
  take(part: Part): void {
    const { partNumber, offset, size, data, xxh64 } = part
    const content = new MemoryContent(
      data,
      xxh64,
      this.#options.settings.environment.digests,
    )
    const release = (): void => part.release()
    const taken = { partNumber, offset, size, content, release }
    if (partNumber === 1 && size < this.partSize) this.takeWhole(taken)
    else this.takePart(taken)
  }

  /** Takes all bytes of the object, to be put in one request. */
  takeWhole(part: TakenPart): void {
    if (this.#isRefused(part)) return
    this.#count(part)
    this.#whole = part
  }

  /** Takes the next part of the object. */
  takePart(part: TakenPart): void {
    if (this.#isRefused(part)) return
    const taker = opened(this.#taker)
    const isInOrder =
      taker.claim !== undefined || this.#options.settings.sequential
    const last = this.#parts
    const end = this.#size
    const handle = (): Promise<unknown> =>
      part.offset === end ? taker.handle(part) : taker.refuse(last, end)
    // What is refused does not count: nothing that comes behind it fits either.
    if (part.offset === end) this.#count(part)
    const work = isInOrder
      ? (this.#inOrder = this.#inOrder.then(handle))
      : handle()
    const task = work
      .catch((error: unknown) => this.fail(error))
      .then(() => letGo(part))
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** Resolves when all parts taken are stored; rejects when the run was stopped. */
  async idle(): Promise<void> {
    await Promise.all(this.#tasks)
    this.throwIfStopped()
  }

  /** Resolves to the finished object; rejects with the first failure. */
  finish(): Promise<UploadResult> {
    this.#finishing = inScope(this.#options.scope, () => this.#finish())
    return this.#finishing
  }

  /** Stops the run for `error`, unless something stopped it before. */
  fail(error: unknown): void {
    if (this.#failure !== undefined || this.#stop.signal.aborted) return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.#stop.abort(this.#failure)
    this.#options.onFailure(this.#failure)
  }

  /** Ends requests at once; `suspend()` has to follow. */
  stop(reason: Error): void {
    this.#stop.abort(reason)
  }

  /** Ends requests, writes receipts in hand, lets go of the log. */
  suspend(reason: Error): Promise<void> {
    this.#suspending ??= this.#suspend(reason)
    return this.#suspending
  }

  async #suspend(reason: Error): Promise<void> {
    if (this.#state === 'done') return
    const { scope } = this.#options
    scope?.suspending(reason)
    this.#stop.abort(reason)
    const clock = new Deadline(this.#options.settings.environment)
    // A Complete that was sent is waited for: its answer decides what is true.
    await clock.until(bounds.complete, this.#finishing)
    this.#stopComplete.abort(reason)
    await clock.until(bounds.work, this.#opening)
    await clock.until(bounds.work, Promise.allSettled(this.#tasks))
    await clock.until(bounds.work, this.#finishing)
    // One that is being put is let go when that has ended.
    if (this.#finishing === undefined) this.#whole?.release()
    if (this.#log !== undefined) {
      const isKept = await leaveLog(this.#log, clock, this.#failure ?? reason)
      scope?.logLeft(isKept)
    }
    this.#state = 'ended'
  }

  async #finish(): Promise<UploadResult> {
    let result: UploadResult
    try {
      result = await this.#makeObject()
    } finally {
      await letGo(this.#whole)
    }
    const context = opened(this.#context)
    await context.log.close()
    // Too late: the run was suspended for good without this answer.
    if (this.state === 'ended') this.throwIfStopped()
    this.#state = 'done'
    try {
      context.progress.end()
    } catch (error) {
      // The object is complete: a listener's error is not the upload's.
      context.settings.environment.soon(() => {
        throw error
      })
    }
    return result
  }

  async #makeObject(): Promise<UploadResult> {
    await this.idle()
    this.#state = 'finishing'
    const context = opened(this.#context)
    const { size } = context.settings
    if (size !== undefined && size !== this.#size) {
      throw sizeMismatch(size, this.#size, context.settings.key)
    }
    return makeObject(context, {
      taker: opened(this.#taker),
      upload: opened(this.#upload),
      plan: this.#plan,
      parts: this.#parts,
      size: this.#size,
      whole: this.#whole?.content,
    })
  }

  #count({ partNumber, offset, size }: Piece): void {
    this.#parts = partNumber
    this.#size = offset + size
  }

  /** A run that has stopped takes nothing; what comes late is let go at once. */
  #isRefused(part: TakenPart): boolean {
    if (!this.#stop.signal.aborted) return false
    part.release()
    return true
  }

  /** Throws the first failure, or the reason to stop. */
  throwIfStopped(): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#stop.signal.throwIfAborted()
  }
}

/** What is there once the run is open. */
function opened<T>(value: T | undefined): T {
  if (value !== undefined) return value
  throw new UploadError('PAWL_INVALID_STATE', 'the upload is not open')
}
