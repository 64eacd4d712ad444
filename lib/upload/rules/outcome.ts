/**
 * What has come of a request that makes the object. Pure.
 *
 * **It has failed.** A lost answer, a time-out, a 5xx, `NoSuchUpload` or a conflict says
 * nothing of whether the object is there, and that sticks: after one such answer, of
 * this run or of an earlier one, every later failure is looked at before it is believed.
 *
 * **It was answered with success.** Mostly the answer says what was made. It does not
 * when it has no ETag, when it speaks of other parts than were named (some servers
 * replay the answer to another run's Complete of the same upload), when it may speak of
 * them and nothing in it can be compared, and when the store orders by Initiate, where
 * another object may be under the key all the same: then HEAD is asked, and its word
 * counts.
 */
import { areUnequal, equalParts } from '../../checkpoint/growth.js'
import type { PartCheck } from '../../checkpoint/record.js'
import { bareEtag, partsIn, sameEtag, unquoted } from '../../store/etag.js'
import type {
  ObjectHead,
  ObjectOptions,
  ObjectReceipt,
} from '../../store/object-store.js'
import type { StoreErrorKind } from '../../store/store-error.js'
import type { UploadResult } from '../../upload-result.js'
import type { UploadSettings } from '../options/settings.js'
import type { Listed } from './judge.js'
import {
  carriesMark,
  checkObject,
  checkUpload,
  type ExpectedEtag,
  type ExpectedObject,
  type Found,
  isDoubtful,
  isOfOtherParts,
  isOwn,
  type KnownStore,
  type Seen,
  whose,
} from './proof.js'
import { isAlike, type SentBefore } from './completing.js'

export interface FailedComplete {
  kind: StoreErrorKind
  /** No later Complete of the same upload could be answered otherwise. */
  isFinal: boolean
  /** NoSuchUpload, when no answer before it had left open what has happened. */
  isFirstGone: boolean
  isUnsure: boolean
  /** Where the server ignores that, a Complete replaces what is there. */
  forbidsOverwrite: boolean
}

/** What a Complete was to make, and what earlier runs had sent of it. */
interface SentComplete {
  expected: Pick<ExpectedObject, 'crc64' | 'etag'>
  sentBefore: SentBefore
}

/**
 * What to make of a Complete that failed, once it may have been carried out: its
 * object, or what is done without that.
 *
 * - `refused`: the upload is gone, and nothing has become of it.
 * - `unknown`: nobody can see what became of it.
 * - `theirs`: the answer is that there is an object, and it is another's.
 * - `seek`: the upload is gone, and its object not to be seen: it is looked for longer.
 * - `believe`: the answer is what it says.
 * - `exists`: another's is in the way.
 * - `again`: the same Complete may be sent again.
 */
export function afterComplete(
  { kind, isFinal, isFirstGone, isUnsure, forbidsOverwrite }: FailedComplete,
  seen: Seen,
  listed: Listed | 'gone',
  sent: SentComplete,
):
  | ObjectHead
  | 'refused'
  | 'unknown'
  | 'theirs'
  | 'seek'
  | 'believe'
  | 'exists'
  | 'again' {
  const { is, found } = seen
  if (isOwn(seen, { isListed: listed !== 'gone' })) {
    const isOfAnother = is === 'ours' && isFirstGone
    if (!isOfAnother || mayHaveMade(seen.found, sent)) return seen.found
  }
  if (isFirstGone) {
    // An earlier Complete may have made what cannot be seen: then the next run sees it.
    const isUnseen = is === 'unknown' && forbidsOverwrite
    return isUnseen && sent.sentBefore !== undefined ? 'unknown' : 'refused'
  }
  const isTheirs = is === 'other' && found !== 'absent'
  if (kind === 'exists' && isTheirs) return 'theirs'
  if (listed === 'gone') return 'seek'
  // Nobody may see whether the upload is gone, so that what is there may be our own.
  const isHidden = isUnsure && listed === 'refused'
  if (isFinal && isHidden && is === 'equal') return 'unknown'
  if (isFinal && !(isHidden && kind === 'exists')) return 'believe'
  return isTheirs && forbidsOverwrite ? 'exists' : 'again'
}

