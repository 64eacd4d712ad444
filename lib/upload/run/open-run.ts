/**
 * A run whose plan is fixed: it takes the parts of the source, in order, and
 * makes the object of them. What it cannot do is told to its run.
 *
 * - `skipStored()` at most once, before the first part.
 * - `begin()` at most once, before it: the source is longer than one request.
 * - `takePart(part)` owns the part: it is released when its memory may be used
 *   again. Parts come in order, once each.
 * - `takeWhole(part)` instead: one PutObject.
 * - `finish()` once, after the last of them.
 */
import { type PartSizes, roomIn } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { unlessAborted } from '../../signals.js'
import type { AtOnce } from '../../store/slots.js'
import type { UploadEnvironment } from '../options/environment.js'
import type { PartEvent } from '../options/events.js'
import type { UploadResult } from '../../upload-result.js'
import { hashOf, isStrong, vouchedRun } from '../rules/judge.js'
import { partSizesOf, type Plan } from '../rules/plan.js'
import {
  type HashedPart,
  letGo,
  MemoryContent,
  type PartContent,
  type Piece,
  type TakenPart,
} from '../source/part-content.js'
import { abortUnlogged } from './clean-up.js'
import type { RunContext, Stage } from './context.js'
import { CurrentUpload } from './current-upload.js'
import { sizeMismatch, tooManyParts } from './errors.js'
import { Proving, Sending } from './stages.js'
import { inScope, tracePart, traceReused } from './trace.js'

export class OpenRun {
  readonly #context: RunContext
  readonly #plan: Plan
  readonly #tasks = new Set<Promise<void>>()
  readonly upload: CurrentUpload
  /** Of its parts: the log's, when that is gone on with. */
  readonly sizes: PartSizes
  #stage: Stage
  /** The object being made, once `finish()` was called. */
  finishing: Promise<UploadResult> | undefined
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

