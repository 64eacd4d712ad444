/**
 * Turns on the wire: how many parts of one upload may be sent at once.
 *
 * `SetSlots` has a number that the caller has set. A server that throttles halves
 * it, down to one; every so many parts that then go well bring one slot back.
 * `line.ts` has the other kind, whose number follows from the line.
 */

/** How many parts an upload may have in hand. */
export interface AtOnce {
  /** Sent, or about to be; at least one. It changes. */
  readonly allowed: number
  /** Calls back whenever more may have come to be allowed. */
  watch(listener: () => void): void
}

/** What became of a part. */
export interface Stored {
  /** Bytes. */
  size: number
  /** Requests that it took. */
  attempts: number
}

/** One part's turn; to be ended once, without `stored` when it failed. */
export interface Slot {
  /** So many bytes of its `size` have left this process, at its first attempt. */
  sent(bytes: number, size: number): void
  end(stored?: Stored): void
}

/** The slots of one upload. Who asks first goes first. */
export interface Slots extends AtOnce {
  /** Resolves when it is the caller's turn. */
  acquire(): Promise<Slot>
  /** The upload is over; idempotent. */
  leave(): void
}

export class SetSlots implements Slots {
  readonly allowed: number
  #limit: number
  #used = 0
  #good = 0
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.allowed = most
    this.#limit = most
  }

  get limit(): number {
    return this.#limit
  }

  watch(): void {
    // The number of parts that are allowed at once never grows.
  }

  leave(): void {
    // One upload has all of these slots: there is no share to give back.
  }

  async acquire(): Promise<Slot> {
    if (this.#used < this.#limit && this.#waiting.length === 0) this.#used++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return {
      sent: () => undefined,
      end: (stored) => {
        if (stored !== undefined) this.#succeed()
        this.#release()
      },
    }
  }

  /** The server asked for less. */
  throttle(): void {
    this.#limit = Math.max(1, this.#limit >> 1)
    this.#good = 0
  }

  #release(): void {
    this.#used--
    while (this.#used < this.#limit) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#used++
      next()
    }
  }

  #succeed(): void {
    if (this.#limit === this.allowed || ++this.#good < this.allowed) return
    this.#good = 0
    this.#limit++
  }
}
