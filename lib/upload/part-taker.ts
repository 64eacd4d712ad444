/**
 * What becomes of each part of this run: reused, compared, sent, or, in claim
 * mode, proved.
 *
 * Owns the receipts and the counts of what was reused. Parts come with their
 * memory and keep it until `handle` has settled. In claim mode they are handled
 * in order; the first one that differs ends that mode, and is the only one that
 * may, since no byte has been given up before it.
 */
import type { PartRecord } from '../checkpoint/record.js'
import { UploadError } from '../errors.js'
import { digest } from '../hash/digest.js'
import { Claim } from './claim.js'
import { bareEtag } from './etag.js'
import type { OpenUpload } from './open-upload.js'
import type { Part } from './part.js'
import type { Plan } from './prepare.js'
import { Receipts, type Receipt } from './receipts.js'
import { isOtherBytes, judgePart, type Verdict } from './resume-plan.js'
import type { Reuse, RunContext } from './run-context.js'
import { sizeMismatch } from './size-mismatch.js'

export class PartTaker {
  readonly receipts = new Receipts()
  readonly reuse: Reuse
  readonly #context: RunContext
  readonly #upload: OpenUpload
  readonly #partSize: number
  readonly #onLogFailure: (error: unknown) => void
  #plan: Plan
  #claim: Claim | undefined
  #isProbeSent = false

  constructor(
    context: RunContext,
    plan: Plan,
    upload: OpenUpload,
    options: { partSize: number; onLogFailure(error: unknown): void },
  ) {
    this.#context = context
    this.#plan = plan
    this.#upload = upload
    this.#partSize = options.partSize
    this.#onLogFailure = options.onLogFailure
    this.reuse = { parts: 0, bytes: 0, resumed: plan.mode !== 'create' }
    if (plan.mode === 'claim') {
      this.#claim = new Claim(plan, context.settings.store.digest)
    }
  }

  /** The finished object that the source is held against, while it is. */
  get claim(): Claim | undefined {
    return this.#claim
  }

  /** Takes stored parts on the log's word. */
  skip(records: readonly PartRecord[]): void {
    this.#claim?.skip(records)
    for (const record of records) {
      this.receipts.set(record.number, record)
      this.#countReused(record.size)
    }
  }

  /** Reuses, compares or sends one part. */
  async handle(part: Part): Promise<void> {
    const { settings, signal } = this.#context
    signal.throwIfAborted()
    await this.#checkBounds(part)
    const hash =
      settings.proof === 'sha256'
        ? await digest('sha256', part.data)
        : part.xxh64
    if (this.#claim !== undefined) {
      if (await this.#claim.accepts(part, hash)) {
        this.#tellReused(part, this.#claim.head.etag)
        return
      }
      await this.giveUpClaim()
    }
    const { record, verdict } = this.#judge(part, hash)
    switch (verdict.do) {
      case 'reuse':
        this.receipts.set(part.partNumber, verdict.record)
        this.#tellReused(part, verdict.record.etag)
        return
      case 'compare':
        if (await this.#adopt(part, hash, verdict)) return
        break
      case 'send':
        break
    }
    if (record !== undefined && settings.onSourceChange === 'fail') {
      this.#mustBeSame(part, record, hash)
    }
    await this.#send(part, hash)
  }

  #judge(
    part: Part,
    hash: string,
  ): { record: PartRecord | undefined; verdict: Verdict } {
    const plan = this.#plan
    if (plan.mode !== 'resume') {
      return { record: undefined, verdict: { do: 'send' } }
    }
    const { verify } = this.#context.settings
    const { listed, upload } = plan
    const record = upload.parts.get(part.partNumber)
    const there = listed === 'refused' ? listed : listed.get(part.partNumber)
    const candidate = { size: part.size, hash }
    const verdict = judgePart(candidate, record, there, verify)
    // Nobody could be asked whether the upload still exists: one part asks.
    if (verdict.do === 'reuse' && there === 'refused' && !this.#isProbeSent) {
      this.#isProbeSent = true
      return { record, verdict: { do: 'send' } }
    }
    return { record, verdict }
  }

  #mustBeSame(part: Part, record: PartRecord, hash: string): void {
    if (!isOtherBytes(record, { size: part.size, hash })) return
    throw new UploadError(
      'PAWL_SOURCE_CHANGED',
      `part ${part.partNumber} (bytes ${part.offset} to ${part.offset + part.size - 1}) is not what an earlier run stored, and onSourceChange is 'fail'`,
      {
        key: this.#context.settings.key,
        uploadId: this.#upload.uploadId,
        partNumber: part.partNumber,
        offset: part.offset,
        resumable: true,
      },
    )
  }

  /** True when a stored part that the log cannot prove turned out to be equal. */
  async #adopt(
    part: Part,
    hash: string,
    verdict: Extract<Verdict, { do: 'compare' }>,
  ): Promise<boolean> {
    const { settings } = this.#context
    const variant =
      settings.store.digest === 'crc64nvme' ? 'crc64nvme' : 'crc64ecma'
    const isCrc64 = verdict.by === 'crc64'
    const value = isCrc64
      ? await digest(variant, part.data)
      : md5Hex(await digest('md5', part.data))
    const wanted = isCrc64 ? verdict.value : bareEtag(verdict.value)
    if (value !== wanted) return false
    const receipt = {
      size: part.size,
      etag: verdict.etag,
      crc64: isCrc64 ? value : undefined,
      md5: isCrc64 ? undefined : value,
      check: verdict.by,
    }
    this.receipts.set(part.partNumber, receipt)
    this.#record(part, hash, receipt)
    this.#tellReused(part, verdict.etag)
    return true
  }

  async #send(part: Part, hash: string): Promise<void> {
    const { emit, progress } = this.#context
    const sent = await this.#upload.sendPart(
      part,
      () => this.receipts.size === 0,
    )
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
    emit('part', {
      partNumber,
      offset,
      size,
      etag: receipt.etag,
      reused: false,
      attempts: sent.attempts,
    })
  }

  /** Beside the next parts; a log that cannot be written stops the run. */
  #record(part: Part, hash: string, receipt: Receipt): void {
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

  #tellReused({ partNumber, offset, size }: Part, etag: string): void {
    this.#countReused(size)
    const { emit } = this.#context
    emit('part', {
      partNumber,
      offset,
      size,
      etag,
      reused: true,
      attempts: 0,
    })
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
    await this.#upload.giveUp('source-changed')
    if (isTooLate) {
      throw new UploadError(
        'PAWL_SOURCE_CHANGED',
        'an earlier run completed the object, and the source is no longer its bytes; run the same call again to upload the source as it is now',
        { key, resumable: true },
      )
    }
    this.#plan = { mode: 'create' }
    this.reuse.resumed = false
  }

  async #checkBounds({ partNumber, offset, size: bytes }: Part): Promise<void> {
    const { settings } = this.#context
    const { key, size, store } = settings
    if (size !== undefined && offset + bytes > size) {
      throw sizeMismatch(size, offset + bytes, key)
    }
    const { maxParts } = store.limits
    if (partNumber <= maxParts) return
    await this.#upload.giveUp('part-size')
    throw new UploadError(
      'PAWL_TOO_MANY_PARTS',
      `the source is longer than ${maxParts} parts of ${this.#partSize} bytes; run it again with a larger partSize, or with its size`,
      { key, partNumber, offset, resumable: true },
    )
  }
}

function md5Hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}
