/** Promises: one that its owner settles, work with a signal, work within a time. */
import type { Environment, Timer } from '../../environment.js'
import { asError } from '../../realm.js'

/** A promise that its owner settles. A rejection that nobody awaits is no accident. */
export class Deferred<T> {
  readonly promise: Promise<T>
  resolve: (value: T) => void = () => undefined
  reject: (error: Error) => void = () => undefined

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(() => undefined)
  }
}

/** Settles as `work` does; rejects with the reason as soon as `signal` is aborted. */
export async function unlessAborted<T>(
  signal: AbortSignal,
  work: Promise<T>,
): Promise<T> {
  const stopped = new Deferred<never>()
  const onAbort = (): void => stopped.reject(asError(signal.reason))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([stopped.promise, work])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Up to when a suspension waits for something, ms from its start: a disk and a server
 * that hang at once take no more than the two seconds promised.
 */
export const bounds = {
  parts: 1200,
  complete: 1200,
  work: 1500,
  receipts: 1700,
  log: 1900,
}

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
