/**
 * The rate at which the bytes of a part leave, seen while they do. The first ones go
 * into the system's buffers at once, and a full buffer takes more in bursts, of a third
 * of it. So two things are known of the line: what it has carried at least, as no
 * buffer holds all that has left; and, from a moment later, the rate of the bursts.
 */
import { largestBuffer } from './moving.js'

/** ms after the first bytes from which on the line alone sets the pace. */
const settling = 50
/** ms that are looked at, at least. */
const window = 100
/** ms between two bursts, at most. */
const burst = 200
/** A share of the rate of bursts that the line is sure to have. */
const ofBursts = 0.8

/** Bytes of a full buffer that leave together. */
const third = largestBuffer / 3

interface Moment {
  /** ms. */
  at: number
  /** All that had left by then. */
  bytes: number
}

export class SteadyRate {
  #sent = 0
  /** Since when the line is looked at. */
  #start: Moment | undefined
  /** Bytes that buffers may have taken at once since then. */
  #room = largestBuffer
  #first: number | undefined
  #from: Moment | undefined
  #last: Moment | undefined

  /** `now`: ms, never going back. */
  add(bytes: number, now: number): void {
    this.#start ??= { at: now, bytes: this.#sent }
    this.#sent += bytes
    const moment = { at: now, bytes: this.#sent }
    this.#first ??= now
    if (now - this.#first >= settling) this.#from ??= moment
    this.#last = moment
  }

  /** It begins anew, with the bytes that leave from now on. */
  reset(now: number): void {
    if (this.#start !== undefined) {
      this.#start = { at: now, bytes: this.#sent }
      // A burst may have come in part.
      this.#room = Math.max(largestBuffer - this.#sent, third)
    }
    this.#first = undefined
    this.#from = undefined
    this.#last = undefined
  }

  /** Of all that was added. */
  get sent(): number {
    return this.#sent
  }

  /** Bytes a second that the part has at least; undefined until it can be told. */
  rate(now: number): number | undefined {
    const carried = this.#carried(now)
    const bursts = this.#ofBursts(now)
    if (bursts === undefined) return carried
    return Math.max(carried ?? 0, ofBursts * bursts)
  }

  /** What the line has carried by now, if it is more than buffers hold. */
  #carried(now: number): number | undefined {
    const start = this.#start
    if (start === undefined || now - start.at < settling) return undefined
    const bytes = this.#sent - start.bytes - this.#room
    return bytes > 0 ? (bytes / (now - start.at)) * 1000 : undefined
  }

  /** Bytes leave in bursts: until the next may be due, the last one counts. */
  #ofBursts(now: number): number | undefined {
    const [from, last] = [this.#from, this.#last]
    if (from === undefined || last === undefined) return undefined
    if (last.at - from.at < window) return undefined
    const ms = Math.max(last.at, now - burst) - from.at
    return ((last.bytes - from.bytes) / ms) * 1000
  }
}
