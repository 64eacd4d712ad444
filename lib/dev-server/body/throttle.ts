import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Lets bytes pass at a rate. Everyone who shares one waits in turn: each taker
 * books the time after the last booked one.
 */
export class Throttle {
  readonly #bytesPerSecond: number
  /** ms of `performance.now()` at which the next byte may pass. */
  #free = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Largest piece worth taking at once: a tenth of a second, at most 64 KiB. */
  get slice(): number {
    return Math.max(1, Math.min(65_536, Math.floor(this.#bytesPerSecond / 10)))
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now()
    this.#free =
      Math.max(this.#free, now) + (bytes / this.#bytesPerSecond) * 1000
    const wait = this.#free - now
    // Timers are not finer than this; the debt is kept.
    if (wait >= 1) await sleep(wait, undefined, { signal })
  }
}
