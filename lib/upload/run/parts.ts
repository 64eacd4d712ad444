/**
 * What becomes of each part of this run: reused, compared, sent, or, in claim
 * mode, proved.
 *
 * Owns the receipts and the counts of what was reused. Parts come with their
 * memory and keep it until `handle` has settled. In claim mode they are handled
 * in order; the first one that differs ends that mode, and is the only one that
 * may, since no byte has been given up before it.
 */
import type { PartRecord } from '../../checkpoint/record.js'
import type { ListedPart } from '../../store/object-store.js'
import type { PartEvent } from '../options/events.js'
import type { UploadSettings } from '../options/settings.js'
import { Claim } from '../rules/claim.js'
import {
  type Candidate,
  hasChanged,
  judgePart,
  type Listed,
  type Verdict,
} from '../rules/judge.js'
import type { Plan } from '../rules/plan.js'
import { askBeforeComplete } from './before-complete.js'
import type { Reuse, RunContext } from './context.js'
import {
  compared,
  type OpenUpload,
  type Receipt,
  Receipts,
} from './current-upload.js'
import {
  claimBroken,
  partChanged,
  sizeMismatch,
  sourceGrew,
  tooManyParts,
} from './errors.js'
import { PartTracing } from './trace.js'
import type { Piece, TakenPart } from '../source/part-content.js'

export class PartTaker {
  readonly receipts = new Receipts()
  readonly reuse: Reuse
  readonly #context: RunContext
  readonly #upload: OpenUpload
  readonly #partSize: number
  readonly #tracing: PartTracing
  readonly #onLogFailure: (error: unknown) => void
  #plan: Plan
  #claim: Claim | undefined
  #isProbeSent = false
  #hasGivenUp = false
  #dropping: Promise<void> | undefined

  constructor(
    context: RunContext,
    plan: Plan,
    upload: OpenUpload,
    options: { partSize: number; onLogFailure: (error: unknown) => void },
  ) {
    this.#context = context
    this.#plan = plan
    this.#upload = upload
    this.#partSize = options.partSize
    this.#tracing = new PartTracing(context, upload)
    this.#onLogFailure = options.onLogFailure
    this.reuse = { parts: 0, bytes: 0, resumed: plan.mode !== 'create' }
    if (plan.mode === 'claim') {
      this.#claim = new Claim(plan, context.settings.crc)
    }
  }

  /** The finished object that the source is held against, while it is. */
  get claim(): Claim | undefined {
    return this.#claim
  }

  /** The run failed, but its upload is void in the log: the next one begins anew. */
  get hasGivenUp(): boolean {
    return this.#hasGivenUp
  }

  /** Takes stored parts on the log's word. */
  skip(records: readonly PartRecord[]): void {
    this.#claim?.skip(records)
    for (const record of records) {
      this.receipts.set(record.number, record)
      this.#countReused(record.size)
      this.#tracing.skipped(record)
    }
  }

  /**
   * Takes a stored part of a file unread; false when it has to be read, because
   * it is not stored, or the file may have changed since it was.
   */
  takeUnread(piece: Piece): boolean {
    const record = this.#storedUnchanged(piece)
    if (record === undefined) return false
    this.#claim?.skip([record])
    this.receipts.set(piece.partNumber, record)
    const etag = this.#claim?.head.etag ?? record.etag
    this.#tracing.reused(this.#tellReused(piece, etag))
    return true
  }

  #storedUnchanged({ partNumber, size }: Piece): PartRecord | undefined {
    const plan = this.#plan
    const { log, settings } = this.#context
    if (plan.mode === 'create') return undefined
    const record = plan.upload.parts.get(partNumber)
    if (record?.size !== size || !log.isFileUnchangedSince(record.run)) {
      return undefined
    }
    if (plan.mode === 'claim') return record
    const there = listedPart(plan.listed, partNumber)
    if (there === 'refused' && !this.#isProbeSent) return undefined
    const verdict = judgePart(record, record, there, settings.verify)
    return verdict.do === 'reuse' ? record : undefined
  }

