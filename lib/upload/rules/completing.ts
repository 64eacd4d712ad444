/**
 * What a Complete names, what the log says of it before it is sent, and what earlier
 * runs have sent to complete the same upload, as the log has it. Pure.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import {
  type CompletingUploadRecord,
  etagsDigest,
  type ObjectSight,
  type PartCheck,
} from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { StoreErrorKind } from '../../store/store-error.js'
import type { CrcSettings } from '../options/settings.js'
import { combinedCrc64 } from './proof.js'

/** What is known of one stored part. */
export interface Receipt {
  size: number
  /** As the server spelled it. */
  etag: string
  crc64?: string | undefined
  md5?: string | undefined
  check: PartCheck
}

/** The parts that a Complete names, and what they make together. */
export interface NamedParts {
  parts: readonly (Receipt & { partNumber: number })[]
  /** Bytes. */
  size: number
  /** Of the whole, where it is wanted and that of every part is known. */
  crc64: string | undefined
}

/** Receipts of one upload's parts, by part number. */
export type Receipts = ReadonlyMap<number, Receipt>

/** Those of all parts of a source that has ended; throws when one of them has none. */
export function partsToName(
  receipts: Receipts,
  source: { parts: number; size: number },
  crc: CrcSettings,
): NamedParts {
  const parts = receiptsInOrder(receipts, source)
  const crc64 = crc.isWanted ? combinedCrc64(crc.variant, parts) : undefined
  return { parts, size: source.size, crc64 }
}

function receiptsInOrder(
  receipts: Receipts,
  { parts: count, size }: { parts: number; size: number },
): NamedParts['parts'] {
  const parts: (Receipt & { partNumber: number })[] = []
  for (let partNumber = 1; partNumber <= count; partNumber++) {
    const receipt = receipts.get(partNumber)
    if (receipt === undefined) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        `part ${partNumber} of ${count} has no receipt; nothing was completed`,
        { partNumber },
      )
    }
    parts.push({ partNumber, ...receipt })
  }
  const sum = parts.reduce((total, part) => total + part.size, 0)
  if (sum !== size || receipts.size !== count) {
    throw new UploadError(
      'PAWL_INVALID_STATE',
      `${receipts.size} parts of ${sum} bytes are stored, expected ${count} of ${size}; nothing was completed`,
    )
  }
  return parts
}

/** What is known when a Complete is about to be sent. */
export interface AboutToComplete {
  /** For the log. */
  completing: CompletingUploadRecord
  /** What earlier runs have sent, of which all but `refused` may be under way. */
  sentBefore: SentBefore
  doubt: Doubt
}

/** `before`: what is under the key. */
export function aboutToComplete(
  { parts, size, crc64 }: NamedParts,
  upload: UploadState,
  sentDigest: string,
  before: ObjectSight | undefined,
): AboutToComplete {
  const sent = sentBefore(upload, sentDigest)
  const isSent = sent === 'alike' || sent === 'otherwise'
  return {
    doubt: new Doubt({ isOpen: isSent, isUnsure: isSent }),
    completing: {
      type: 'completing',
      parts: parts.length,
      size,
      crc64,
      etagsDigest: etagsDigest(parts.map(({ etag }) => etag)),
      sentDigest,
      before,
    },
    sentBefore: sent,
  }
}

/** What the answers of a run leave open so far. */
export class Doubt {
  #isOpen: boolean
  #isUnsure: boolean

  constructor(at: { isOpen: boolean; isUnsure: boolean }) {
    this.#isOpen = at.isOpen
    this.#isUnsure = at.isUnsure
  }

  /** The object may be there, whatever the next answer says. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** It may be ours, and not only because some object is there. */
  get isUnsure(): boolean {
    return this.#isUnsure
  }

  /** `mayHaveHappened`: in spite of the failure, the request may have been carried out. */
  hear(kind: StoreErrorKind | undefined, mayHaveHappened: boolean): void {
    if (mayHaveHappened) this.#isOpen = true
    if (this.#isOpen && kind !== 'exists') this.#isUnsure = true
  }
}

/**
 * Whether the object of an upload may have another ACL or callback than `sentDigest` is
 * of. While nobody has heard what became of its Completes, any of them may have made it,
 * but for those that were refused for certain; where all were, and it is there all the
 * same, even these.
 */
export function wasSentOtherwise(
  { sentDigests, completing, done }: UploadState,
  sentDigest: string,
): boolean {
  const last = completing?.sentDigest
  if (done !== undefined && last !== undefined) return last !== sentDigest
  const inDoubt = inDoubtOf(sentDigests)
  const all = inDoubt.length > 0 ? inDoubt : [...sentDigests.keys()]
  return all.some((digest) => digest !== sentDigest)
}

function inDoubtOf(sentDigests: UploadState['sentDigests']): string[] {
  return [...sentDigests].flatMap(([digest, count]) =>
    count > 0 ? [digest] : [],
  )
}

/**
 * What earlier runs have sent to complete an upload: what this call asks for and nothing
 * else; perhaps something else; the same of what was refused for certain, when nothing
 * else was sent; or nothing.
 */
export type SentBefore =
  'alike' | 'otherwise' | 'refused' | 'otherwise-refused' | undefined

/** Whether an object that is there in spite of all is of what this call asks for. */
export function isAlike(sent: SentBefore): boolean {
  return sent === 'alike' || sent === 'refused'
}

export function sentBefore(
  upload: UploadState | undefined,
  sentDigest: string,
): SentBefore {
  if (upload?.completing === undefined) return undefined
  const { sentDigests } = upload
  const isRefused = sentDigests.size > 0 && inDoubtOf(sentDigests).length === 0
  const isOther = wasSentOtherwise(upload, sentDigest)
  if (isRefused) return isOther ? 'otherwise-refused' : 'refused'
  return isOther ? 'otherwise' : 'alike'
}
