/**
 * Bytes a second, shared by all who take some: each view waits for its moment, in
 * the order in which it was asked for. What was not used is not saved up, but for
 * an instant, since timers ring late.
 */
import { delay, type Environment } from '../environment.js'
import { invalidOption, shown } from '../errors.js'

/** ms of the rate that may be made good. */
const lateness = 50
/** Views of a second: so that each carries nearly the same. */
const viewsPerSecond = 64
/** Bytes; less is not worth a request's bookkeeping. */
const smallestView = 16 * 1024
/** Bytes a second for each part: with less, fewer go at once. */
const leastForPart = 64 * 1024

/** Throws `PAWL_INVALID_OPTION` for what is no rate. Undefined where none is given. */
export function checkRate(bytes: unknown): number | undefined {
  if (bytes === undefined) return undefined
  if (Number.isSafeInteger(bytes) && Number(bytes) >= 1) return Number(bytes)
  return invalidOption(
    `maxRate: expected bytes a second, a whole number from 1, not ${shown(bytes)}.`,
  )
}

/** Parts that may go at once within so many bytes a second. */
export function partsWithin(rate: number): number {
  return Math.max(1, Math.floor(rate / leastForPart))
}

/** Bytes a second that each part has at least, within so many. */
export function rateOfPart(rate: number): number {
  return Math.min(rate, leastForPart)
}

/** Bytes of the views of a body that is sent at such a rate. */
export function viewWithin(rate: number): number {
  const smooth = Math.max(smallestView, Math.floor(rate / viewsPerSecond))
  // The slowest rates have one view a second.
  return Math.min(smooth, Math.max(1, Math.floor(rate)))
}

export class Rate {
  /** Bytes a second. */
  readonly bytes: number
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  /** When the next view may go; ms. */
  #next = -Infinity

  constructor(
    bytes: number,
    environment: Pick<Environment, 'monotonic' | 'timer'>,
  ) {
    this.bytes = bytes
    this.#environment = environment
  }

  /** Resolves when so many bytes may go; rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#environment.monotonic()
    const turn = Math.max(this.#next, now - lateness)
    this.#next = turn + (bytes / this.bytes) * 1000
    if (turn > now) await delay(this.#environment, turn - now, signal)
  }
}