/**
 * Whether an object with our mark can be this run's, whose first Complete was answered
 * with NoSuchUpload. An earlier run's has made it, perhaps with another ACL, and be it
 * one that was refused; or a run with a copy of the log has: then the bytes must show it.
 */
function mayHaveMade(
  found: ObjectHead,
  { sentBefore, expected }: SentComplete,
): boolean {
  if (sentBefore !== undefined) return isAlike(sentBefore)
  return checkObject(found, expected) !== 'none'
}

/** What is under the key after a PutObject, and whether that has made it. */
export interface SeenPut {
  found: Found
  /** The object of the put. */
  made: ObjectHead | undefined
  /** The object may be ours, and nothing shows whether it is. */
  isDoubtful: boolean
}

/** Whoever could not look knows as much as who may not: `refused`. */
export function noObject(found: Exclude<Found, ObjectHead>): SeenPut {
  return { found, made: undefined, isDoubtful: false }
}

/** `answered`: the ETags, bare, that PUTs of this run were answered with. */
export function seenPut(
  found: Found,
  expected: ExpectedObject,
  facts: KnownStore,
  answered: ReadonlySet<string>,
): SeenPut {
  if (typeof found !== 'object') return noObject(found)
  const isInDoubt = isDoubtful(found, expected, facts)
  // What the answer to a PUT has named is what that has made.
  const isAnswered = isInDoubt && answered.has(bareEtag(found.etag))
  const seen = whose(found, expected, facts)
  const isMade = isAnswered || isOwn(seen, { isListed: false })
  const made = isMade ? found : undefined
  return { found, made, isDoubtful: isInDoubt && !isAnswered }
}

/**
 * What to make of a PutObject that was given up, once its object may be there: that,
 * or how sure the failure is.
 *
 * - `believe`: the answer is that there is an object, and it is another's.
 * - `unheard`: the answer is what it says, and another run may find the object.
 * - `undecided`: an object is there, and looking again would not show whose.
 * - `unknown`: an object is there, and could not be looked at.
 */
export function afterPut(
  { kind, isUnsure }: { kind: StoreErrorKind | undefined; isUnsure: boolean },
  { found, made, isDoubtful }: SeenPut,
): ObjectHead | 'believe' | 'unheard' | 'undecided' | 'unknown' {
  const isExists = kind === 'exists'
  // Refused at once, equal bytes are another's; our mark alone is ours.
  const isEqual = isExists && !isUnsure && made?.mark === undefined
  if (made !== undefined && !isEqual) return made
  if (!isExists) return 'unheard'
  if (isDoubtful) return 'undecided'
  // Refused since an object is there: no further PUT can tell whose.
  return !isUnsure || typeof found === 'object' ? 'believe' : 'unknown'
}

/**
 * What is wrong with an upload whose Complete was refused for certain: the numbers
 * of the parts that are not on the server as they were sent, or why it is void.
 * `wasDropped`: a part was sent anew for that before, by its number.
 */
export function faultOf(
  kind: StoreErrorKind,
  parts: readonly { partNumber: number; etag: string; size: number }[],
  listed: Listed | 'gone',
  wasDropped: (partNumber: number) => boolean,
): number[] | VoidReason {
  if (kind === 'too-small') return 'part-size'
  const numbers =
    typeof listed === 'string'
      ? []
      : parts
          .filter(({ partNumber, etag, size }) => {
            const there = listed.get(partNumber)
            return there?.size !== size || !sameEtag(there.etag, etag)
          })
          .map(({ partNumber }) => partNumber)
  // Some servers refuse a Complete that leaves parts out, which others have sent; and a
  // list that lags shows parts as they were before they were sent anew.
  const named = new Set(parts.map(({ partNumber }) => partNumber))
  const hasMore =
    typeof listed === 'object' &&
    [...listed.keys()].some((partNumber) => !named.has(partNumber))
  const isInVain = hasMore && numbers.some(wasDropped)
  if (numbers.length > 0 && !isInVain) return numbers
  return !hasMore && areUnequal(parts) ? equalParts : 'complete-refused'
}

