/**
 * Parts on the wire. A stopped run begins no attempt any more; those that are
 * under way it lets end within a bound, as far as `rules/last-parts` says so.
 *
 * Owned by the run, which calls `lastParts` at most once and `cut` in any case.
 */
import type { Environment } from '../../environment.js'
import { lastParts, type PartOnWire } from '../rules/last-parts.js'

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
    const parts = new Map<PartOnWire, WirePart>()
    for (const part of this.#parts) {
      const seen = part.seen()
      if (seen === undefined) part.cut()
      else parts.set(seen, part)
    }
    const { kept, wait } = lastParts([...parts.keys()], bound)
    for (const [seen, part] of parts) if (!kept.has(seen)) part.cut()
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
export class WirePart {
  readonly #size: number
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
    this.#size = size
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

  sent(bytes: number): void {
    this.#sent += bytes
  }

  /** Undefined between attempts. */
  seen(): PartOnWire | undefined {
    if (this.#since === undefined) return undefined
    const elapsed = this.#monotonic() - this.#since
    return { size: this.#size, sent: this.#sent, elapsed }
  }

  cut(): void {
    this.#controller.abort(this.#stopped.reason)
  }

  leave(): void {
    this.#leave()
  }
}