  constructor(context: RunContext, plan: Plan) {
    this.#context = context
    this.#plan = plan
    const { settings, log, progress } = context
    this.sizes = partSizesOf(plan, log.state, settings)
    const { maxParts } = settings.store.limits
    this.#most = roomIn(this.sizes, maxParts)
    this.#half = Math.ceil(maxParts / 2)
    this.#isLimitTold = settings.size !== undefined
    if (settings.size === undefined) progress.endsAt(this.#most)
    this.upload = new CurrentUpload(context, plan, this.sizes)
    this.#stage =
      plan.mode === 'claim'
        ? new Proving(context, this.upload, plan)
        : new Sending(context, this.upload)
  }

  /** How many parts may be in hand. */
  get atOnce(): AtOnce {
    return this.#context.sender.atOnce
  }

  /** Parts taken or skipped so far. */
  get partsTaken(): number {
    return this.#parts
  }

  /** Whether a source of `size` bytes goes in one request, as those below `most` do. */
  isPutWhole(size: number, most: number): boolean {
    const plan = this.#plan
    // An earlier run has put as many bytes, which may not be overwritten.
    if (plan.mode === 'create' && plan.unheard?.size === size) return true
    // What has been begun in parts goes on in parts, while there is a whole one.
    if (plan.mode !== 'create' && size >= this.sizes.partSize) return false
    return size === 0 || (size < most && !this.isProving)
  }

  /** An object that is there already is held against the source, part by part. */
  get isProving(): boolean {
    return this.#stage instanceof Proving
  }

  /** Takes stored parts unread: where they end; `nobody` vouches for the source. */
  skipStored(trustSource: boolean): number | 'nobody' {
    const { log, settings } = this.#context
    const { sourceDigest } = settings
    const stored = this.#plan.mode === 'create' ? [] : this.#plan.stored
    const records = vouchedRun(stored, log.state, sourceDigest, trustSource)
    if (records === 'nobody') return records
    this.#stage.skip(records)
    this.#pass(records)
    return this.#size
  }

  #pass(records: readonly PartRecord[]): void {
    for (const { number: partNumber, offset, size, etag } of records) {
      const piece = { partNumber, offset, size }
      traceReused(this.#context, this.upload, piece, etag)
      this.#count(piece)
    }
    this.#tellLimit()
  }

  /** What an earlier run's Complete has made, when that is there. */
  get claimed(): Extract<Plan, { mode: 'claim' }> | undefined {
    return this.#plan.mode === 'claim' ? this.#plan : undefined
  }

  /** Instead of all calls but `finish()`: takes every part on the word of its receipt. */
  async join(records: readonly PartRecord[]): Promise<void> {
    await this.#stage.join(records)
    this.#pass(records)
  }

  /** Takes a stored part of a file unread; false when it has to be read. */
  takeUnread(piece: Piece): boolean {
    const event = this.#stage.takeUnread(piece)
    if (event === undefined) return false
    traceReused(this.#context, this.upload, piece, event.etag)
    this.#count(piece)
    return true
  }

  /** The xxHash64 of a part by which it is known to be stored, if there is one. */
  expected(partNumber: number): string | undefined {
    if (this.#context.settings.proof !== 'xxh64') return undefined
    const { hash = '' } = this.#stage.expected(partNumber) ?? {}
    return hash === '' || isStrong(hash) ? undefined : hash
  }

  /** Of a source that has several parts for certain: while the first one is read. */
  begin(): void {
    if (!this.isProving) this.#track(this.upload.id())
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
      isNext
        ? tracePart(this.#context, this.upload, part, () => this.#take(part))
        : this.#stage.refuse(last, end)
    // What is refused does not count: nothing that comes behind it fits either.
    if (isNext) {
      this.#count(part)
      this.#tellLimit()
    }
    const work = this.#stage.isInOrder
      ? (this.#inOrder = this.#inOrder.then(handle))
      : handle()
    this.#track(work.catch(this.#context.fail).then(() => letGo(part)))
  }

  /** What fails ends the run, which waits for it all the same. */
  #track(work: Promise<unknown>): void {
    const task = work
      .then(() => undefined, this.#context.fail)
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** What was taken of the source, by its hashes. */
  async takenParts(): Promise<HashedPart[]> {
    const { settings, log } = this.#context
    const whole = this.#whole
    if (whole !== undefined) {
      const hash = await whole.content.digest(settings.proof)
      return [{ offset: 0, size: whole.size, hash }]
    }
    const records = [...(log.state.upload?.parts.values() ?? [])]
    return records
      .filter(({ number }) => number <= this.#parts)
      .map((record) => {
        const { offset, size } = record
        return { offset, size, hash: hashOf(record) }
      })
  }

  /** Resolves when all parts taken are stored; rejects when the run was stopped. */
  async idle(): Promise<void> {
    // A part may wait for a disk that hangs: who stopped the run does not.
    await unlessAborted(this.#context.signal, this.settled())
  }

  /** Resolves when no part is under way, however that went. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks)
  }

  /** The end of the source: makes the object. */
  finish(): void {
    const { scope, done, fail } = this.#context
    this.finishing = inScope(scope, () => this.#finish())
    this.finishing.then(done, fail)
  }

  /** Of a run that was stopped. Without a log nothing can go on, so nothing is left. */
  async abandon(): Promise<void> {
    if (this.finishing === undefined) this.#whole?.release()
    const { settings } = this.#context
    if (!settings.isLogged) await abortUnlogged(this.#context, this.upload)
  }

  async #finish(): Promise<UploadResult> {
    try {
      await this.settled()
      this.#context.signal.throwIfAborted()
      const { size, key, environment } = this.#context.settings
      if (size !== undefined && size !== this.#size) {
        throw sizeMismatch(size, this.#size, key)
      }
      return await this.#stage.end({
        parts: this.#parts,
        size: this.#size,
        whole: this.#parts === 0 ? nothing(environment) : this.#whole?.content,
      })
    } finally {
      if (this.#whole !== undefined) await letGo(this.#whole)
    }
  }

  async #take(part: TakenPart): Promise<PartEvent> {
    this.#context.signal.throwIfAborted()
    await this.#checkBounds(part)
    const stage = this.#stage
    const event = await stage.take(part)
    if (event !== 'over') return event
    // The object that was there is not the source's: everything is sent.
    const sending = new Sending(this.#context, this.upload)
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

/** xxh64 of no bytes. */
const hashOfNothing = 'ef46db3751d8e999'

function nothing({ digests }: UploadEnvironment): PartContent {
  return new MemoryContent([], hashOfNothing, digests)
}
