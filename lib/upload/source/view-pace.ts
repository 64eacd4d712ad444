/**
 * How many bytes of a part go out at once. A read and a write cost the same
 * however long they are, so views grow where the network is fast; where it is
 * slow they shrink, so that progress stays steady. One whole part would hide
 * stalls, and have TLS hold a second copy of it.
 */
import type { Body } from '../../store/object-store.js'
import { type Rate, viewWithin } from '../../store/rate.js'

const KiB = 1024

export const largestView = 4096 * KiB
const smallestView = 64 * KiB
const firstView = 512 * KiB
/** Bytes that a system's buffers may take at once: how fast they go says nothing. */
const buffered = 4096 * KiB
/** ms that a view takes to go out: below, larger ones follow; above, smaller. */
const shortTime = 25
const longTime = 100

/** Bytes for the views that follow one of `size` bytes that took `ms`. */
export function nextViewSize(size: number, ms: number): number {
  if (ms < shortTime) return Math.min(2 * size, largestView)
  if (ms > longTime) return Math.max(size / 2, smallestView)
  return size
}

/** A body whose views go out. */
export interface BodySoFar {
  /** Bytes of it. */
  readonly size: number
  /** Bytes that have gone out. */
  readonly sent: number
}

/** How a body goes out. */
export interface BodyPace {
  /** Bytes that a view should have. */
  readonly size: number
  /** A view of `bytes` goes out; to be called again when it has. */
  start(bytes: number, body: BodySoFar): () => void
  /** Resolves when so many bytes may go out. Absent: they always may. */
  turn?(bytes: number): Promise<void>
}

/** Bytes as they are read for a body. */
interface Views {
  /** All of them. */
  size: number
  views: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** A fresh body of views; `onSent` hears of each when the next one is asked for. */
export function bodyOf(
  { size, views }: Views,
  pace: BodyPace,
  onSent: (bytes: number) => void,
): Body {
  return async function* body() {
    let gone = 0
    for await (const view of views()) {
      const { byteLength } = view
      await pace.turn?.(byteLength)
      const sent = pace.start(byteLength, { size, sent: gone })
      yield view
      gone += byteLength
      sent()
      onSent(byteLength)
    }
  }
}

/** The pace of one upload: a part begins as the last one went. */
export class ViewPace implements BodyPace {
  #size = firstView
  readonly #now: () => number

  /** `now`: ms, never going back. */
  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#size
  }

  start(bytes: number, body: BodySoFar): () => void {
    const since = this.#now()
    const size = this.#size
    const isBuffered = body.sent < Math.min(buffered, body.size / 2)
    return () => {
      const next = nextViewSize(size, this.#now() - since)
      // That the short end of a part was fast says nothing.
      const isTold = bytes >= size && !isBuffered
      if (isTold || next < size) this.#size = next
    }
  }
}

/**
 * The pace of a body that is sent at a rate that was asked for: a view goes out when
 * the rate has room for it, by the upload's own rate and by its store's.
 */
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

  /** The body waits for its rate: that is no stall. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  get size(): number {
    return this.#rates.reduce(
      (size, { bytes }) => Math.min(size, viewWithin(bytes)),
      this.#pace.size,
    )
  }

  start(bytes: number, body: BodySoFar): () => void {
    return this.#pace.start(bytes, body)
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
