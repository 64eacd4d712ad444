/**
 * The counters of one upload, and when to speak of them: at most every 100 ms, a
 * last time when nothing follows, and once at the end.
 *
 * What leaves goes into the system's buffers at first, megabytes at once, and then
 * nothing is heard of them until their part is stored. So what they may hold counts
 * little by little, and this speaks of it while nothing else is counted.
 */
import type { Environment, Timer } from '../../environment.js'
import { largestBuffer } from '../../store/moving.js'

/** Bytes. */
export interface Progress {
  /** Taken from the source, or skipped in it. */
  bytesRead: number
  /** Handed to sockets, also for attempts that failed. */
  bytesSent: number
  /** Of the object, on the server: sent in this run and confirmed, or reused. */
  bytesStored: number
  /** Of the object, on the server before this run. */
  bytesReused: number
  /**
   * Of the object: stored, and what has left of parts on their way, of which what
   * may still be in the system's buffers (4 MiB a part) counts little by little. For
   * bars: it moves within parts and while answers are waited for, never goes back
   * unless the upload begins anew, and is `bytesStored` at the end. What has counted of
   * an attempt that failed stays in it, and the next attempt counts for the rest of its
   * part.
   */
  bytesDone: number
  /** Of the object, if known. */
  bytesTotal: number | undefined
  /**
   * Of the largest object that there is room for in the upload's parts, while
   * `bytesTotal` is not known; absent until they are.
   */
  bytesMost?: number
}

const interval = 100
/** Bytes in buffers that nobody waits for. */
const fewBytes = 64 * 1024
/** ms that an attempt counts as older than it is. */
const headStart = 1000

/** Bytes on their way. */
interface Flight {
  /** The first byte goes out, once more. */
  attempt(): void
  sent(bytes: number): void
  /** Sent, or given up. */
  end(): void
}

/** What has left in an attempt, and how much of it counts as on its way. */
class Leaving {
  readonly #begun: number
  #left = 0
  /** Bytes that may be in buffers, at `#at`. */
  #buffered = 0
  #at: number

  /** `now`: ms, never going back. */
  constructor(now: number) {
    this.#begun = now
    this.#at = now
  }

  add(bytes: number, now: number): void {
    this.#left += bytes
    this.#buffered = Math.min(this.#bufferedAt(now) + bytes, largestBuffer)
    this.#at = now
  }

  counted(now: number): number {
    return this.#left - Math.max(0, this.#bufferedAt(now) - fewBytes)
  }

  isSettled(now: number): boolean {
    return this.#bufferedAt(now) <= fewBytes
  }

  /**
   * The slower a line the longer they last: a quarter is left when the attempt is
   * twice as old.
   */
  #bufferedAt(now: number): number {
    const age = (at: number): number => headStart + at - this.#begun
    return this.#buffered * (age(this.#at) / age(now)) ** 2
  }
}

/** What bytes on their way count for; it never goes back. */
class FlightCount {
  readonly #size: number
  #leaving: Leaving
  /** What earlier attempts count for. */
  #base = 0

  constructor(size: number, now: number) {
    this.#size = size
    this.#leaving = new Leaving(now)
  }

  attempt(now: number): void {
    this.#base = this.counted(now)
    this.#leaving = new Leaving(now)
  }

  add(bytes: number, now: number): void {
    this.#leaving.add(bytes, now)
  }

  counted(now: number): number {
    if (this.#size === 0) return 0
    const share = Math.min(1, this.#leaving.counted(now) / this.#size)
    return this.#base + Math.floor(share * (this.#size - this.#base))
  }

  isSettled(now: number): boolean {
    return this.#leaving.isSettled(now)
  }
}

export class ProgressCounter {
  #emit: (progress: Progress) => void
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  readonly #counts: Progress
  #last = Number.NEGATIVE_INFINITY
  /** Speaks of what was counted since, if nothing else is counted. */
  #timer: Timer | undefined
  readonly #flights = new Set<FlightCount>()

  constructor(
    total: number | undefined,
    emit: (progress: Progress) => void,
    environment: Pick<Environment, 'monotonic' | 'timer'>,
  ) {
    this.#emit = emit
    this.#environment = environment
    this.#counts = {
      bytesRead: 0,
      bytesSent: 0,
      bytesStored: 0,
      bytesReused: 0,
      bytesDone: 0,
      bytesTotal: total,
    }
  }

  /** Speaks to somebody else from now on. */
  tell(emit: (progress: Progress) => void): void {
    this.#emit = emit
  }

  get counts(): Readonly<Progress> {
    return this.#counts
  }

  /** Of an upload whose total is not known. */
  endsAt(bytesMost: number): void {
    this.#counts.bytesMost = bytesMost
  }

  read(bytes: number): void {
    this.#counts.bytesRead += bytes
    this.#speak()
  }

  /** Of bytes that are sent until a server has them; an attempt counts for what is left. */
  flight(size: number): Flight {
    const { monotonic } = this.#environment
    const count = new FlightCount(size, monotonic())
    this.#flights.add(count)
    return {
      attempt: () => count.attempt(monotonic()),
      sent: (bytes) => {
        // Of an empty body there is no share.
        if (bytes === 0) return
        count.add(bytes, monotonic())
        this.#counts.bytesSent += bytes
        this.#speak()
      },
      end: () => void this.#flights.delete(count),
    }
  }

  stored(bytes: number): void {
    this.#counts.bytesStored += bytes
    this.#speak()
  }

  reused(bytes: number): void {
    this.#counts.bytesReused += bytes
    this.#counts.bytesStored += bytes
    this.#speak()
  }

  /** What was stored counts no more: a new upload was begun. */
  startOver(): void {
    this.#counts.bytesDone = 0
    this.#counts.bytesStored = 0
    this.#counts.bytesReused = 0
    this.#counts.bytesRead = 0
  }

  /** Says the last word. */
  end(): void {
    this.rest()
    this.#emit({ ...this.#counts })
  }

  /** Says nothing until something else is counted. */
  rest(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #speak(): void {
    this.#countDone()
    const left = this.#last + interval - this.#environment.monotonic()
    if (left <= 0) this.#say()
    else this.#sayIn(left)
  }

  #countDone(): void {
    const counts = this.#counts
    const now = this.#environment.monotonic()
    let done = counts.bytesStored
    for (const flight of this.#flights) done += flight.counted(now)
    // Between the end of a flight and its receipt the bytes are in neither.
    counts.bytesDone = Math.max(
      counts.bytesDone,
      Math.min(done, counts.bytesTotal ?? done),
    )
  }

  #say(): void {
    this.rest()
    const now = this.#environment.monotonic()
    this.#last = now
    this.#emit({ ...this.#counts })
    for (const flight of this.#flights) {
      if (flight.isSettled(now)) continue
      this.#sayIn(interval)
      return
    }
  }

  #sayIn(ms: number): void {
    const ring = (): void => {
      this.#countDone()
      this.#say()
    }
    this.#timer ??= this.#environment.timer(ms, ring, { isIdle: true })
  }
}
