/**
 * The rate at which the bytes of a part leave, seen while they do. The first ones go
 * into the system's buffers at once, and so count only from a moment later.
 */

/** ms after the first bytes from which on the line alone sets the pace. */
const settling = 50
/** ms that are looked at, at least. */
const window = 100
/** ms between two bursts, at most. */
const burst = 200

interface Moment {
  /** ms. */
  at: number
  /** All that had left by then. */
  bytes: number
}

export class SteadyRate {
  #sent = 0
  #first: number | undefined
  #from: Moment | undefined
  #last: Moment | undefined

  /** `now`: ms, never going back. */
  add(bytes: number, now: number): void {
    this.#sent += bytes
    const moment = { at: now, bytes: this.#sent }
    this.#first ??= now
    if (now - this.#first >= settling) this.#from ??= moment
    this.#last = moment
  }

  /** It begins anew, with the bytes that leave from now on. */
  reset(): void {
    this.#first = undefined
    this.#from = undefined
    this.#last = undefined
  }

  /** Of all that was added. */
  get sent(): number {
    return this.#sent
  }

  /** Bytes a second until `now`; undefined until it can be told. */
  rate(now: number): number | undefined {
    const [from, last] = [this.#from, this.#last]
    if (from === undefined || last === undefined) return undefined
    if (last.at - from.at < window) return undefined
    // Bytes leave in bursts: until the next may be due, the last one counts.
    const ms = Math.max(last.at, now - burst) - from.at
    return ((last.bytes - from.bytes) / ms) * 1000
  }
}