export type VoidReason = 'part-size' | 'complete-refused' | typeof equalParts

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
  /** HEAD has to be asked, or asked again since the first look may lag. */
  readonly needsLook: boolean
  /** HEAD has shown the object of the answer without the mark that was sent. */
  readonly dropsMarks: boolean
}

/** Whether an ETag speaks of another number of parts than ours. */
function hasOtherParts(etag: string, ours: ExpectedEtag | undefined): boolean {
  const parts = partsIn(etag) ?? 0
  return ours?.isBinding === true && parts > 0 && parts !== partsIn(ours.value)
}

/** Whether the answer alone does not say what was made. */
function isUnclear(
  answer: ObjectReceipt,
  expected: ExpectedObject,
  { ordersByInitiate }: AnsweringStore,
): boolean {
  const { etag } = answer
  const isAmbiguous = etag === '' || hasOtherParts(etag, expected.etag)
  return isAmbiguous || ordersByInitiate || isPerhapsOthers(answer, expected)
}

/**
 * Whether an answer may be the one to an earlier Complete, which has named other
 * parts of this upload: nothing in it can be compared with those of this one.
 */
function isPerhapsOthers(
  answer: ObjectReceipt,
  expected: ExpectedObject,
): boolean {
  return expected.mayBeReplayed && checkObject(answer, expected) === 'none'
}

/** `found`: what HEAD has shown; undefined while it was not asked. */
export function madeObject(
  answer: ObjectReceipt,
  found: Found | undefined,
  expected: ExpectedObject,
  store: AnsweringStore,
): Made {
  const { there, dropsMarks } = sight(answer, found, expected, store)
  const isSeen = there === 'ours' && typeof found === 'object'
  // What was looked at says more than an answer that may have been changed.
  const word = isSeen ? { ...answer, ...saidBy(found, answer) } : answer
  const isOthers =
    there === 'other-parts' ||
    (there === 'replaced' && hasOtherParts(answer.etag, expected.etag)) ||
    // Success would be of bytes that nobody has seen.
    (!isSeen && there !== 'damaged' && isPerhapsOthers(answer, expected))
  const ownCheck = there === 'damaged' ? 'wrong' : checkUpload(word, expected)
  const isKnown = store.ordersByInitiate && there !== 'unknown'
  const isUnseen = found === undefined || found === 'refused'
  const isTelling = isSeen || there === 'damaged' || there === 'other-parts'
  return {
    receipt: isSeen || isUnseen ? word : ofOurs(word, expected),
    check: isOthers ? 'others' : ownCheck,
    current: isKnown ? there === 'ours' : undefined,
    needsLook:
      found === undefined
        ? isUnclear(answer, expected, store)
        : answer.etag === '' && found !== 'refused' && !isTelling,
    dropsMarks,
  }
}

interface Sight {
  /**
   * What is under the key: our object; the same of other bytes; another's in its
   * place; the object of this very upload, which another run completed with other
   * parts; or nobody knows, as where this caller may not look.
   */
  readonly there: 'ours' | 'damaged' | 'replaced' | 'other-parts' | 'unknown'
  readonly dropsMarks: boolean
}

