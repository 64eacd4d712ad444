/** What earlier runs have sent to complete an upload, as the log has it. Pure. */
import type { UploadState } from '../../checkpoint/fold.js'

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
