/**
 * Which stored parts a run may reuse. Pure: it is given what the log has of a
 * part, what the store lists, and what the run's own bytes are.
 *
 * - A part is reused only when this run's bytes agree with its record in size
 *   and hash, and the store lists it with the same number, size and ETag.
 * - Listed otherwise, its bytes are compared by CRC-64 or MD5, unless the run's
 *   proof is SHA-256.
 * - Anything else is sent.
 */
import { hasMd5 } from '../../hash/md5.js'
import type { LogState, UploadState } from '../../checkpoint/fold.js'
import { partSizeAt } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { bareEtag, isMd5Etag, sameEtag } from '../../store/etag.js'
import type { ListedPart } from '../../store/object-store.js'
import type { Verify } from '../options/options.js'

/** The parts that the store has: as it lists them, or unknown. */
export type Listed = ReadonlyMap<number, ListedPart> | 'refused'

/** One part of this run, beside what is known of it. */
export interface Candidate {
  size: number
  /** Hex, of the run's proof: 16 digits of xxh64 or 64 of SHA-256. */
  hash: string
}

export type Verdict =
  | { do: 'reuse'; record: PartRecord }
  /** Equal if the digest of the bytes is this one. */
  | {
      do: 'compare'
      by: 'crc64' | 'md5'
      value: string
      etag: string
      record: PartRecord | undefined
    }
  | { do: 'send' }

/** What becomes of a part, by the rules above. */
export function judgePart(
  candidate: Candidate,
  record: PartRecord | undefined,
  listed: ListedPart | undefined | 'refused',
  verify: Verify,
): Verdict {
  if (listed === undefined) return { do: 'send' }
  const isProved = record !== undefined && provesEqual(record, candidate)
  if (listed === 'refused') {
    return isProved && isChecked(record, verify)
      ? { do: 'reuse', record }
      : { do: 'send' }
  }
  if (listed.size !== candidate.size) return { do: 'send' }
  if (
    isProved &&
    sameEtag(record.etag, listed.etag) &&
    isChecked(record, verify)
  ) {
    const isContradicted =
      listed.crc64 !== undefined &&
      record.crc64 !== undefined &&
      listed.crc64 !== record.crc64
    return isContradicted ? { do: 'send' } : { do: 'reuse', record }
  }
  // A record of other bytes says that the source changed: nothing to compare.
  if (record !== undefined && isSameKind(record, candidate) && !isProved) {
    if (sameEtag(record.etag, listed.etag)) return { do: 'send' }
  }
  // Neither CRC-64 nor MD5 stands against people who choose the bytes.
  if (isStrong(candidate.hash)) return { do: 'send' }
  const { etag, crc64 } = listed
  if (crc64 !== undefined) {
    return { do: 'compare', by: 'crc64', value: crc64, etag, record }
  }
  if (isMd5Etag(etag) && hasMd5()) {
    return { do: 'compare', by: 'md5', value: etag, etag, record }
  }
  return { do: 'send' }
}

/** Whether a record's bytes and these are the same, as far as its hash proves. */
export function provesEqual(record: PartRecord, candidate: Candidate): boolean {
  return record.size === candidate.size && record.hash === candidate.hash
}

/** Whether a hash is a SHA-256, for sources whose bytes others choose. */
export function isStrong(hash: string): boolean {
  return hash.length === 64
}

/**
 * By what the bytes of a part can be held against it: its proof; or, where none was
 * worked out, the MD5 that its ETag mostly is; or empty.
 */
export function hashOf({ hash, etag }: PartRecord): string {
  return hash === '' && isMd5Etag(etag) ? bareEtag(etag) : hash
}

/** Whether both hashes are of the same kind, which their length says. */
function isSameKind(record: PartRecord, candidate: Candidate): boolean {
  return record.hash.length === candidate.hash.length
}

/**
 * Whether what the server had confirmed is as strong as this run asks, or as it
 * can be: an MD5 that was computed and is not the ETag says that this store's
 * ETags are none, and sending the part again would not change that.
 */
export function isChecked(
  { check, md5 }: Pick<PartRecord, 'check' | 'md5'>,
  verify: Verify,
): boolean {
  if (verify === false || check === verify) return true
  return verify === 'md5' && (check === 'crc64' || md5 !== undefined)
}

/**
 * The longest run of parts from part 1 that the log has and the store lists as
 * the log says, for a source that can be entered in the middle. Its parts are
 * believed on the log's word, so somebody has to vouch for the source.
 */
export function storedRun(
  upload: UploadState,
  listed: Listed,
  verify: Verify,
): PartRecord[] {
  const run: PartRecord[] = []
  for (let number = 1; ; number++) {
    const record = upload.parts.get(number)
    if (record === undefined || !isChecked(record, verify)) return run
    if (listed !== 'refused') {
      const part = listed.get(number)
      if (part === undefined) return run
      const verdict = judgePart(record, record, part, verify)
      if (verdict.do !== 'reuse') return run
    }
    run.push(record)
    if (record.size < partSizeAt(upload, number)) return run
  }
}

/**
 * Which of them a source may be entered behind: those up to the first one of another
 * source, or `nobody` vouches for any. Skipping unread is the one way to mix two
 * revisions of a source, so the run that stored a part must have had the same
 * `sourceId`, or the caller says that he trusts the source.
 */
export function vouchedRun(
  stored: readonly PartRecord[],
  { runs }: Pick<LogState, 'runs'>,
  sourceDigest: string | undefined,
  trustSource: boolean,
): readonly PartRecord[] | 'nobody' {
  if (trustSource) return stored
  const other = stored.findIndex(
    ({ run }) =>
      sourceDigest === undefined ||
      runs.get(run)?.sourceDigest !== sourceDigest,
  )
  if (other === 0) return 'nobody'
  return other < 0 ? stored : stored.slice(0, other)
}

/** Those of some records that a log, which has `known`, does not say yet. */
export function unknownOf(
  records: readonly PartRecord[],
  known: ReadonlyMap<number, PartRecord> = new Map(),
): PartRecord[] {
  return records.filter(({ number, etag, hash, size }) => {
    const one = known.get(number)
    return one?.etag !== etag || one.hash !== hash || one.size !== size
  })
}

/** Whether the record of an earlier run says that the source has changed. */
export function hasChanged(
  record: PartRecord | undefined,
  candidate: Candidate,
): record is PartRecord {
  if (record === undefined) return false
  if (record.size !== candidate.size) return true
  return isSameKind(record, candidate) && !provesEqual(record, candidate)
}
