/**
 * Whether a source is the object that an earlier run's Complete has made, though
 * nobody was told. Pure: parts are offered in order, one at a time, with their
 * digests.
 *
 * A record proves a part only when all of them together are the ones that
 * Complete named. Where some were lost to damage they are taken on trust until
 * the end, where the CRC-64 of the whole must then be the object's, or the ETag
 * that the parts' MD5s give; and wherever the CRC-64 is known, it must be in any
 * case.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import type {
  CompletingUploadRecord,
  PartCheck,
  PartRecord,
} from '../../checkpoint/record.js'
import { hasMd5 } from '../../hash/md5.js'
import { bareEtag, isMd5Etag, partsIn } from '../../store/etag.js'
import type { ObjectHead } from '../../store/object-store.js'
import type { CrcSettings } from '../options/settings.js'
import type { Receipt } from './completing.js'
import { isStrong, provesEqual, type Candidate } from './judge.js'
import { combinedCrc64, multipartEtag, partsNow } from './proof.js'

/** An object that is there, and the upload that it came of. */
export interface ClaimedObject {
  upload: UploadState
  completing: CompletingUploadRecord
  head: ObjectHead
}

/** A part found equal, or to be held against the object's at the end. */
interface Piece {
  size: number
  crc64: string | undefined
  /** Hex; of a part that was recorded, as the server had it. */
  md5: string | undefined
}

export class Claim {
  readonly upload: UploadState
  readonly completing: CompletingUploadRecord
  readonly head: ObjectHead
  readonly #crc: CrcSettings
  readonly #pieces: Piece[] = []
  /** What the server had confirmed of the parts found equal. */
  readonly checks = new Set<PartCheck>()
  readonly #isProved: boolean

  constructor({ upload, completing, head }: ClaimedObject, crc: CrcSettings) {
    this.upload = upload
    this.completing = completing
    this.head = head
    this.#crc = crc
    this.#isProved = partsNow(upload, completing) === 'same'
  }

  /** Parts found equal so far. */
  get parts(): number {
    return this.#pieces.length
  }

  /**
   * Whether the next part can be the object's; `hash` is of the run's proof, or of
   * the one that is asked for. `sha256`: that is to be told, it is what the log has.
   * `crc64`, `md5`: it can be, and `add` has to be told that of it.
   */
  judge(
    partNumber: number,
    { size, hash }: Candidate,
  ): 'crc64' | 'md5' | 'sha256' | boolean {
    if (partNumber > this.completing.parts) return false
    const record = this.upload.parts.get(partNumber)
    if (record !== undefined && record.hash.length === hash.length) {
      if (!provesEqual(record, { size, hash })) return false
      this.add(record)
      return true
    }
    // An earlier run's proof, if it says more than this one's.
    if (record !== undefined && isStrong(record.hash)) return 'sha256'
    if (isStrong(hash)) return false
    if (this.head.crc64 !== undefined) return 'crc64'
    return this.#hasPartsEtag ? 'md5' : false
  }

  /** Takes all parts, by what others say of them; whether the object is of these. */
  isOf(records: readonly PartRecord[]): boolean {
    for (const record of records) {
      const verdict = this.judge(record.number, record)
      if (verdict === 'crc64') this.add(record)
      else if (verdict !== true) return false
    }
    return this.isWhole()
  }

  /** Takes the next part as the object's. */
  add({
    size,
    crc64,
    etag,
    md5,
    check = 'none',
  }: Pick<Receipt, 'size'> & Partial<Receipt>): void {
    this.#pieces.push({ size, crc64, md5: etag ?? md5 })
    this.checks.add(check)
  }

  /** Whether the source, now at its end, was the object's to the last byte. */
  isWhole(): boolean {
    const { parts, size } = this.completing
    const sum = this.#pieces.reduce((total, piece) => total + piece.size, 0)
    if (this.#pieces.length !== parts || sum !== size) return false
    const crc64 = this.crc64With()
    if (crc64 === undefined || this.head.crc64 === undefined) {
      return this.#isProved || this.#isOfTheseParts()
    }
    return crc64 === this.head.crc64
  }

  /** The object's ETag is made of its parts' MD5s, as far as its form says. */
  get #hasPartsEtag(): boolean {
    const { etag, isOpaque } = this.head
    const { parts } = this.completing
    return isOpaque !== true && partsIn(etag) === parts && hasMd5()
  }

  #isOfTheseParts(): boolean {
    const etags = this.#pieces.map(({ md5 = '' }) => md5)
    return (
      this.#hasPartsEtag &&
      etags.every(isMd5Etag) &&
      multipartEtag(etags) === bareEtag(this.head.etag)
    )
  }

  /** The CRC-64 of the parts found equal and of what follows, if all have one. */
  crc64With(...more: Omit<Piece, 'md5'>[]) {
    return combinedCrc64(this.#crc.variant, [...this.#pieces, ...more])
  }
}
