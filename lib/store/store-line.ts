/**
 * What is known of the lines to stores, by the uploads of a process: one line and
 * one rate for each store, which all of its uploads share. An upload with a rate
 * of its own, or a number of parts of its own, has slots of its own. Throttling
 * counts for all of them, whoever hears of it.
 */
import type { Environment } from '../environment.js'
import { Line } from './line.js'
import type { ObjectStore } from './object-store.js'
import { partsWithin, Rate } from './rate.js'
import { SetSlots, type Slots } from './slots.js'

/** ms: what is refused within them is refused for the same reason. */
const oneRefusal = 1000

type Clock = Pick<Environment, 'monotonic' | 'timer' | 'idle'>

/** Parts at once where the line decides: connections are left for other calls. */
export const mostAtOnce = 48

/** What an upload says of the line. */
export interface LineWishes {
  /** Parts at once, at most. */
  readonly concurrency: number
  /** The line decides how many. */
  readonly isAuto: boolean
  /** Bytes a second of this upload. */
  readonly maxRate: number | undefined
}

export class StoreLine {
  readonly #clock: Clock
  readonly #maxRate: number | undefined
  /** Of uploads that do not share theirs. */
  readonly #own = new Map<Slots, { throttle(): void }>()
  #shared: Line | undefined
  #throttledAt = -Infinity
  /** What all uploads send together. */
  readonly rate: Rate | undefined

  constructor({ maxRate }: Pick<ObjectStore, 'maxRate'>, clock: Clock) {
    this.#clock = clock
    this.#maxRate = maxRate
    this.rate = maxRate === undefined ? undefined : new Rate(maxRate, clock)
  }

  /** The slots of one upload, which must leave them. */
  join({ concurrency, isAuto, maxRate }: LineWishes): Slots {
    const rate = lowest(maxRate, this.#maxRate)
    const within = rate === undefined ? Infinity : partsWithin(rate)
    const most = Math.min(concurrency, within)
    if (!isAuto) {
      const slots = new SetSlots(most)
      this.#own.set(slots, slots)
      return slots
    }
    const line = (): Line => new Line(this.#clock, { most, maxRate: rate })
    if (maxRate === undefined) return (this.#shared ??= line()).join()
    const own = line()
    const slots = own.join()
    this.#own.set(slots, own)
    return slots
  }

  leave(slots: Slots): void {
    this.#own.delete(slots)
    slots.leave()
  }

  /** A server asked for less. */
  throttle(): void {
    const now = this.#clock.monotonic()
    if (now - this.#throttledAt < oneRefusal) return
    this.#throttledAt = now
    this.#shared?.throttle()
    for (const own of this.#own.values()) own.throttle()
  }
}

/** Of those that are set. */
export function lowest(
  one: number | undefined,
  other: number | undefined,
): number | undefined {
  return one === undefined || other === undefined
    ? (one ?? other)
    : Math.min(one, other)
}

/** By store, for as long as these live. */
export class StoreLines {
  readonly #clock: Clock
  readonly #lines = new WeakMap<ObjectStore, StoreLine>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of(store: ObjectStore): StoreLine {
    let line = this.#lines.get(store)
    if (line === undefined) {
      line = new StoreLine(store, this.#clock)
      this.#lines.set(store, line)
    }
    return line
  }
}