  /** Reuses, compares or sends one part. */
  handle(part: TakenPart): Promise<PartEvent> {
    const tracing = this.#tracing
    return tracing.isOn
      ? tracing.run(part, () => this.#handle(part))
      : this.#handle(part)
  }

  async #handle(part: TakenPart): Promise<PartEvent> {
    const { settings, signal } = this.#context
    signal.throwIfAborted()
    await this.#checkBounds(part)
    if (this.#claim !== undefined) {
      const { head, upload } = this.#claim
      const hash = await part.content.digest(settings.proof)
      if (await this.#claim.accepts(part, hash)) {
        return this.#tellReused(part, head.etag)
      }
      const record = upload.parts.get(part.partNumber)
      const candidate = { size: part.size, hash }
      mustBeAsStored(settings, record, candidate, upload.uploadId)
      await this.#askAtEnd(part, this.#claim)
      await this.giveUpClaim()
    }
    return (await this.#reuse(part)) ?? this.#send(part)
  }

  /** A short part is the source's end, and the source may have ended too early. */
  async #askAtEnd({ offset, size, content }: TakenPart, claim: Claim) {
    if (size === this.#partSize || claim.parts === 0) return
    const { crc } = this.#context.settings
    const crc64 = crc.isWanted
      ? claim.crc64With({
          size,
          crc64: await content.digest(crc.variant),
        })
      : undefined
    await askBeforeComplete(this.#context, { size: offset + size, crc64 })
  }

  /** Says so when the store has these bytes; undefined when it has not. */
  async #reuse(part: TakenPart): Promise<PartEvent | undefined> {
    const plan = this.#plan
    if (plan.mode !== 'resume') return undefined
    const record = plan.upload.parts.get(part.partNumber)
    const there = listedPart(plan.listed, part.partNumber)
    const isKnown = record !== undefined || typeof there === 'object'
    // Bytes that can be compared with nothing are hashed on their way out.
    if (!isKnown) return undefined
    const { settings } = this.#context
    if (record === undefined) this.#expectComparison(part, there)
    const hash = await part.content.digest(settings.proof)
    if (plan !== this.#plan) return undefined
    const candidate = { size: part.size, hash }
    const verdict = judgePart(candidate, record, there, settings.verify)
    if (verdict.do === 'reuse') {
      // Nobody could be asked whether the upload still exists: one part asks.
      if (there === 'refused' && !this.#isProbeSent) {
        this.#isProbeSent = true
        return undefined
      }
      this.receipts.set(part.partNumber, verdict.record)
      this.#recordProof(verdict.record)
      return this.#tellReused(part, verdict.record.etag)
    }
    if (verdict.do === 'compare' && (await this.#adopt(part, hash, verdict))) {
      return this.#tellReused(part, verdict.etag)
    }
    mustBeAsStored(settings, record, candidate, this.#upload.uploadId)
    return undefined
  }

  /** Worked out together with the hash: the bytes may have to be read for it. */
  #expectComparison(
    { content }: TakenPart,
    there: ListedPart | 'refused' | undefined,
  ): void {
    const { proof, crc } = this.#context.settings
    if (typeof there !== 'object' || proof === 'sha256') return
    content.expect(there.crc64 === undefined ? 'md5' : crc.variant)
  }

  /** True when a stored part that the log cannot prove turned out to be equal. */
  async #adopt(
    part: TakenPart,
    hash: string,
    verdict: Extract<Verdict, { do: 'compare' }>,
  ): Promise<boolean> {
    const { settings } = this.#context
    const plan = this.#plan
    const receipt = await compared(part, verdict, settings.crc.variant)
    if (receipt === undefined || plan !== this.#plan) return false
    this.receipts.set(part.partNumber, receipt)
    this.#record(part, hash, receipt)
    return true
  }

  async #send(part: TakenPart): Promise<PartEvent> {
    const { emit, progress, settings } = this.#context
    part.content.expect(settings.proof)
    let sent: Awaited<ReturnType<OpenUpload['sendPart']>>
    let hash: string
    do {
      sent = await this.#upload.sendPart(part, this.#startOver)
      hash = await part.content.digest(settings.proof)
      // Confirmed for an upload that was found gone meanwhile: it counts no more.
    } while (sent.uploadId !== this.#upload.uploadId)
    const receipt = {
      size: part.size,
      etag: sent.receipt.etag,
      crc64: sent.crc64,
      md5: sent.md5,
      check: sent.check,
    }
    this.receipts.set(part.partNumber, receipt)
    this.#record(part, hash, receipt)
    progress.stored(part.size)
    const { partNumber, offset, size } = part
    const event = {
      partNumber,
      offset,
      size,
      etag: receipt.etag,
      reused: false,
      attempts: sent.attempts,
    }
    emit('part', event)
    return event
  }

  /** Possible while nothing taken is gone; what was stored counts no more then. */
  readonly #startOver = (): boolean => {
    if (this.receipts.size > 0) return false
    this.#plan = { mode: 'create' }
    this.reuse.resumed = false
    return true
  }

  /** So that the next run knows it of the file as it is now, without reading. */
  #recordProof(record: PartRecord): void {
    const { log } = this.#context
    const { run } = log
    if (!log.hasFileIdentity || log.isFileUnchangedSince(record.run)) return
    log.append({ ...record, run }).catch(this.#onLogFailure)
  }

  /** Beside the next parts; a log that cannot be written stops the run. */
  #record(part: Piece, hash: string, receipt: Receipt): void {
    const { log } = this.#context
    log
      .append({
        type: 'part',
        number: part.partNumber,
        offset: part.offset,
        hash,
        ...receipt,
        run: log.run,
      })
      .catch(this.#onLogFailure)
  }

  #tellReused({ partNumber, offset, size }: Piece, etag: string): PartEvent {
    this.#countReused(size)
    const where = { partNumber, offset, size }
    const event = { ...where, etag, reused: true, attempts: 0 }
    this.#context.emit('part', event)
    return event
  }

  #countReused(size: number): void {
    this.reuse.parts++
    this.reuse.bytes += size
    this.#context.progress.reused(size)
  }

