/**
 * Claim mode: an earlier run's Complete went through, but nobody was told. No
 * part is sent; the source is read and proved part by part against the log.
 *
 * Parts are offered in order, one at a time. A record proves a part only when
 * all of them together are the ones that Complete named. Where some were lost to
 * damage they are taken on trust until the end, where the CRC-64 of the whole
 * must then be the object's; and wherever it is known, it must be in any case.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import type { CompletingUploadRecord } from '../../checkpoint/record.js'
import type { ObjectHead } from '../../store/object-store.js'
import { isStrong, provesEqual } from './judge.js'
import { combinedCrc64, partsNow } from './proof.js'
import type { CrcSettings } from '../options/settings.js'
import type { TakenPart } from '../source/part-content.js'

export class Claim {
  readonly upload: UploadState
  readonly completing: CompletingUploadRecord
  readonly head: ObjectHead
  readonly #crc: CrcSettings
  readonly #pieces: { size: number; crc64: string | undefined }[] = []
  readonly #isProved: boolean

  constructor(
    plan: {
      upload: UploadState
      completing: CompletingUploadRecord
      head: ObjectHead
    },
    crc: CrcSettings,
  ) {
    this.upload = plan.upload
    this.completing = plan.completing
    this.head = plan.head
    this.#crc = crc
    this.#isProved = partsNow(plan.upload, plan.completing) === 'same'
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
    if (isStrong(hash)) return false
    if (this.head.crc64 === undefined) return false
    const crc64 = await part.content.digest(this.#crc.variant)
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
    const crc64 = this.crc64With()
    if (crc64 === undefined || this.head.crc64 === undefined) {
      return this.#isProved
    }
    return crc64 === this.head.crc64
  }

  /** The CRC-64 of the parts found equal and of what follows, if all have one. */
  crc64With(...more: { size: number; crc64: string | undefined }[]) {
    return combinedCrc64(this.#crc.variant, [...this.#pieces, ...more])
  }
}
