/**
 * A run whose plan is fixed: it takes the parts of the source, in order, and
 * makes the object of them. What it cannot do is told to its run.
 *
 * - `skip()` at most once, before the first part.
 * - `take(part)` and `takePart(part)` own the part: it is released when its
 *   memory may be used again. Parts come in order, once each.
 * - `takeWhole(part)` instead: one PutObject.
 * - `finish()` once, after the last of them.
 */
import { type PartSizes, roomIn } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import type { AtOnce } from '../../store/slots.js'
import type { PartEvent } from '../options/events.js'
import type { UploadResult } from '../../upload-result.js'
import { storedRun } from '../rules/judge.js'
import { partSizesOf, type Plan } from '../rules/plan.js'
import {
  letGo,
  MemoryContent,
  type Piece,
  type TakenPart,
} from '../source/part-content.js'
import type { CutPart } from '../source/part.js'
import type { RunContext, Stage } from './context.js'
import { CurrentUpload } from './current-upload.js'
import { sizeMismatch, tooManyParts } from './errors.js'
import { Proving } from './proving.js'
import { Reuse } from './reuse.js'
import { Sending } from './sending.js'
import { bounds, type Deadline } from './suspension.js'
import { inScope, PartTracing } from './trace.js'

/** Hears how its open run ends, unless it has ended it itself. */
export interface RunOwner {
  done(result: UploadResult): void
  fail(error: unknown): void
}

export class OpenRun {
  readonly #context: RunContext
  readonly #owner: RunOwner
  readonly #plan: Plan
  readonly #reuse: Reuse
  readonly #tracing: PartTracing
  readonly #tasks = new Set<Promise<void>>()
  readonly upload: CurrentUpload
  /** Of its parts: the log's, when that is gone on with. */
  readonly sizes: PartSizes
  #stage: Stage
  #finishing: Promise<UploadResult> | undefined
  /** Parts that are taken one after the other wait here. */
  #inOrder: Promise<unknown> = Promise.resolve()
  /** All there is, for one PutObject. */
  #whole: TakenPart | undefined
  /** Bytes that the upload's parts have room for. */
  readonly #most: number
  /** From this part on there is less of them than was used. */
  readonly #half: number
  #isLimitTold: boolean
  #parts = 0
  #size = 0

  constructor(context: RunContext, plan: Plan, owner: RunOwner) {
    this.#context = context
    this.#owner = owner
    this.#plan = plan
    const { settings, log, progress } = context
    this.sizes = partSizesOf(plan, log.state, settings)
    const { maxParts } = settings.store.limits
    this.#most = roomIn(this.sizes, maxParts)
    this.#half = Math.ceil(maxParts / 2)
    this.#isLimitTold = settings.size !== undefined
    if (settings.size === undefined) progress.endsAt(this.#most)
    this.#reuse = new Reuse(context, plan.mode !== 'create')
    this.upload = new CurrentUpload(context, plan, this.sizes)
    this.#tracing = new PartTracing(context, this.upload)
    this.#stage =
      plan.mode === 'claim'
        ? new Proving(context, this.upload, this.#reuse, plan)
        : this.#sending()
  }

  #sending(): Sending {
    return new Sending(this.#context, this.upload, this.#reuse, (error) =>
      this.#owner.fail(error),
    )
  }

  /** How many parts may be in hand. */
  get atOnce(): AtOnce {
    return this.#context.sender.atOnce
  }

  /** Parts that can be passed over in a source that somebody vouches for. */
  get storedParts(): readonly PartRecord[] {
    const plan = this.#plan
    if (plan.mode === 'create') return []
    const { verify } = this.#context.settings
    return plan.mode === 'claim'
      ? storedRun(plan.upload, 'refused', false)
      : storedRun(plan.upload, plan.listed, verify)
  }

  /** The digest of the source that a run cut its parts from. */
  sourceOf(run: number): string | undefined {
    return this.#context.log.state.runs.get(run)?.sourceDigest
  }

  /** Parts taken or skipped so far. */
  get partsTaken(): number {
    return this.#parts
  }

  /** The upload in the log is gone on with, or its object claimed. */
  get isContinued(): boolean {
    return this.#plan.mode !== 'create'
  }

  /** An earlier run has put as many bytes, which may not be overwritten. */
  mayHavePut(size: number): boolean {
    return this.#plan.mode === 'create' && this.#plan.unheard?.size === size
  }

  /** An object that is there already is held against the source, part by part. */
  get isProving(): boolean {
    return this.#stage instanceof Proving
  }

  /** Takes `records` as stored, unread; the next part follows the last of them. */
  skip(records: readonly PartRecord[]): void {
    this.#stage.skip(records)
    this.#pass(records)
  }

  #pass(records: readonly PartRecord[]): void {
    for (const record of records) this.#tracing.skipped(record)
    const last = records.at(-1)
    if (last === undefined) return
    this.#parts = last.number
    this.#size = last.offset + last.size
    this.#tellLimit()
  }

  /** What an earlier run's Complete has made, when that is there. */
  get claimed(): Extract<Plan, { mode: 'claim' }> | undefined {
    return this.#plan.mode === 'claim' ? this.#plan : undefined
  }

  /**
   * Instead of all other calls but `finish()`: takes every part of the object on
   * the word of its receipt, as others have stored it.
   */
  async join(records: readonly PartRecord[]): Promise<void> {
    await this.#stage.join(records)
    this.#pass(records)
  }

  /** Takes a stored part of a file unread; false when it has to be read. */
  takeUnread(piece: Piece): boolean {
    const event = this.#stage.takeUnread(piece)
    if (event === undefined) return false
    this.#tracing.reused(event)
    this.#count(piece)
    return true
  }

