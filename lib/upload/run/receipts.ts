/**
 * What is known of an upload's stored parts, and how one that no record proves is
 * held against the bytes themselves.
 */
import type { PartCheck, PartRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { Crc64Variant } from '../../hash/crc64.js'
import { hasMd5 } from '../../hash/md5.js'
import type { ListedPart } from '../../store/object-store.js'
import type { Receipt } from '../calls/send.js'
import type { UploadSettings } from '../options/settings.js'
import { judgePart, type Verdict } from '../rules/judge.js'
import { bareEtag, md5Hex } from '../rules/proof.js'
import type { PartContent, TakenPart } from '../source/part-content.js'

/** Receipts of one upload's parts, by part number. */
export type Receipts = ReadonlyMap<number, Receipt>

/** Those of parts 1 to `count`, which must all be there and be of `size` together. */
export function receiptsInOrder(
  receipts: Receipts,
  count: number,
  size: number,
): (Receipt & { partNumber: number })[] {
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

/** Those of some records that a log does not say yet. */
export function unknownOf(
  records: readonly PartRecord[],
  known: ReadonlyMap<number, PartRecord> = new Map(),
): PartRecord[] {
  return records.filter(({ number, etag, hash, size }) => {
    const one = known.get(number)
    return one?.etag !== etag || one.hash !== hash || one.size !== size
  })
}

const strength: Record<PartCheck, number> = { none: 0, md5: 1, crc64: 2 }

/** The weakest of some checks. */
export function weakest(checks: Iterable<PartCheck>): PartCheck {
  let least: PartCheck = 'crc64'
  for (const check of checks) {
    if (strength[check] < strength[least]) least = check
  }
  return least
}

/**
 * The receipt of a part that the store lists and no record speaks of; undefined when it
 * has to be sent. `hash`: of the bytes, by the upload's proof.
 */
export async function asListed(
  part: TakenPart,
  hash: string,
  there: ListedPart,
  { verify, crc }: Pick<UploadSettings, 'verify' | 'crc'>,
): Promise<Receipt | undefined> {
  const candidate = { size: part.size, hash }
  const verdict = judgePart(candidate, undefined, there, verify)
  if (verdict.do !== 'compare') return undefined
  return compared(part, verdict, crc.variant)
}

/** What a stored part can be compared by is worked out with its hash, in one reading. */
export function expectComparison(
  content: PartContent,
  there: ListedPart,
  { proof, crc }: Pick<UploadSettings, 'proof' | 'crc'>,
): void {
  if (proof === 'sha256') return
  if (there.crc64 !== undefined) content.expect(crc.variant)
  else if (hasMd5()) content.expect('md5')
}

/** The receipt of a stored part; undefined when it is of other bytes than these. */
export async function compared(
  { content, size }: TakenPart,
  { by, value, etag }: Extract<Verdict, { do: 'compare' }>,
  crcVariant: Crc64Variant,
): Promise<Receipt | undefined> {
  if (by === 'crc64') {
    const crc64 = await content.digest(crcVariant)
    return crc64 === value ? { size, etag, crc64, check: by } : undefined
  }
  const md5 = md5Hex(await content.digest('md5'))
  return md5 === bareEtag(value) ? { size, etag, md5, check: by } : undefined
}
