/**
 * The two stages of a run, of which it has one at a time: its parts are sent, or held
 * against an object that is there.
 */
import { partSizeAt } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { md5Hex } from '../../hash/md5.js'
import type { UploadResult } from '../../upload-result.js'
import { compared, expectComparison } from '../calls/look.js'
import type { PartEvent } from '../options/events.js'
import { Claim, type ClaimedObject } from '../rules/claim.js'
import type { Receipt } from '../rules/completing.js'
import { judgePart, unknownOf, type Verdict } from '../rules/judge.js'
import type { Piece, TakenPart } from '../source/part-content.js'
import type { EndedSource, RunContext, Stage } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import {
  claimBroken,
  claimOfOthers,
  mayBeNamed,
  mustBeAsStored,
  mustMayReplace,
  sourceGrew,
} from './errors.js'
import { finishClaim, finishUpload, putInstead } from './finish.js'

/**
 * The stage that has parts stored: reused, compared, or sent, as `rules/judge` says.
 * Parts come with their memory and keep it until `take` has settled.
 */
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
    const { isHashed, proof } = settings
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

/**
 * The stage of a run that finds an earlier run's object under the key: no part
 * is sent, the source is read and held against the object, part by part.
 *
 * The first part that differs ends it. It may be part 1, then nothing has been
 * given up and a new upload begins with it; or a later one, then the bytes before
 * it are gone and the run fails, with the upload void in the log.
 */
export class Proving implements Stage {
  readonly isInOrder = true
  readonly #context: RunContext
  readonly #upload: CurrentUpload
  readonly #claim: Claim

  constructor(
    context: RunContext,
    upload: CurrentUpload,
    claimed: ClaimedObject,
  ) {
    this.#context = context
    this.#upload = upload
    this.#claim = new Claim(claimed, context.settings.crc)
  }

  skip(records: readonly PartRecord[]): void {
    for (const record of records) {
      this.#claim.add(record)
      this.#context.tally.skipped(record.size)
    }
  }

  async join(records: readonly PartRecord[]): Promise<void> {
    const { crc, key } = this.#context.settings
    const { uploadId } = this.#claim.upload
    // Tried apart: the claim itself takes only what is the object's.
    const claim = new Claim(this.#claim, crc)
    if (!claim.isOf(records)) throw claimOfOthers(key, uploadId)
    this.skip(records)
  }

  takeUnread(piece: Piece): PartEvent | undefined {
    const { log, tally } = this.#context
    const record = this.#claim.upload.parts.get(piece.partNumber)
    if (!log.isOfFile(record, piece)) return undefined
    this.#claim.add(record)
    return tally.reused(piece, this.#claim.head.etag)
  }

  expected(partNumber: number): PartRecord | undefined {
    return this.#claim.upload.parts.get(partNumber)
  }

  async take(part: TakenPart): Promise<PartEvent | 'over'> {
    const claim = this.#claim
    const { settings } = this.#context
    const { partNumber, size, content } = part
    const hash = await content.digest(settings.proof)
    const candidate = { size, hash }
    let verdict = claim.judge(partNumber, candidate)
    if (verdict === 'sha256') {
      const strong = await content.digest(verdict)
      verdict = claim.judge(partNumber, { size, hash: strong })
    }
    // These are held against the object's at the end.
    if (verdict === 'crc64') {
      const crc64 = await content.digest(settings.crc.variant)
      claim.add({ size, crc64, check: verdict })
    } else if (verdict === 'md5') {
      const md5 = md5Hex(await content.digest(verdict))
      claim.add({ size, md5, check: verdict })
    }
    if (verdict !== false) {
      return this.#context.tally.reused(part, claim.head.etag)
    }
    const { parts, uploadId } = claim.upload
    mustBeAsStored(settings, parts.get(partNumber), candidate, uploadId)
    this.#mustMayReplace()
    await this.#askAtEnd(part)
    await this.#giveUp()
    return 'over'
  }

  async refuse(): Promise<never> {
    this.#mustMayReplace()
    return this.#break()
  }

  async end(source: EndedSource): Promise<UploadResult> {
    const context = this.#context
    const claim = this.#claim
    if (claim.isWhole()) return finishClaim(context, claim)
    this.#mustMayReplace()
    const { whole, size } = source
    if (whole !== undefined) {
      return putInstead(context, whole, this.#upload, claim.upload)
    }
    await context.beforeComplete.ask({ size, crc64: claim.crc64With() })
    return this.#break()
  }

  /** Where it may not, the log is left for the source that the object was made of. */
  #mustMayReplace(): void {
    mustMayReplace(this.#context.settings, this.#claim.upload)
  }

  /** A short part is the source's end, and the source may have ended too early. */
  async #askAtEnd(part: TakenPart): Promise<void> {
    const { partNumber, offset, size, content } = part
    const claim = this.#claim
    const isFull = size === partSizeAt(this.#upload.sizes, partNumber)
    if (isFull || claim.parts === 0) return
    const { crc } = this.#context.settings
    const crc64 = crc.isWanted
      ? claim.crc64With({ size, crc64: await content.digest(crc.variant) })
      : undefined
    await this.#context.beforeComplete.ask({ size: offset + size, crc64 })
  }

  /** The source is not the object's: a new upload, if it can be made whole. */
  async #giveUp(): Promise<void> {
    if (this.#claim.parts > 0) await this.#break()
    await this.#upload.giveUp('source-changed', 'object')
  }

  async #break(): Promise<never> {
    const failure = claimBroken(this.#context.settings.key)
    await this.#upload.giveUpFor(failure, 'source-changed', 'object')
    throw failure
  }
}
