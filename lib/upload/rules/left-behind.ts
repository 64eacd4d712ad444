/**
 * Uploads that earlier runs of a log have left on the server. Pure.
 *
 * Rivals are those that may still become the object. A run that was paused or killed
 * may have sent a Complete that is under way, or may send one when it wakes. The log
 * says so by `completing`; a sink that can lose durable records may have lost that,
 * and then every earlier upload counts.
 *
 * Orphans are those whose ID nobody heard: the answer to Initiate was lost, or the
 * process was killed before it was written down. Nothing in a listing proves whose
 * upload it is, so an orphan is never gone on with, and aborted only when all of this
 * holds: it is of exactly our key, its ID is in no epoch of our log, it was begun while
 * an Initiate of ours was under way (by the server's clock), it has no parts, and it is
 * older than 15 minutes. One that is younger stays; `abortUploads` and lifecycle rules
 * are for those.
 */
import type { LogState } from '../../checkpoint/fold.js'
import type { ListedUpload } from '../../store/object-store.js'

export interface Rival {
  uploadId: string
  /** What its object carries, where that is known. */
  mark: string | undefined
  /** The log says that its Complete was about to be sent. */
  mayComplete: boolean
}

/** Those that must be dead before an object is made, oldest first. */
export function rivalsOf(
  { unclosed, rivals, marks }: Pick<LogState, 'unclosed' | 'rivals' | 'marks'>,
  { canLose = false }: { canLose?: boolean | undefined },
): Rival[] {
  return [...unclosed]
    .filter((uploadId) => canLose || rivals.has(uploadId))
    .map((uploadId) => ({
      uploadId,
      mark: rivals.get(uploadId) ?? marks.get(uploadId),
      mayComplete: rivals.has(uploadId),
    }))
}

/** ms between two looks at an upload that is gone, where the log is leased. */
const betweenLooks = 10_000

/**
 * ms until an upload that was first seen gone at `first` is gone for good when it
 * is seen so once more. A store may take an upload off its list some seconds before
 * the object of a Complete under way is seen; who holds a file's lock has no rival
 * that could wake and send one.
 */
export function untilSure(first: number, now: number): number {
  return Math.max(0, first + betweenLooks - now)
}

/**
 * ms until an earlier upload needs no Abort, since its run has not held the log
 * for longer than a Complete can take; undefined: it needs one all the same. To hold the
 * log now is to have held it: whoever comes again has to let all of that time pass.
 */
export function untilFenced({
  fence,
  freeFor,
  longest,
}: {
  fence: 'lease' | undefined
  freeFor: number | undefined
  longest: number
}): number | undefined {
  if (fence === undefined || freeFor === undefined) return undefined
  return freeFor < longest ? longest : 0
}

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