  /** The source is not the finished object's: a new upload, if it can be made whole. */
  async giveUpClaim(): Promise<void> {
    const { key } = this.#context.settings
    const isTooLate = (this.#claim?.parts ?? 0) > 0
    this.#claim = undefined
    if (isTooLate) {
      const failure = claimBroken(key)
      await this.#upload.giveUp('source-changed', { failure, completed: true })
      this.#hasGivenUp = true
      throw failure
    }
    await this.#upload.giveUp('source-changed', { completed: true })
    this.#plan = { mode: 'create' }
    this.reuse.resumed = false
  }

  /**
   * A part that is not where the taken ones end, at `offset`: the last of them,
   * skipped, was short. It is dropped, and the next run reads it again.
   */
  async refuse(last: number, offset: number): Promise<never> {
    if (this.#claim !== undefined) await this.giveUpClaim()
    const { log, settings } = this.#context
    const { key, sequential } = settings
    const { uploadId } = this.#upload
    const failure = sourceGrew(last, { key, uploadId, offset })
    // A sequential upload takes no part a second time.
    this.#dropping ??= sequential
      ? this.#upload.giveUp('source-changed', { failure })
      : log.append({ type: 'drop', number: last, reason: 'source-grew' })
    await this.#dropping
    throw failure
  }

  async #checkBounds(piece: Piece): Promise<void> {
    const { key, size, store } = this.#context.settings
    const end = piece.offset + piece.size
    if (size !== undefined && end > size) throw sizeMismatch(size, end, key)
    const { maxParts } = store.limits
    if (piece.partNumber <= maxParts) return
    const partSize = this.#partSize
    const failure = tooManyParts(piece, { key, maxParts, partSize })
    await this.#upload.giveUp('part-size', { failure })
    throw failure
  }
}

function listedPart(
  listed: Listed,
  partNumber: number,
): ListedPart | 'refused' | undefined {
  return listed === 'refused' ? listed : listed.get(partNumber)
}

/** Throws `PAWL_SOURCE_CHANGED` for a part that must not differ, and does. */
export function mustBeAsStored(
  { onSourceChange, key }: Pick<UploadSettings, 'onSourceChange' | 'key'>,
  record: PartRecord | undefined,
  candidate: Candidate,
  uploadId: string | undefined,
): void {
  if (onSourceChange !== 'fail' || !hasChanged(record, candidate)) return
  const { number: partNumber, offset, size } = record
  throw partChanged({ partNumber, offset, size }, { key, uploadId })
}
