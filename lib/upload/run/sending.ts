/**
 * The stage that has parts stored: reused, compared, or sent, as `rules/judge` says.
 * Parts come with their memory and keep it until `take` has settled.
 */
import type { PartRecord } from '../../checkpoint/record.js'
import { compared, expectComparison } from '../calls/look.js'
import type { PartEvent } from '../options/events.js'
import { hashesParts } from '../options/settings.js'
import type { UploadResult } from '../../upload-result.js'
import type { Receipt } from '../rules/completing.js'
import { judgePart, unknownOf, type Verdict } from '../rules/judge.js'
import type { Piece, TakenPart } from '../source/part-content.js'
import type { EndedSource, RunContext, Stage } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import { mayBeNamed, mustBeAsStored, sourceGrew } from './errors.js'
import { finishUpload, putInstead } from './finish.js'

export class Sending implements Stage {
  readonly isInOrder: boolean
  readonly #context: RunContext
  readonly #upload: CurrentUpload
  /** Where ListParts is forbidden to this caller, one part is sent all the same. */
  #isProbeSent = false
  #dropping: Promise<void> | undefined

  constructor(context: RunContext, upload: CurrentUpload) {
    this.#context = context
    this.#upload = upload
    this.isInOrder = context.settings.sequential
  }

  skip(records: readonly PartRecord[]): void {
    for (const record of records) {
      this.#upload.receipts.set(record.number, record)
      this.#context.tally.skipped(record.size)
    }
  }

  /** As those of any upload: a later run knows its object by the log. */
  async join(records: readonly PartRecord[]): Promise<void> {
    const { log } = this.#context
    await log.append(...unknownOf(records, log.state.upload?.parts))
    this.skip(records)
  }

  takeUnread(piece: Piece): PartEvent | undefined {
    const { partNumber } = piece
    const { log, tally } = this.#context
    const record = this.expected(partNumber)
    if (!log.isOfFile(record, piece)) return undefined
    this.#upload.receipts.set(partNumber, record)
    return tally.reused(piece, record.etag)
  }

  expected(partNumber: number): PartRecord | undefined {
    const { record, there } = this.#upload.earlier(partNumber)
    if (record === undefined) return undefined
    if (there === 'refused' && !this.#isProbeSent) return undefined
    const { verify } = this.#context.settings
    const verdict = judgePart(record, record, there, verify)
    return verdict.do === 'reuse' ? record : undefined
  }

  async take(part: TakenPart): Promise<PartEvent> {
    return (await this.#reuseStored(part)) ?? this.#send(part)
  }

  /** The last part that was skipped was short, and the source goes on: it is dropped. */
  async refuse(last: number, offset: number): Promise<never> {
    const { log, settings } = this.#context
    const { key, sequential } = settings
    const { uploadId } = this.#upload
    const failure = sourceGrew(last, { key, uploadId, offset })
    // A sequential upload takes no part a second time.
    this.#dropping ??= sequential
      ? this.#upload.giveUpFor(failure, 'source-changed')
      : log.append({ type: 'drop', number: last, reason: 'source-grew' })
    await this.#dropping
    throw failure
  }

  async end(source: EndedSource): Promise<UploadResult> {
    const context = this.#context
    const upload = this.#upload
    const { whole } = source
    if (whole !== undefined) return putInstead(context, whole, upload)
    return finishUpload(context, upload, source)
  }

  /** Undefined when the store does not have these bytes, or they must be sent. */
  async #reuseStored(part: TakenPart): Promise<PartEvent | undefined> {
    const upload = this.#upload
    const { partNumber, size } = part
    const { record, there } = upload.earlier(partNumber)
    const isKnown = record !== undefined || typeof there === 'object'
    // Bytes that can be compared with nothing are hashed on their way out.
    if (!isKnown) return undefined
    const { settings } = this.#context
    if (record === undefined && typeof there === 'object') {
      expectComparison(part.content, there, settings)
    }
    const { epoch } = upload
    const hash = await part.content.digest(settings.proof)
    if (epoch !== upload.epoch) return undefined
    const candidate = { size, hash }
    const verdict = judgePart(candidate, record, there, settings.verify)
    if (verdict.do === 'reuse') {
      // ListParts is forbidden to this caller: one part is sent, so that
      // NoSuchUpload can be seen before the whole source was read.
      if (there === 'refused' && !this.#isProbeSent) {
        this.#isProbeSent = true
        return undefined
      }
      upload.receipts.set(partNumber, verdict.record)
      this.#recordProof(verdict.record)
      return this.#context.tally.reused(part, verdict.record.etag)
    }
    if (verdict.do === 'compare' && (await this.#adopt(part, hash, verdict))) {
      return this.#context.tally.reused(part, verdict.etag)
    }
    mustBeAsStored(settings, record, candidate, upload.uploadId)
    return undefined
  }

  /** True when a stored part that the log cannot prove turned out to be equal. */
  async #adopt(
    part: TakenPart,
    hash: string,
    verdict: Extract<Verdict, { do: 'compare' }>,
  ): Promise<boolean> {
    const upload = this.#upload
    const { epoch } = upload
    const receipt = await compared(part, verdict, this.#context.settings)
    if (receipt === undefined || epoch !== upload.epoch) return false
    upload.receipts.set(part.partNumber, receipt)
    this.#record(part, hash, receipt)
    return true
  }

  async #send(part: TakenPart): Promise<PartEvent> {
    const { settings, tally } = this.#context
    const { proof } = settings
    const isHashed = hashesParts(settings)
    if (isHashed) part.content.expect(proof)
    if (this.#upload.mustNotReplace(part.partNumber)) await this.#replace(part)
    const { receipt, attempts } = await this.#upload.store(part)
    const hash = isHashed ? await part.content.digest(proof) : ''
    this.#record(part, hash, receipt)
    return tally.sent(part, receipt.etag, attempts)
  }

  /** A new upload instead of another part in one that may be complete already. */
  async #replace(part: Piece): Promise<void> {
    const upload = this.#upload
    if (upload.receipts.size === 0) return upload.giveUp('source-changed')
    const { key } = this.#context.settings
    const failure = mayBeNamed(part, { key, uploadId: upload.uploadId })
    await upload.giveUpFor(failure, 'source-changed')
    throw failure
  }

  /** So that the next run knows it of the file as it is now, without reading. */
  #recordProof(record: PartRecord): void {
    const { log } = this.#context
    const again = { ...record, run: log.run }
    if (!log.hasFileIdentity || log.isOfFile(record, record)) return
    log.append(again).catch(this.#context.fail)
  }

  /** Written beside the next parts; a log that cannot be written stops the run. */
  #record(part: Piece, hash: string, receipt: Receipt): void {
    const { log } = this.#context
    const { partNumber: number, offset } = part
    log
      .append({ type: 'part', number, offset, hash, ...receipt, run: log.run })
      .catch(this.#context.fail)
  }
}
