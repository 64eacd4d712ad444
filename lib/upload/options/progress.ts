/**
 * The counters of one upload, and when to speak of them: at most every 100 ms, a
 * last time when nothing follows, and once at the end.
 */
import type { Environment, Timer } from '../../environment.js'

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
   * Of the object: stored, and what has left of parts on their way. For bars: it
   * moves within parts, never goes back unless the upload begins anew, and is
   * `bytesStored` at the end. What left for an attempt that failed stays in it,
   * and the next attempt counts for the rest of its part.
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

/** Bytes on their way. */
interface Flight {
  /** The first byte goes out, once more. */
  attempt(): void
  sent(bytes: number): void
  /** Sent, or given up. */
  end(): void
}

export class ProgressCounter {
  #emit: (progress: Progress) => void
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  readonly #counts: Progress
  #last = Number.NEGATIVE_INFINITY
  /** Speaks of what was counted since, if nothing else is counted. */
  #timer: Timer | undefined
  /** Of all flights. */
  #flying = 0

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
    /** What earlier attempts count for, what has left in this one, and all together. */
    let [base, left, counted] = [0, 0, 0]
    const count = (now: number): void => {
      this.#flying += now - counted
      counted = now
    }
    return {
      attempt: () => {
        base = counted
        left = 0
      },
      sent: (bytes) => {
        // Of an empty body there is no share.
        if (bytes === 0) return
        left += bytes
        const share = Math.min(1, left / size)
        count(base + Math.floor(share * (size - base)))
        this.#counts.bytesSent += bytes
        this.#speak()
      },
      end: () => count(0),
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
    const counts = this.#counts
    const done = counts.bytesStored + this.#flying
    // Between the end of a flight and its receipt the bytes are in neither.
    counts.bytesDone = Math.max(
      counts.bytesDone,
      Math.min(done, counts.bytesTotal ?? done),
    )
    const left = this.#last + interval - this.#environment.monotonic()
    if (left <= 0) this.#say()
    else {
      const ring = (): void => this.#say()
      this.#timer ??= this.#environment.timer(left, ring, { isIdle: true })
    }
  }

  #say(): void {
    this.rest()
    this.#last = this.#environment.monotonic()
    this.#emit({ ...this.#counts })
  }
}
