/**
 * How long a suspension waits, and for what. One clock bounds all of it, so that
 * a disk and a server that hang at once still take no more than the two seconds
 * promised.
 */
import type { Environment, Timer } from '../../environment.js'
import type { UploadLog } from './log.js'

/** Up to when something is waited for, ms from the start. */
export const bounds = {
  parts: 1200,
  complete: 1200,
  work: 1500,
  receipts: 1700,
  log: 1900,
}

/** One clock for several waits. */
export class Deadline {
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  readonly #start: number

  constructor(environment: Pick<Environment, 'monotonic' | 'timer'>) {
    this.#environment = environment
    this.#start = environment.monotonic()
  }

  /**
   * Waits for work to settle, however it does, up to so many ms from the start;
   * false when it has not.
   */
  async until(
    ms: number,
    work: Promise<unknown> | undefined,
  ): Promise<boolean> {
    if (work === undefined) return true
    const { monotonic, timer } = this.#environment
    const left = Math.max(0, this.#start + ms - monotonic())
    let ringing: Timer | undefined
    const bound = new Promise<false>((resolve) => {
      ringing = timer(left, () => resolve(false))
    })
    // Who started the work hears how it ended; here only that it did.
    const settled = work.then(
      () => true,
      () => true,
    )
    const isSettled = await Promise.race([settled, bound])
    ringing?.cancel()
    return isSettled
  }
}

/** Writes what is in hand and lets go of the log; whether it was kept, and is free. */
export async function leaveLog(
  log: UploadLog,
  clock: Deadline,
  failure: Error,
): Promise<{ isKept: boolean; isFree: boolean }> {
  await clock.until(bounds.receipts, log.flush())
  // What has not settled by now must not write into the next run's log.
  log.end()
  const isKept = log.isWorthKeeping(failure)
  const { checkpoint } = log
  const leave = async (): Promise<void> => {
    if (!isKept) await checkpoint.remove()
    await checkpoint.close()
  }
  const isFree = await clock.until(bounds.log, leave())
  return { isKept, isFree }
}
