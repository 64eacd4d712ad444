/**
 * Whose an object is, and whether it is right: one question, one answer. Pure.
 *
 * Equal is not ours: the same bytes may be last night's, another client's, or
 * have other metadata. An upload's mark shows whose it was; what the server says
 * of the bytes shows which of its Completes made it.
 */
import { createHash } from 'node:crypto'
import type { UploadState } from '../../checkpoint/fold.js'
import {
  type CompletingPutRecord,
  type CompletingUploadRecord,
  type DoneRecord,
  etagsDigest,
  notAsSent,
  type ObjectSight,
  type PartCheck,
  type PartRecord,
} from '../../checkpoint/record.js'
import { combineCrc64 } from '../../hash/crc64.js'
import { hasMd5 } from '../../hash/md5.js'
import {
  bareEtag,
  isMd5Etag,
  partsIn,
  sameEtag,
  unquoted,
} from '../../store/etag.js'
import type { ObjectHead, ObjectReceipt } from '../../store/object-store.js'

/** What an upload knows of its object, by which it can be told from others. */
export interface ExpectedObject {
  /** Bytes. */
  size: number
  /** Of the whole object, unsigned decimal, where it is known. */
  crc64: string | undefined
  /** What the MD5s of the bytes or the parts give, where they are known. */
  etag: ExpectedEtag | undefined
  /** What the object carries, when one was sent. */
  mark: string | undefined
  /**
   * Nobody but this upload has sent parts, and each of its Completes for an object
   * of this size named the same: then mark and size are enough.
   */
  isOnly: boolean
  /**
   * Another Complete of this upload has named other parts, so that a store which
   * replays its answer may speak of that one's object.
   */
  mayBeReplayed: boolean
  /** When the upload began, by the server's clock, ms since 1970. */
  begun: number | undefined
  /** What was under the key before; an empty ETag: nothing. */
  before: ObjectSight | undefined
}

export interface ExpectedEtag {
  /** Without quotes, in lower case. */
  value: string
  /**
   * Every part's ETag was compared with its MD5, so that another ETag of this
   * form is another object's. Otherwise only an equal one says something.
   */
  isBinding: boolean
}

/** What a look at the key found. `refused`: this caller may not look. */
export type Found = ObjectHead | 'absent' | 'refused'

/**
 * What a look at the key found, and whose the object is.
 *
 * - `ours`: it carries our mark and nothing contradicts it.
 * - `equal`: our bytes, where no mark was sent or the store drops them, and
 *   nothing says that they were there before.
 * - `other`: another's, or none is there. Equal bytes are not ours: they may be
 *   last night's, or have other metadata.
 * - `unknown`: it may not be looked at.
 */
export type Seen =
  | { is: 'ours' | 'equal'; found: ObjectHead }
  | { is: 'other'; found: ObjectHead | 'absent' }
  | { is: 'unknown'; found: 'refused' }

/** ms; servers give times in whole seconds, some cut off. */
const tolerance = 2000

/** What uploads have learned of the store. */
export interface KnownStore {
  /** It is known to drop user metadata. */
  dropsMarks: boolean
  /** Its ETags are known to be MD5s. */
  hasMd5Etags: boolean
}

/** Whether there is an object with this mark; one of no upload is nobody's. */
export function carriesMark(found: Found, mark: string | undefined): boolean {
  return typeof found === 'object' && mark !== undefined && found.mark === mark
}

export function whose(
  found: Found,
  expected: ExpectedObject,
  store: Pick<KnownStore, 'dropsMarks'>,
): Seen {
  if (found === 'refused') return { is: 'unknown', found }
  if (found === 'absent') return { is: 'other', found }
  return { is: ownerOf(found, expected, store), found }
}

/**
 * Whether it is an upload's own object. Equal bytes are only when the upload is no
 * longer listed: while it is, they are of something else. A PutObject is never listed.
 */
export function isOwn(
  seen: Seen,
  { isListed }: { isListed: boolean },
): seen is Extract<Seen, { is: 'ours' | 'equal' }> {
  return seen.is === 'ours' || (seen.is === 'equal' && !isListed)
}

function ownerOf(
  found: ObjectHead,
  expected: ExpectedObject,
  { dropsMarks }: Pick<KnownStore, 'dropsMarks'>,
): 'ours' | 'equal' | 'other' {
  if (found.size !== expected.size) return 'other'
  const verdict = checkObject(found, expected)
  if (verdict === 'wrong' || isOtherMaking(found, expected)) return 'other'
  const { mark } = expected
  if (carriesMark(found, mark)) {
    return verdict === 'none' && !expected.isOnly ? 'other' : 'ours'
  }
  if (found.mark !== undefined) return 'other'
  if (mark !== undefined && !dropsMarks) return 'other'
  if (verdict === 'none' || wasThereBefore(found, expected)) return 'other'
  return 'equal'
}

