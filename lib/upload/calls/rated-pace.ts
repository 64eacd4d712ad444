/**
 * The pace of bodies that are sent at a rate that was asked for: a view goes out
 * when the rate has room for it, by the upload's own rate and by its store's.
 */
import { type Rate, viewWithin } from '../../store/rate.js'
import type { BodyPace } from '../source/view-pace.js'

export class RatedPace implements BodyPace {
  readonly #pace: BodyPace
  readonly #rates: readonly Rate[]
  readonly #signal: AbortSignal
  #isHeld = false

  /** Of one body. `signal` ends it while it waits. */
  constructor(pace: BodyPace, rates: readonly Rate[], signal: AbortSignal) {
    this.#pace = pace
    this.#rates = rates
    this.#signal = signal
  }

  /** It waits for its rate: that is no stall. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  get size(): number {
    return this.#rates.reduce(
      (size, { bytes }) => Math.min(size, viewWithin(bytes)),
      this.#pace.size,
    )
  }

  start(bytes: number): () => void {
    return this.#pace.start(bytes)
  }

  async turn(bytes: number): Promise<void> {
    this.#isHeld = true
    try {
      for (const rate of this.#rates) await rate.take(bytes, this.#signal)
    } finally {
      this.#isHeld = false
    }
  }
}
