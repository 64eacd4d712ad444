/**
 * Claim mode: an earlier run's Complete went through, but nobody was told. No
 * part is sent; the source is read and proved part by part against the log.
 *
 * Parts are offered in order, one at a time. A part whose record was lost to
 * damage is taken on trust until the end, where the CRC-64 of the whole must
 * then be the object's.
 */
import type { UploadState } from '../checkpoint/fold.js'
import type { CompletingUploadRecord } from '../checkpoint/record.js'
import { combineCrc64 } from '../hash/crc64.js'
import type { ObjectHead, StoreDigest } from '../store/object-store.js'
import type { TakenPart } from './part-content.js'
import { provesEqual } from './resume-plan.js'

export class Claim {
  readonly upload: UploadState
  readonly completing: CompletingUploadRecord
  readonly head: ObjectHead
  readonly #digest: StoreDigest
  readonly #pieces: { size: number; crc64: string | undefined }[] = []
  #isProved = true

  constructor(
    plan: {
      upload: UploadState
      completing: CompletingUploadRecord
      head: ObjectHead
    },
    storeDigest: StoreDigest,
  ) {
    this.upload = plan.upload
    this.completing = plan.completing
    this.head = plan.head
    this.#digest = storeDigest
  }

  /** Parts found equal so far. */
  get parts(): number {
    return this.#pieces.length
  }

  /** Whether the next part can be the object's; `hash` is of the run's proof. */
  async accepts(part: TakenPart, hash: string): Promise<boolean> {
    if (part.partNumber > this.completing.parts) return false
    const record = this.upload.parts.get(part.partNumber)
    const { size } = part
    if (record !== undefined && record.hash.length === hash.length) {
      if (!provesEqual(record, { size, hash })) return false
      this.#pieces.push({ size, crc64: record.crc64 })
      return true
    }
    if (this.head.crc64 === undefined || this.#digest === 'none') return false
    if (this.#digest === 'md5') return false
    this.#isProved = false
    const crc64 = await part.content.digest(this.#digest)
    this.#pieces.push({ size, crc64 })
    return true
  }

  /** Takes the first parts on the word of the log. */
  skip(records: readonly { size: number; crc64?: string | undefined }[]): void {
    for (const { size, crc64 } of records) this.#pieces.push({ size, crc64 })
  }

  /** Whether the source, now at its end, was the object's to the last byte. */
  isWhole(): boolean {
    const { parts, size } = this.completing
    const sum = this.#pieces.reduce((total, piece) => total + piece.size, 0)
    if (this.#pieces.length !== parts || sum !== size) return false
    return this.#isProved || this.#combined() === this.head.crc64
  }

  #combined(): string | undefined {
    if (this.#digest !== 'crc64ecma' && this.#digest !== 'crc64nvme') {
      return undefined
    }
    const pieces: { size: number; crc64: string }[] = []
    for (const { size, crc64 } of this.#pieces) {
      if (crc64 === undefined) return undefined
      pieces.push({ size, crc64 })
    }
    return combineCrc64(this.#digest, pieces)
  }
}
