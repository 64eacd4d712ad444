/**
 * A part that a sequential upload has already: OSS takes none a second time. It
 * is ours when the answer to it was lost, and another one when the source has
 * changed since it was stored; its bytes say which.
 */
import { UploadError } from '../../errors.js'
import { listAllParts } from '../calls/look.js'
import type { TakenPart } from '../source/part-content.js'
import { compared } from './part-comparison.js'
import type { Sent } from '../calls/send.js'
import { judgePart } from '../rules/plan.js'
import type { RunContext } from './context.js'

/** Whether a server refused a part because it has one of that number. */
export function isStoredAlready(error: unknown): error is UploadError {
  return error instanceof UploadError && error.serverCode === 'PartAlreadyExist'
}

/** As if it had been sent now; undefined when other bytes are stored. */
export async function findStored(
  { requests, settings }: Pick<RunContext, 'requests' | 'settings'>,
  part: TakenPart,
  uploadId: string,
  { attempts = 1 }: UploadError,
): Promise<Sent<{ etag: string }> | undefined> {
  const { store, verify } = settings
  const listed = await listAllParts(requests, settings, uploadId)
  if (listed === 'gone' || listed === 'refused') return undefined
  const there = listed.get(part.partNumber)
  // Without a record nothing is known of them but what the store says.
  const candidate = { size: part.size, hash: '' }
  const verdict = judgePart(candidate, undefined, there, verify)
  if (verdict.do !== 'compare') return undefined
  const receipt = await compared(part, verdict, store.digest)
  if (receipt === undefined) return undefined
  const { etag, crc64, md5, check } = receipt
  return { receipt: { etag }, crc64, md5, check, attempts }
}
