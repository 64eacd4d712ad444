/**
 * How many parts may be on the wire at once. Who asks first goes first.
 *
 * A server that throttles halves the number, down to one; every `concurrency`
 * parts that then go well bring one slot back.
 */
export class Slots {
  readonly #most: number
  #limit: number
  #used = 0
  #good = 0
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
    this.#limit = most
  }

  get limit(): number {
    return this.#limit
  }

  /** Resolves when it is the caller's turn; it must `release()` once. */
  acquire(): Promise<void> {
    if (this.#used < this.#limit && this.#waiting.length === 0) {
      this.#used++
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    this.#used--
    while (this.#used < this.#limit) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#used++
      next()
    }
  }

  /** The server asked for less. */
  throttle(): void {
    this.#limit = Math.max(1, this.#limit >> 1)
    this.#good = 0
  }

  /** A part went well. */
  succeed(): void {
    if (this.#limit === this.#most || ++this.#good < this.#most) return
    this.#good = 0
    this.#limit++
  }
}
