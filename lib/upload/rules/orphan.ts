/**
 * Uploads that were begun and whose ID nobody heard: the answer to Initiate was
 * lost, or the process was killed before it was written down.
 *
 * Nothing in a listing proves whose upload it is, so an orphan is never gone on
 * with, and aborted only when all of this holds: it is of exactly our key, its ID
 * is in no epoch of our log, it was begun while an Initiate of ours was under way
 * (by the server's clock), it has no parts, and it is older than 15 minutes. One
 * that is younger stays; `abortUploads` and lifecycle rules are for those.
 */
import type { ListedUpload } from '../../store/object-store.js'

/** ms; an upload that is younger may be somebody's who is just beginning. */
const leastAge = 15 * 60_000

/** ms; no Initiate is under way for longer. */
const longestInitiate = 5 * 60_000

/** ms; servers give times in whole seconds. */
const tolerance = 2000

/** What a log knows of the uploads that it began. */
export interface Begun {
  key: string
  /** ms since 1970 by our clock, oldest first: an Initiate was about to be sent. */
  intents: readonly { time: number }[]
  uploadIds: ReadonlySet<string>
}

/** Both clocks at one moment, ms since 1970. */
export interface Clocks {
  ours: number
  servers: number
}

/** Whether some Initiate of ours may have begun an upload that we know nothing of. */
export function mayHaveOrphans({
  intents,
  uploadIds,
}: Omit<Begun, 'key'>): boolean {
  return intents.length > uploadIds.size
}

/** All of the rule but that it has no parts, which has to be asked. */
export function canBeOrphan(
  { key, uploadId, initiated }: ListedUpload,
  begun: Begun,
  { ours, servers }: Clocks,
): boolean {
  if (key !== begun.key || begun.uploadIds.has(uploadId)) return false
  if (servers - initiated < leastAge) return false
  const offset = servers - ours
  return begun.intents.some(({ time }, index) => {
    const next = begun.intents[index + 1]?.time ?? Number.POSITIVE_INFINITY
    const end = Math.min(next, time + longestInitiate)
    return (
      initiated >= time + offset - tolerance &&
      initiated <= end + offset + tolerance
    )
  })
}
