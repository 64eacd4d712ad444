/**
 * When an attempt is given up, in one place: what counts as moving, and from when
 * the wait for an answer runs.
 *
 * - *connect* runs until the request has a connection. A dispatcher that is not
 *   ours may queue requests; waiting there is not connecting (`dispatch-queue`).
 * - *stall* runs while the body goes out, and anew whenever bytes of it have left
 *   this process for the system's buffers. A full buffer takes more only when a
 *   third of it is free, so the limit is longer by what the slowest line takes for
 *   that third, and at most twice as long. A body that is held back for a rate that
 *   was asked for does not stall. What a server sends meanwhile is no movement:
 *   answers of 1xx without end would keep a dead upload alive.
 * - *headers* runs from the moment the whole body has left this process to the
 *   last byte of the answer. The body may lie in buffers then, of the system or
 *   of a proxy that reads it whole before it passes it on; so the wait is longer
 *   by the time that the slowest line takes for it, or by what handing it over
 *   has taken, whichever is more. An answer that trickles does not extend it.
 *
 * A limit that has passed is believed only after one more turn of the event loop,
 * since an answer may have arrived while the loop was blocked; when the loop was
 * blocked for long, or the machine slept, the limit begins anew.
 */
import type { Environment, Timer } from '../environment.js'
import type { CallTimeouts } from './object-store.js'

export type Phase = keyof CallTimeouts

/** Bytes a second that any line is thought to carry. */
const slowestLine = 100_000

/** The largest buffer of a socket, in bytes, that systems have by default. */
export const largestBuffer = 4 * 1024 * 1024

/** Timers fire at once beyond this. */
const maxTimer = 2 ** 31 - 1

/** ms that an answer may take once `size` bytes were handed over within `took` ms. */
export function answerLimit(
  headers: number,
  { size, took }: { size: number; took: number },
): number {
  if (headers === 0) return 0
  return headers + Math.max(took, (size / slowestLine) * 1000)
}

/** ms without movement, once `left` bytes have gone into the system's buffers. */
export function stallLimit(stall: number, left: number): number {
  const third = Math.min(left, largestBuffer) / 3
  return stall + Math.min(stall, (third / slowestLine) * 1000)
}

export interface MovingEvents {
  /** Of the phase that took too long, and its limit in ms. */
  onTimeOut(phase: Phase, limit: number): void
}

/** A phase as it is watched. */
interface Watched {
  phase: Phase
  /** ms. */
  limit: number
  /** ms that it may take now, if not the limit. */
  extended?: () => number
  /** When it began, or something moved last; undefined: it has not begun. */
  since: () => number | undefined
}

export class MovingWatch {
  readonly #environment: Pick<Environment, 'timer' | 'soon' | 'monotonic'>
  readonly #events: MovingEvents
  #watched: Watched | undefined
  #timer: Timer | undefined

  constructor(
    environment: Pick<Environment, 'timer' | 'soon' | 'monotonic'>,
    events: MovingEvents,
  ) {
    this.#environment = environment
    this.#events = events
  }

  /** `since`: when connecting began; undefined while the request is queued. */
  connecting(limit: number, since?: () => number | undefined): void {
    const begun = this.#environment.monotonic()
    this.#watch({ phase: 'connect', limit, since: since ?? (() => begun) })
  }

  /**
   * `left`: bytes that have left this process; it grows while they move. `isHeld`:
   * the next ones are held back on purpose.
   */
  sending(limit: number, left: () => number, isHeld = () => false): void {
    const { monotonic } = this.#environment
    let moved = monotonic()
    const first = left()
    let before = first
    this.#watch({
      phase: 'stall',
      limit,
      extended: () => stallLimit(limit, before - first),
      since: () => {
        const now = left()
        if (now !== before || isHeld()) moved = monotonic()
        before = now
        return moved
      },
    })
  }

  waiting(limit: number): void {
    const begun = this.#environment.monotonic()
    this.#watch({ phase: 'headers', limit, since: () => begun })
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#watched = undefined
  }

  /** Zero is no limit. */
  #watch(watched: Watched): void {
    this.end()
    if (watched.limit === 0) return
    this.#watched = watched
    this.#arm(watched, watched.limit)
  }

  #arm(watched: Watched, left: number): void {
    const { timer, monotonic } = this.#environment
    // Movement is looked for four times, as it says when it was only if looked at.
    const step = watched.phase === 'headers' ? left : watched.limit / 4
    const ms = Math.max(1, Math.min(left, step, maxTimer))
    const due = monotonic() + ms
    this.#timer = timer(ms, () => this.#ring(watched, due))
  }

  #ring(watched: Watched, due: number): void {
    const { monotonic, soon } = this.#environment
    const { limit, since } = watched
    if (monotonic() - due >= Math.max(100, limit / 4)) {
      const woken = monotonic()
      const after = (): number | undefined => {
        const begun = since()
        return begun === undefined ? undefined : Math.max(woken, begun)
      }
      return this.#watch({ ...watched, since: after })
    }
    const left = this.#leftOf(watched)
    if (left > 0) return this.#arm(watched, left)
    soon(() => {
      if (this.#watched !== watched) return
      const still = this.#leftOf(watched)
      if (still > 0) return this.#arm(watched, still)
      this.end()
      this.#events.onTimeOut(watched.phase, limit)
    })
  }

  /** ms; the whole limit for what has not begun. */
  #leftOf({ limit, extended, since }: Watched): number {
    const begun = since()
    if (begun === undefined) return limit
    const most = extended?.() ?? limit
    return most - (this.#environment.monotonic() - begun)
  }
}