/**
 * Whether an object is another's only since its ETag is not the MD5 of our bytes,
 * where nothing says that the store's ETags are MD5s: it may be ours, or what a
 * tool that keeps the metadata has made of it.
 */
export function isDoubtful(
  found: Found,
  expected: ExpectedObject,
  facts: KnownStore,
): boolean {
  const { etag } = expected
  if (facts.hasMd5Etags || etag === undefined) return false
  const loose = { ...expected, etag: { ...etag, isBinding: false } }
  const isOther = whose(found, expected, facts).is === 'other'
  return isOther && whose(found, loose, facts).is === 'ours'
}

/** Whether an object is of parts whose MD5s are known not to be ours. */
export function isOfOtherParts(
  { etag, isOpaque }: Pick<ObjectReceipt, 'etag' | 'isOpaque'>,
  ours: ExpectedEtag | undefined,
): boolean {
  if (ours?.isBinding !== true || isOpaque === true) return false
  return (partsIn(etag) ?? 0) > 0 && !sameEtag(etag, ours.value)
}

/** An object of parts has another form of ETag than one that was put whole. */
function isOtherMaking(
  { etag, isOpaque }: ObjectHead,
  { etag: ours }: ExpectedObject,
): boolean {
  if (ours?.isBinding !== true || isOpaque === true) return false
  const [theirs, own] = [partsIn(etag), partsIn(ours.value)]
  if (theirs === undefined) return false
  return own === undefined || (theirs === 0) !== (own === 0)
}

function wasThereBefore(
  found: ObjectHead,
  { begun, before, mark }: ExpectedObject,
): boolean {
  const { lastModified } = found
  if (begun !== undefined) {
    if (lastModified === undefined) return true
    if (lastModified < begun - tolerance) return true
  }
  // Nothing was looked at: a mark was sent, and it turned out to be dropped.
  if (before === undefined) return mark === undefined || begun === undefined
  return (
    sameEtag(before.etag, found.etag) &&
    before.lastModified === lastModified &&
    before.versionId === found.versionId
  )
}

/**
 * What the server's word on an object is worth: the CRC-64 or the ETag is that of
 * our bytes, is not, or cannot be compared.
 */
export function checkObject(
  { crc64, etag, isOpaque }: Pick<ObjectReceipt, 'crc64' | 'etag' | 'isOpaque'>,
  expected: Pick<ExpectedObject, 'crc64' | 'etag'>,
): PartCheck | 'wrong' {
  if (crc64 !== undefined && expected.crc64 !== undefined) {
    return crc64 === expected.crc64 ? 'crc64' : 'wrong'
  }
  const ours = expected.etag
  if (ours === undefined || isOpaque === true) return 'none'
  const theirs = bareEtag(etag)
  if (theirs === ours.value) return 'md5'
  const parts = partsIn(etag)
  const isOfSameForm = parts !== undefined && parts === partsIn(ours.value)
  return ours.isBinding && isOfSameForm ? 'wrong' : 'none'
}

/** The same of an upload's object. `others`: other parts of it were completed. */
export function checkUpload(
  word: ObjectReceipt,
  expected: ExpectedObject,
): PartCheck | 'wrong' | 'others' {
  const isOthers = isOfOtherParts(word, expected.etag)
  return isOthers ? 'others' : checkObject(word, expected)
}

/** The same of an object that is ours, so that nothing contradicts it. */
export function confirmedBy(
  found: Pick<ObjectReceipt, 'crc64' | 'etag' | 'isOpaque'>,
  expected: Pick<ExpectedObject, 'crc64' | 'etag'>,
): PartCheck {
  const check = checkObject(found, expected)
  return check === 'wrong' ? 'none' : check
}

/** The ETag that stores give an object of parts whose ETags are MD5s. */
export function multipartEtag(etags: readonly string[]): string {
  const hash = createHash('md5')
  for (const etag of etags) hash.update(unquoted(etag), 'hex')
  return `${hash.digest('hex')}-${etags.length}`
}

/** What tells a part that a Complete names. */
type Named = Pick<PartRecord, 'etag' | 'md5'>

/**
 * The ETag that parts give their object; undefined when theirs are no MD5s, and
 * where it cannot be worked out.
 */
export function expectedEtag(
  parts: readonly Named[],
): ExpectedEtag | undefined {
  const etags = parts.map(({ etag }) => etag)
  if (etags.length === 0 || !etags.every(isMd5Etag)) return undefined
  if (!hasMd5()) return undefined
  return {
    value: multipartEtag(etags),
    isBinding: parts.every(({ etag, md5 }) => md5 === bareEtag(etag)),
  }
}

/**
 * What a Complete was to make, as far as the log knows it; `named`: the parts in it,
 * where they are at hand.
 */
