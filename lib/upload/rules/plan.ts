/**
 * What a run may believe, decided before the first byte of the source is taken.
 *
 * Pure: it is given what the log says and what the store said, and says what to
 * do. The rules are those of "who is believed":
 *
 * - a part is reused only when this run's bytes agree with its record in size
 *   and hash, and the store lists it with the same number, size and ETag;
 * - listed otherwise, its bytes are compared by CRC-64 or MD5, unless the run's
 *   proof is SHA-256;
 * - anything else is sent.
 */
import type { LogState, UploadState } from '../../checkpoint/fold.js'
import type {
  CompletingUploadRecord,
  PartCheck,
  PartRecord,
} from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import { combineCrc64 } from '../../hash/crc64.js'
import type {
  ListedPart,
  ObjectHead,
  StoreLimits,
} from '../../store/object-store.js'
import type { RestartReason } from '../options/events.js'
import type { Verify } from '../options/options.js'
import type { UploadSettings } from '../options/settings.js'
import { etagsDigest, isMd5Etag, multipartEtag, sameEtag } from './proof.js'

/** What the log alone lets a run do. */
export type FirstStep =
  | { do: 'create' }
  | { do: 'restart'; upload: UploadState; reason: RestartReason }
  /** Complete may have happened: look before anything else. */
  | { do: 'look'; upload: UploadState; completing: CompletingUploadRecord }
  | { do: 'list'; upload: UploadState }

/** What the log of this target, if there is one, lets this run do. */
export function firstStep(
  state: LogState | undefined,
  settings: UploadSettings,
): FirstStep {
  if (state === undefined) return { do: 'create' }
  const { upload } = state
  if (upload === undefined || upload.voided !== undefined) {
    return { do: 'create' }
  }
  const { completing, done } = upload
  if (completing !== undefined) return { do: 'look', upload, completing }
  if (done !== undefined) {
    // Its `completing` was lost to damage; what is left proves nothing.
    return { do: 'restart', upload, reason: 'log-damaged' }
  }
  const reason = whyNotContinued(upload, settings)
  if (reason !== undefined) return { do: 'restart', upload, reason }
  return { do: 'list', upload }
}

/** Undefined when an upload that is still open may be gone on with. */
export function whyNotContinued(
  upload: UploadState,
  settings: UploadSettings,
): RestartReason | undefined {
  if (upload.optionsDigest !== settings.optionsDigest) return 'options-changed'
  if (!fits(upload.partSize, settings.size, settings.store.limits)) {
    return 'part-size'
  }
  return undefined
}

/** Throws `PAWL_CHECKPOINT_MISMATCH` for a log of another target. */
export function checkTarget(
  { header }: LogState,
  settings: Pick<UploadSettings, 'store' | 'key'>,
): void {
  const { store, key } = settings
  if (
    header.store === store.identity &&
    header.bucket === store.bucket &&
    header.key === key
  ) {
    return
  }
  throw new UploadError(
    'PAWL_CHECKPOINT_MISMATCH',
    `the checkpoint belongs to another target: ${JSON.stringify(header.key)} in ${header.store}, not ${JSON.stringify(key)} in ${store.identity}; give each target its own, or remove it`,
    { key },
  )
}

function fits(
  partSize: number,
  size: number | undefined,
  limits: StoreLimits,
): boolean {
  return (
    partSize >= limits.minPartSize &&
    partSize <= limits.maxPartSize &&
    (size === undefined || size <= partSize * limits.maxParts)
  )
}

/**
 * Whether an object is the one that a Complete would have made. Size alone is
 * never proof: its CRC-64 must be equal, or its ETag the one that the parts'
 * MD5s give.
 */
export function isThatObject(
  head: ObjectHead,
  expected: {
    size: number
    crc64?: string | undefined
    etags: readonly string[] | undefined
  },
): boolean {
  if (head.size !== expected.size) return false
  if (head.crc64 !== undefined && expected.crc64 !== undefined) {
    return head.crc64 === expected.crc64
  }
  if (expected.etags === undefined || !expected.etags.every(isMd5Etag)) {
    return false
  }
  return sameEtag(head.etag, multipartEtag(expected.etags))
}

/** The ETags of parts 1 to n, when the log has every one of them. */
export function etagsOf(
  parts: ReadonlyMap<number, PartRecord>,
  count: number,
): string[] | undefined {
  const etags: string[] = []
  for (let number = 1; number <= count; number++) {
    const part = parts.get(number)
    if (part === undefined) return undefined
    etags.push(part.etag)
  }
  return etags
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
    return isProved && isChecked(record.check, verify)
      ? { do: 'reuse', record }
      : { do: 'send' }
  }
  if (listed.size !== candidate.size) return { do: 'send' }
  if (
    isProved &&
    sameEtag(record.etag, listed.etag) &&
    isChecked(record.check, verify)
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
  // Neither stands against people who choose the bytes.
  if (isStrong(candidate.hash)) return { do: 'send' }
  const { etag, crc64 } = listed
  if (crc64 !== undefined) {
    return { do: 'compare', by: 'crc64', value: crc64, etag, record }
  }
  if (isMd5Etag(etag)) {
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

/** Whether a record speaks of other bytes than these. */
export function isOtherBytes(
  record: PartRecord,
  candidate: Candidate,
): boolean {
  return isSameKind(record, candidate) && !provesEqual(record, candidate)
}

/** Whether both hashes are of the same kind, which their length says. */
function isSameKind(record: PartRecord, candidate: Candidate): boolean {
  return record.hash.length === candidate.hash.length
}

/** Whether what the server had confirmed is as strong as this run asks. */
export function isChecked(check: PartCheck, verify: Verify): boolean {
  if (verify === false) return true
  return check === verify || (verify === 'md5' && check === 'crc64')
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
    if (record === undefined || !isChecked(record.check, verify)) return run
    if (listed !== 'refused') {
      const part = listed.get(number)
      if (part === undefined) return run
      const verdict = judgePart(record, record, part, verify)
      if (verdict.do !== 'reuse') return run
    }
    run.push(record)
    if (record.size < upload.partSize) return run
  }
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
