/** What a failure says of itself. */
import type { Outcome } from '../run.js'

/** Whether the same call may be made again, by what the caller was told. */
export function mayRepeat(
  outcome: Outcome | undefined,
): 'as it is' | 'once the cause is gone' | 'no' {
  if (outcome?.kind !== 'failure') return 'no'
  const { resumable, transient } = outcome.error as {
    resumable?: boolean
    transient?: boolean
  }
  if (transient === true) return 'as it is'
  return resumable === true ? 'once the cause is gone' : 'no'
}
