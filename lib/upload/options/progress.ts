/**
 * The counters of one upload, and when to speak of them: at most every 100 ms,
 * and once at the end.
 */

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
  /** Of the object, if known. */
  bytesTotal: number | undefined
}

const interval = 100

export class ProgressCounter {
  readonly #emit: (progress: Progress) => void
  readonly #now: () => number
  readonly #counts: Progress
  #last = Number.NEGATIVE_INFINITY

  constructor(
    total: number | undefined,
    emit: (progress: Progress) => void,
    now: () => number,
  ) {
    this.#emit = emit
    this.#now = now
    this.#counts = {
      bytesRead: 0,
      bytesSent: 0,
      bytesStored: 0,
      bytesReused: 0,
      bytesTotal: total,
    }
  }

  get counts(): Readonly<Progress> {
    return this.#counts
  }

  read(bytes: number): void {
    this.#counts.bytesRead += bytes
    this.#speak()
  }

  sent(bytes: number): void {
    this.#counts.bytesSent += bytes
    this.#speak()
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
    this.#counts.bytesStored = 0
    this.#counts.bytesReused = 0
    this.#counts.bytesRead = 0
  }

  /** Says the last word. */
  end(): void {
    this.#emit({ ...this.#counts })
  }

  #speak(): void {
    const now = this.#now()
    if (now - this.#last < interval) return
    this.#last = now
    this.#emit({ ...this.#counts })
  }
}
