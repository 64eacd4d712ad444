/**
 * Parts on the wire, and what becomes of them when their run is stopped. It begins no
 * attempt any more; those that are under way it lets end within a bound: on a slow line
 * most of what was sent is in them.
 *
 * Owned by the run, which calls `lastParts` at most once and `cut` in any case.
 */
import type { Environment } from '../../environment.js'

export class Wire {
  readonly #monotonic: Environment['monotonic']
  readonly #stopped: AbortSignal
  readonly #parts = new Set<WirePart>()

  /** `stopped`: the run's. */
  constructor(
    { monotonic }: Pick<Environment, 'monotonic'>,
    stopped: AbortSignal,
  ) {
    this.#monotonic = monotonic
    this.#stopped = stopped
  }

  /** A part is about to be sent; `leave()` when it is stored or given up. */
  enter(size: number): WirePart {
    const part = new WirePart(size, this.#stopped, this.#monotonic)
    this.#parts.add(part)
    void part.left.then(() => this.#parts.delete(part))
    if (this.#stopped.aborted) part.cut()
    return part
  }

  /** Cuts off the parts that would not end in time; ms to wait for the others. */
  lastParts(bound: number): number {
    const { kept, wait } = lastParts([...this.#parts], bound)
    for (const part of this.#parts) if (!kept.has(part)) part.cut()
    return wait
  }

  /** Resolves when no part is on the wire. */
  async settled(): Promise<void> {
    await Promise.all([...this.#parts].map(({ left }) => left))
  }

  /** Cuts off all of them. */
  cut(): void {
    for (const part of this.#parts) part.cut()
  }
}

/** One part, from its slot to its receipt. */
export class WirePart implements PartOnWire {
  readonly size: number
  readonly #stopped: AbortSignal
  readonly #monotonic: Environment['monotonic']
  readonly #controller = new AbortController()
  #since: number | undefined
  #sent = 0
  #leave: () => void = () => undefined
  readonly left: Promise<void>

  constructor(
    size: number,
    stopped: AbortSignal,
    monotonic: Environment['monotonic'],
  ) {
    this.size = size
    this.#stopped = stopped
    this.#monotonic = monotonic
    this.left = new Promise((resolve) => {
      this.#leave = resolve
    })
  }

  /** Of its requests. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get sent(): number {
    return this.#since === undefined ? 0 : this.#sent
  }

  get elapsed(): number {
    return this.#since === undefined ? 0 : this.#monotonic() - this.#since
  }

  /** An attempt; none begins once the run was stopped. */
  async attempt<T>(send: () => Promise<T>): Promise<T> {
    this.#stopped.throwIfAborted()
    this.#since = this.#monotonic()
    this.#sent = 0
    try {
      return await send()
    } finally {
      this.#since = undefined
    }
  }

  move(bytes: number): void {
    this.#sent += bytes
  }

  cut(): void {
    this.#controller.abort(this.#stopped.reason)
  }

  leave(): void {
    this.#leave()
  }
}

/** An attempt at a part, as it is when the run is stopped; between attempts all is 0. */
export interface PartOnWire {
  /** Bytes. */
  readonly size: number
  /** Bytes that have left. */
  readonly sent: number
  /** Since its first byte, ms. */
  readonly elapsed: number
}

/**
 * The parts that are waited for, since the others are in their way and would not be
 * stored in time, and how long that takes, in ms.
 *
 * Nobody waits longer than a part has been under way: what has just begun is
 * little to lose, and a server that says nothing is not waited for. Where the
 * line is too slow for all, those with the least left get all of it.
 */
export function lastParts(
  parts: readonly PartOnWire[],
  bound: number,
): { kept: ReadonlySet<PartOnWire>; wait: number } {
  const patience = Math.min(bound, Math.max(0, ...parts.map((p) => p.elapsed)))
  const moving = parts.filter(({ sent }) => sent > 0)
  const kept = moving.every((part) => restOf(part) <= paceOf(part) * patience)
    ? moving
    : fastest(moving, patience)
  const wait = Math.max(0, ...kept.map(({ elapsed }) => elapsed))
  return { kept: new Set(kept), wait: Math.min(patience, wait) }
}

function fastest(parts: readonly PartOnWire[], ms: number): PartOnWire[] {
  let room = ms * parts.reduce((sum, part) => sum + paceOf(part), 0)
  return parts
    .toSorted((a, b) => restOf(a) - restOf(b))
    .filter((part) => {
      room -= restOf(part)
      return room >= 0
    })
}

function restOf({ size, sent }: PartOnWire): number {
  return Math.max(0, size - sent)
}

/** Bytes a millisecond. */
function paceOf({ sent, elapsed }: PartOnWire): number {
  return sent / Math.max(1, elapsed)
}
