/**
 * The stage of a run that finds an earlier run's object under the key: no part
 * is sent, the source is read and held against the object, part by part.
 *
 * The first part that differs ends it. It may be part 1, then nothing has been
 * given up and a new upload begins with it; or a later one, then the bytes before
 * it are gone and the run fails, with the upload void in the log.
 */
import { partSizeAt } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { md5Hex } from '../../hash/md5.js'
import type { PartEvent } from '../options/events.js'
import type { UploadResult } from '../../upload-result.js'
import { Claim, type ClaimedObject } from '../rules/claim.js'
import type { Piece, TakenPart } from '../source/part-content.js'
import type { EndedSource, RunContext, Stage } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import {
  claimBroken,
  claimOfOthers,
  mustBeAsStored,
  mustMayReplace,
} from './errors.js'
import { finishClaim, putInstead } from './finish.js'

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
