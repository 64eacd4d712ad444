/**
 * Earlier uploads of a log that may still become the object. Pure.
 *
 * A run that was paused or killed may have sent a Complete that is under way, or
 * may send one when it wakes. The log says so by `completing`; a sink that can lose
 * durable records may have lost that, and then every earlier upload counts.
 */
import type { LogState } from '../../checkpoint/fold.js'

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
