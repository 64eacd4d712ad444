/**
 * Sends the files of a job, some at once, over one store. A file that fails does
 * not end the others, unless what it says is true of all of them.
 *
 * Files that are cut into parts take memory and connections for many small ones,
 * so few of them go at once, and small ones go on beside them.
 */
import { UploadError, type ErrorCode } from '../errors.js'
import type { Found, JobFile } from './job-file.js'

export interface JobRules {
  /** Files at once. */
  jobs: number
  /** Whether a file is cut into parts. */
  isLarge: (file: JobFile) => boolean
  signal: AbortSignal
}

export interface JobWork {
  /** Rejects with why the file could not be sent. */
  send: (file: JobFile) => Promise<void>
  skipped: (path: string, why: string) => void
  failed: (path: string, error: unknown, file?: JobFile) => void
}

/** How a job has ended. */
export interface JobEnd {
  /** Every file was looked at. */
  isWhole: boolean
  /** The error that would have been every file's, when that ended the job. */
  stopped: unknown
}

/** Large files at once. */
const mostLarge = 2

/** Large files that wait while small ones are found. */
const mostHeld = 1000

/** Failures in a row, of what may be true of all, before it is taken for that. */
const mostInARow = 32

export async function runJob(
  files: AsyncIterable<Found>,
  { jobs, isLarge, signal }: JobRules,
  work: JobWork,
): Promise<JobEnd> {
  const found = files[Symbol.asyncIterator]()
  const running = new Set<Promise<void>>()
  const held: JobFile[] = []
  const breaker = new Breaker()
  let large = 0
  let isEnded = false
  let wake = (): void => undefined
  // `Promise.race` over all of them would add a reaction to the longest one
  // each time a short one ends.
  const oneEnds = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  const start = (file: JobFile): void => {
    const weight = isLarge(file) ? 1 : 0
    large += weight
    const task = work
      .send(file)
      .then(
        () => breaker.succeeded(),
        (error: unknown) => {
          if (signal.aborted) return
          breaker.failed(error)
          work.failed(file.path, error, file)
        },
      )
      .finally(() => {
        large -= weight
        running.delete(task)
        wake()
      })
    running.add(task)
  }
  while (!signal.aborted && breaker.stopped === undefined) {
    if (running.size >= jobs) {
      await oneEnds()
      continue
    }
    const waiting = large < mostLarge ? held.shift() : undefined
    if (waiting !== undefined) {
      start(waiting)
      continue
    }
    if (isEnded || held.length >= mostHeld) {
      if (running.size === 0) break
      await oneEnds()
      continue
    }
    const { done, value } = await found.next()
    if (done === true) {
      isEnded = true
    } else if ('skipped' in value) work.skipped(value.path, value.skipped)
    else if ('error' in value) work.failed(value.path, value.error)
    else if (isLarge(value.file) && large >= mostLarge) held.push(value.file)
    else start(value.file)
  }
  await Promise.all(running)
  await found.return?.()
  const isWhole = isEnded && held.length === 0 && !signal.aborted
  return { isWhole, stopped: breaker.stopped }
}

/** True of every file, whichever it was that heard of it first. */
const ofAll: readonly ErrorCode[] = ['PAWL_CREDENTIALS', 'PAWL_NO_SUCH_BUCKET']

/** Probably true of every file, when many in a row say it. */
const ofMany: readonly ErrorCode[] = [
  'PAWL_ACCESS_DENIED',
  'PAWL_NETWORK',
  'PAWL_TIMEOUT',
  'PAWL_SERVER',
]

/** Knows when it makes no sense to try another file. */
class Breaker {
  #inARow = 0
  /** The error that ended the job. */
  stopped: unknown

  succeeded(): void {
    this.#inARow = 0
  }

  failed(error: unknown): void {
    if (!(error instanceof UploadError)) return
    if (ofMany.includes(error.code)) this.#inARow += 1
    if (ofAll.includes(error.code) || this.#inARow >= mostInARow) {
      this.stopped ??= error
    }
  }
}
