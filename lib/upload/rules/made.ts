/**
 * What a Complete that was answered with success has made. Pure.
 *
 * Mostly the answer says it. It does not when it has no ETag, when it speaks of
 * other parts than were named (some servers replay the answer to another run's
 * Complete of the same upload), and when the store orders by Initiate, where another
 * object may be under the key all the same: then HEAD is asked, and its word counts.
 */
import type { PartCheck } from '../../checkpoint/record.js'
import type { ObjectHead, ObjectReceipt } from '../../store/object-store.js'
import {
  carriesMark,
  checkObject,
  type ExpectedObject,
  type Found,
  hasOtherParts,
  isOfOtherParts,
  sameEtag,
  whose,
} from './proof.js'

/** What is known of the store that has answered. */
export interface AnsweringStore {
  /** It orders by Initiate: another object may take precedence over ours. */
  readonly ordersByInitiate: boolean
  /** It is known to drop user metadata, marks among them. */
  readonly dropsMarks: boolean
}

export interface Made {
  /** What is told of the object. */
  readonly receipt: ObjectReceipt
  /**
   * What the server's word on it is worth. `wrong`: it is not what was sent.
   * `others`: it is this upload's, but another run has completed it.
   */
  readonly check: PartCheck | 'wrong' | 'others'
  /** Whether it is the one under the key; undefined where that was not asked. */
  readonly current: boolean | undefined
  /** HEAD has shown the object of the answer without the mark that was sent. */
  readonly dropsMarks: boolean
}

/** Whether HEAD has to be asked, since the answer alone does not say it. */
export function needsLook(
  receipt: ObjectReceipt,
  expected: ExpectedObject,
  { ordersByInitiate }: AnsweringStore,
): boolean {
  const isReplay = hasOtherParts(receipt.etag, expected.etag)
  return receipt.etag === '' || ordersByInitiate || isReplay
}

/** `found`: what HEAD has shown; undefined when it was not needed. */
export function madeObject(
  receipt: ObjectReceipt,
  found: Found | undefined,
  expected: ExpectedObject,
  store: AnsweringStore,
): Made {
  const isReplay = hasOtherParts(receipt.etag, expected.etag)
  const seen = sight(receipt, found, expected, store)
  const { there } = seen
  const isOthers =
    there === 'other-parts' ||
    (isReplay && there === 'replaced') ||
    (there !== 'damaged' && isOfOtherParts(seen.receipt, expected.etag))
  const ownCheck =
    there === 'damaged' ? 'wrong' : checkObject(seen.receipt, expected)
  const isKnown = store.ordersByInitiate && there !== 'unknown'
  return {
    receipt: seen.receipt,
    check: isOthers ? 'others' : ownCheck,
    current: isKnown ? there === 'ours' : undefined,
    dropsMarks: seen.dropsMarks,
  }
}

/**
 * What is under the key: our object; the same of other bytes; another's in its
 * place; the object of this very upload, which another run completed with other
 * parts; or nobody knows, since this caller may not look.
 */
type There = 'ours' | 'damaged' | 'replaced' | 'other-parts' | 'unknown'

interface Sight {
  readonly receipt: ObjectReceipt
  readonly there: There
  readonly dropsMarks: boolean
}

function sight(
  receipt: ObjectReceipt,
  found: Found | undefined,
  expected: ExpectedObject,
  store: AnsweringStore,
): Sight {
  if (found === undefined) return { receipt, there: 'ours', dropsMarks: false }
  if (found === 'refused') {
    return { receipt, there: 'unknown', dropsMarks: false }
  }
  if (found === 'absent') {
    const told = ofOurs(receipt, expected)
    return { receipt: told, there: 'replaced', dropsMarks: false }
  }
  // Equal bytes without a mark may be another's, which the answer's ETag shows.
  const isAnother =
    !hasOtherParts(receipt.etag, expected.etag) && isAnotherThan(receipt, found)
  const { mark } = expected
  const hasLost = mark !== undefined && found.mark === undefined
  const isTold = receipt.etag !== '' && found.etag !== ''
  const dropsMarks =
    hasLost && isTold && !isAnother && checkObject(found, expected) !== 'wrong'
  const known = { dropsMarks: dropsMarks || store.dropsMarks }
  const is = isAnother ? 'other' : whose(found, expected, known)
  if (is === 'ours' || is === 'equal') {
    // What was looked at says more than an answer that may have been changed.
    const told = { ...receipt, ...definedOf(found) }
    return { receipt: told, there: 'ours', dropsMarks }
  }
  const told = ofOurs(receipt, expected)
  // Neither mark nor ETag tells it from an equal one that was put there since.
  const isEither =
    hasLost &&
    !isTold &&
    whose(found, expected, { dropsMarks: true }) === 'equal'
  if (isEither) return { receipt: told, there: 'unknown', dropsMarks }
  if (isPerhapsReplayed(receipt, found, expected, store)) {
    return { receipt: told, there: 'other-parts', dropsMarks }
  }
  if (!carriesMark(found, mark)) {
    return { receipt: told, there: 'replaced', dropsMarks }
  }
  const isSame =
    expected.etag !== undefined && sameEtag(found.etag, expected.etag.value)
  const there = isSame ? 'damaged' : 'other-parts'
  return { receipt: told, there, dropsMarks }
}

/**
 * An answer without an ETag may be the one to another run's Complete of the same
 * upload. Where no marks tell its object from one that was put there since, other
 * parts under the key are taken for that: success would be of bytes nobody has.
 */
function isPerhapsReplayed(
  receipt: ObjectReceipt,
  found: ObjectHead,
  { etag, mark }: ExpectedObject,
  { dropsMarks }: AnsweringStore,
): boolean {
  const isUnmarked = mark === undefined || dropsMarks
  const hasMark = found.mark !== undefined
  if (receipt.etag !== '' || !isUnmarked || hasMark) return false
  return isOfOtherParts(found, etag)
}

/** What ours was, before another took its place: known where ETags are MD5s. */
function ofOurs(
  receipt: ObjectReceipt,
  { etag }: ExpectedObject,
): ObjectReceipt {
  if (receipt.etag !== '') return receipt
  return { ...receipt, etag: etag?.isBinding === true ? etag.value : '' }
}

/** Whether an object is not the one that an answer to Complete speaks of. */
function isAnotherThan(receipt: ObjectReceipt, found: ObjectHead): boolean {
  const isEmpty = receipt.etag === '' || found.etag === ''
  return !isEmpty && !sameEtag(receipt.etag, found.etag)
}

/** What HEAD has said; an empty ETag is none. */
function definedOf({
  etag,
  crc64,
  versionId,
}: ObjectHead): Partial<ObjectReceipt> {
  const said = Object.entries({ etag, crc64, versionId }).filter(
    ([, value]) => value !== undefined && value !== '',
  )
  return Object.fromEntries(said)
}
