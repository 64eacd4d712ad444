/**
 * One probe at a time while a store is away: after three failures in a row the
 * calls of an upload wait here, but for one that asks on. Its success lets all
 * of them through; when it is given up, the next one asks.
 *
 * Whoever has passed says how it ended, once: `succeed` or `fail` after each
 * attempt, and `leave` when no further one follows.
 */

/** So many in a row are more than one connection's bad luck. */
const closedAfter = 3

/** One call, whose attempts pass one after another. */
export type Visitor = object

export class ProbeGate {
  readonly #waiting = new Map<Visitor, () => void>()
  #failuresInRow = 0
  #probe: Visitor | undefined

  get isOpen(): boolean {
    return this.#failuresInRow < closedAfter
  }

  /** Before each attempt. Rejects with the signal's reason. */
  async pass(visitor: Visitor, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.isOpen || this.#probe === visitor) return
    if (this.#probe === undefined) {
      this.#probe = visitor
      return
    }
    await this.#turn(visitor, signal)
  }

  /** An attempt succeeded: whoever waits goes on. */
  succeed(): void {
    this.#failuresInRow = 0
    this.#probe = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const enter of waiting) enter()
  }

  /** An attempt failed for a reason that may be the store's and not its own. */
  fail(): void {
    this.#failuresInRow += 1
  }

  /** The call has ended, however: if it was the probe, the next one is. */
  leave(visitor: Visitor): void {
    if (this.#probe !== visitor) return
    this.#probe = undefined
    const [next] = this.#waiting
    if (next === undefined) return
    const [follower, enter] = next
    this.#waiting.delete(follower)
    this.#probe = follower
    enter()
  }

  #turn(visitor: Visitor, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(visitor)
        reject(signal.reason)
      }
      this.#waiting.set(visitor, () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