  /** Takes the next part of a stream; a short first one is all there is. */
  take(part: CutPart): void {
    const { partNumber, offset, size, pieces, xxh64 } = part
    const { digests } = this.#context.settings.environment
    const content = new MemoryContent(pieces, xxh64, digests)
    const release = (): void => part.release()
    const taken = { partNumber, offset, size, content, release }
    const isAll = partNumber === 1 && size < this.sizes.partSize
    if (isAll) this.takeWhole(taken)
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
    const last = this.#parts
    const end = this.#size
    const isNext = part.offset === end
    const handle = (): Promise<unknown> =>
      isNext ? this.#handle(part) : this.#stage.refuse(last, end)
    // What is refused does not count: nothing that comes behind it fits either.
    if (isNext) {
      this.#count(part)
      this.#tellLimit()
    }
    const work = this.#stage.isInOrder
      ? (this.#inOrder = this.#inOrder.then(handle))
      : handle()
    const task = work
      .catch((error: unknown) => this.#owner.fail(error))
      .then(() => letGo(part))
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** What was taken of the source, with its hashes by the run's proof. */
  async takenParts(): Promise<
    { offset: number; size: number; hash: string }[]
  > {
    const { settings, log } = this.#context
    const whole = this.#whole
    if (whole !== undefined) {
      const hash = await whole.content.digest(settings.proof)
      return [{ offset: 0, size: whole.size, hash }]
    }
    const records = [...(log.state.upload?.parts.values() ?? [])]
    return records.filter(({ number }) => number <= this.#parts)
  }

  /** Resolves when all parts taken are stored; rejects when the run was stopped. */
  async idle(): Promise<void> {
    const { signal } = this.#context
    signal.throwIfAborted()
    // A part may wait for a disk that hangs: who stopped the run does not.
    let onAbort = (): void => undefined
    const stopped = new Promise<void>((resolve) => {
      onAbort = resolve
      signal.addEventListener('abort', onAbort, { once: true })
    })
    await Promise.race([this.settled(), stopped])
    signal.removeEventListener('abort', onAbort)
    signal.throwIfAborted()
  }

  /** Resolves when no part is under way, however that went. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks)
  }

  /** Lets parts end that are nearly stored, where a later run has use for them. */
  async leaveWire(clock: Deadline): Promise<void> {
    const { settings, sender } = this.#context
    const { wire } = sender
    const isOfUse = settings.isResumable && this.upload.over === undefined
    const wait = isOfUse ? wire.lastParts(bounds.parts) : 0
    if (wait > 0) await clock.until(wait, wire.settled())
    wire.cut()
  }

  /** The end of the source: makes the object. */
  finish(): void {
    const finishing = inScope(this.#context.scope, () => this.#finish())
    this.#finishing = finishing
    finishing.then(
      (result) => this.#owner.done(result),
      (error: unknown) => this.#owner.fail(error),
    )
  }

  /** The making of the object, once it is under way. */
  get finishing(): Promise<UploadResult> | undefined {
    return this.#finishing
  }

  /** Lets go of what was taken and is not being put. */
  letGo(): void {
    if (this.#finishing === undefined) this.#whole?.release()
  }

  async #finish(): Promise<UploadResult> {
    try {
      await this.settled()
      this.#context.signal.throwIfAborted()
      const { size, key } = this.#context.settings
      if (size !== undefined && size !== this.#size) {
        throw sizeMismatch(size, this.#size, key)
      }
      const result = await this.#stage.end({
        parts: this.#parts,
        size: this.#size,
        whole: this.#whole?.content,
      })
      await this.#context.log.close()
      return result
    } finally {
      await letGo(this.#whole)
    }
  }

  #handle(part: TakenPart): Promise<PartEvent> {
    const tracing = this.#tracing
    return tracing.isOn
      ? tracing.run(part, () => this.#take(part))
      : this.#take(part)
  }

  async #take(part: TakenPart): Promise<PartEvent> {
    this.#context.signal.throwIfAborted()
    await this.#checkBounds(part)
    const stage = this.#stage
    const event = await stage.take(part)
    if (event !== 'over') return event
    // The object that was there is not the source's: everything is sent.
    const sending = this.#sending()
    this.#stage = sending
    return sending.take(part)
  }

  async #checkBounds(piece: Piece): Promise<void> {
    const { key, size, store } = this.#context.settings
    const end = piece.offset + piece.size
    if (size !== undefined && end > size) throw sizeMismatch(size, end, key)
    const { maxParts } = store.limits
    if (piece.partNumber <= maxParts) return
    const failure = tooManyParts(piece, this.sizes, { key, maxParts })
    const options = { canBeginAnew: false }
    await this.upload.giveUpFor(failure, 'part-size', undefined, options)
    throw failure
  }

  #count({ partNumber, offset, size }: Piece): void {
    this.#parts = partNumber
    this.#size = offset + size
  }

  /** Early enough to do something about it: once, and while nobody knows the end. */
  #tellLimit(): void {
    if (this.#isLimitTold || this.#parts < this.#half) return
    this.#isLimitTold = true
    const bytesMost = this.#most
    const bytesLeft = Math.max(0, bytesMost - this.#size)
    this.#context.emit('limit', { bytesLeft, bytesMost })
  }

  /** A run that has stopped takes nothing; what comes late is let go at once. */
  #isRefused(part: TakenPart): boolean {
    if (!this.#context.signal.aborted) return false
    part.release()
    return true
  }
}
