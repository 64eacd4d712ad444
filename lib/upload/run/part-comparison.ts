/** A stored part that the log cannot prove, held against the bytes themselves. */
import type { StoreDigest } from '../../store/object-store.js'
import { crcVariant } from '../options/settings.js'
import type { Verdict } from '../rules/plan.js'
import { bareEtag, md5Hex } from '../rules/proof.js'
import type { Receipt } from './receipts.js'
import type { TakenPart } from '../source/part-content.js'

/** The stored part's receipt; undefined when it is of other bytes. */
export async function compared(
  { content, size }: TakenPart,
  { by, value, etag }: Extract<Verdict, { do: 'compare' }>,
  storeDigest: StoreDigest,
): Promise<Receipt | undefined> {
  if (by === 'crc64') {
    const crc64 = await content.digest(crcVariant(storeDigest))
    return crc64 === value ? { size, etag, crc64, check: by } : undefined
  }
  const md5 = md5Hex(await content.digest('md5'))
  return md5 === bareEtag(value) ? { size, etag, md5, check: by } : undefined
}