export function expectedOf(
  upload: UploadState,
  completing: CompletingUploadRecord,
  named = partsNamed(upload, completing),
): ExpectedObject {
  const { mark, etagsDigests, drops, serverDate } = upload
  const { size, crc64, before } = completing
  const ofSize = [...etagsDigests.values()].filter((one) => one === size)
  return {
    size,
    crc64,
    etag: named && expectedEtag(named),
    mark,
    isOnly: ofSize.length === 1 && !isContended(drops),
    mayBeReplayed: etagsDigests.size > 1,
    begun: serverDate,
    before,
  }
}

/** Records of parts that were sent again since say nothing of that object. */
function partsNamed(
  upload: UploadState,
  completing: CompletingUploadRecord,
): readonly Named[] | undefined {
  const isSame = partsNow(upload, completing) === 'same'
  return isSame ? recordsOf(upload.parts, completing.parts) : undefined
}

/**
 * The Complete of an upload that is gone, where the log has lost its record: an
 * object with the upload's mark says how many parts it named, and their size. The
 * bytes are proved at the end, by its CRC-64 or its ETag.
 */
export function lostComplete(
  found: Found,
  { mark, parts }: UploadState,
): CompletingUploadRecord | undefined {
  if (typeof found !== 'object' || !carriesMark(found, mark)) return undefined
  const count = Number(/-([1-9][0-9]{0,4})$/.exec(bareEtag(found.etag))?.[1])
  const named = recordsOf(parts, count)
  if (named === undefined) return undefined
  const isKnown = found.crc64 !== undefined || checkEtag(found, named)
  if (!isKnown) return undefined
  return {
    type: 'completing',
    parts: count,
    size: found.size,
    crc64: found.crc64,
    etagsDigest: etagsDigest(named.map(({ etag }) => etag)),
  }
}

function checkEtag(found: ObjectHead, parts: readonly PartRecord[]): boolean {
  const etag = expectedEtag(parts)
  return checkObject(found, { crc64: undefined, etag }) === 'md5'
}

/** What a PutObject was to make; not `isBinding`: ETags are not compared. */
export function expectedPut(
  { size, crc64, md5, mark, before }: CompletingPutRecord,
  { isBinding }: { isBinding: boolean },
): ExpectedObject {
  const etag = md5 === undefined ? undefined : { value: md5, isBinding }
  return {
    size,
    crc64,
    etag,
    mark,
    // Nobody else can have sent that request otherwise.
    isOnly: true,
    mayBeReplayed: false,
    begun: undefined,
    before,
  }
}

/** What `done` says of an object whose `completing` was lost to damage. */
export function expectedDone(
  { size, crc64, etag }: DoneRecord,
  { mark, serverDate: begun }: Partial<UploadState> = {},
): ExpectedObject {
  const value = bareEtag(etag)
  return {
    size,
    crc64,
    etag: { value, isBinding: true },
    mark,
    isOnly: true,
    mayBeReplayed: false,
    begun,
    before: undefined,
  }
}

/** Whether somebody else was seen to send parts to the same upload. */
function isContended(drops: ReadonlyMap<number, string>): boolean {
  return [...drops.values()].includes(notAsSent)
}

/** The records of parts 1 to n, when the log has every one of them. */
function recordsOf(
  parts: ReadonlyMap<number, PartRecord>,
  count: number,
): PartRecord[] | undefined {
  const records: PartRecord[] = []
  for (let number = 1; number <= count; number++) {
    const part = parts.get(number)
    if (part === undefined) return undefined
    records.push(part)
  }
  return records
}

/** The ETags of parts 1 to n, when the log has every one of them. */
export function etagsOf(
  parts: ReadonlyMap<number, PartRecord>,
  count: number,
): string[] | undefined {
  return recordsOf(parts, count)?.map(({ etag }) => etag)
}

/**
 * Whether the log's parts are the ones that a Complete named. `replaced`: a later
 * run has stored others since, so they say nothing of that Complete's object.
 * `unknown`: some are lost to damage.
 */
export function partsNow(
  { parts }: Pick<UploadState, 'parts'>,
  completing: CompletingUploadRecord,
): 'same' | 'replaced' | 'unknown' {
  const etags = etagsOf(parts, completing.parts)
  if (etags === undefined) return 'unknown'
  return etagsDigest(etags) === completing.etagsDigest ? 'same' : 'replaced'
}

/** The CRC-64 of the parts together; undefined when one of them has none. */
export function combinedCrc64(
  variant: 'crc64ecma' | 'crc64nvme',
  parts: readonly { size: number; crc64?: string | undefined }[],
): string | undefined {
  const pieces: { size: number; crc64: string }[] = []
  for (const { size, crc64 } of parts) {
    if (crc64 === undefined) return undefined
    pieces.push({ size, crc64 })
  }
  return combineCrc64(variant, pieces)
}