function sight(
  answer: ObjectReceipt,
  found: Found | undefined,
  expected: ExpectedObject,
  store: AnsweringStore,
): Sight {
  const { mark, etag } = expected
  if (found === undefined) return { there: 'ours', dropsMarks: false }
  if (found === 'refused') return { there: 'unknown', dropsMarks: false }
  if (found === 'absent') return { there: 'replaced', dropsMarks: false }
  const isTold = answer.etag !== '' && found.etag !== ''
  // Equal bytes without a mark may be another's, which the answer's ETag or version shows.
  const isOtherVersion =
    answer.versionId !== undefined &&
    found.versionId !== undefined &&
    answer.versionId !== found.versionId &&
    !carriesMark(found, mark)
  const isAnother =
    isTold &&
    (isOtherVersion || !sameEtag(answer.etag, found.etag)) &&
    !hasOtherParts(answer.etag, etag)
  const hasLost = mark !== undefined && found.mark === undefined
  const dropsMarks =
    hasLost && isTold && !isAnother && checkObject(found, expected) !== 'wrong'
  const known = { dropsMarks: dropsMarks || store.dropsMarks }
  const is = isAnother ? 'other' : whose(found, expected, known).is
  if (is === 'ours' || is === 'equal') return { there: 'ours', dropsMarks }
  // Neither mark nor ETag tells it from an equal one that was put there since.
  const isEither =
    hasLost &&
    !isTold &&
    whose(found, expected, { dropsMarks: true }).is === 'equal'
  if (isEither) return { there: 'unknown', dropsMarks }
  if (isPerhapsReplayed(answer, found, expected)) {
    return { there: 'other-parts', dropsMarks }
  }
  if (!carriesMark(found, mark)) return { there: 'replaced', dropsMarks }
  const isSame = etag !== undefined && sameEtag(found.etag, etag.value)
  return { there: isSame ? 'damaged' : 'other-parts', dropsMarks }
}

/**
 * An answer without an ETag may be the one to another run's Complete of the same
 * upload. Where no mark tells its object from one that was put there since, and be it
 * that the store drops them, other parts under the key are taken for that: success
 * would be of bytes nobody has.
 */
function isPerhapsReplayed(
  answer: ObjectReceipt,
  found: ObjectHead,
  { etag }: ExpectedObject,
): boolean {
  if (answer.etag !== '') return false
  return found.mark === undefined && isOfOtherParts(found, etag)
}

/**
 * What ours was, before another took its place: known where ETags are MD5s. That is
 * told, and verifies nothing, since nobody has seen the object.
 */
function ofOurs(
  answer: ObjectReceipt,
  { etag }: ExpectedObject,
): ObjectReceipt {
  if (answer.etag !== '' || etag?.isBinding !== true) return answer
  return { ...answer, etag: etag.value }
}

/** What HEAD has said; an empty ETag is none. */
function saidBy(
  { etag, crc64, versionId }: ObjectHead,
  answer: ObjectReceipt,
): Partial<ObjectReceipt> {
  return {
    etag: etag === '' ? answer.etag : etag,
    crc64: crc64 ?? answer.crc64,
    versionId: versionId ?? answer.versionId,
  }
}

/** What is known of an object that is there, beside what was answered. */
export interface KnownObject extends Pick<
  UploadResult,
  'uploadId' | 'size' | 'crc64' | 'parts'
> {
  /** What the server has confirmed of it and of its parts. */
  readonly checks: Iterable<PartCheck>
}

const strength: Record<PartCheck, number> = { none: 0, md5: 1, crc64: 2 }

/** The weakest of some checks: what is known of all parts together. */
export function weakest(checks: Iterable<PartCheck>): PartCheck {
  let least: PartCheck = 'crc64'
  for (const check of checks) {
    if (strength[check] < strength[least]) least = check
  }
  return least
}

/** An object as it is told, whichever run has sent its parts. */
export type ToldObject = ReturnType<typeof toldOf>

/** `answer`: of a request that has made the object, or of a look at it. */
export function toldOf(
  answer: ObjectReceipt,
  { uploadId, size, crc64, parts, checks }: KnownObject,
  { store, key, object }: Pick<UploadSettings, 'store' | 'key' | 'object'>,
) {
  return {
    bucket: store.bucket,
    key,
    etag: unquoted(answer.etag),
    crc64: answer.crc64 ?? crc64,
    versionId: answer.versionId,
    size,
    parts,
    uploadId,
    verified: weakest(checks),
    ...calledBack(object, answer),
  }
}

/** What an answer has said of the callback; a look at the object says nothing. */
function calledBack(
  { callback }: ObjectOptions,
  { callbackBody, callbackFailed }: ObjectReceipt,
): Pick<UploadResult, 'callbackBody' | 'callback'> {
  if (callbackBody !== undefined) return { callbackBody }
  const isUnknown = callback !== undefined && callbackFailed === undefined
  return isUnknown ? { callback: 'unknown' } : {}
}
