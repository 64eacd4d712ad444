/**
 * One probe at a time while a store is away: after three failures in a row the
 * calls of an upload wait here, but for one that asks on. The store's answer to it,
 * a refusal as well as a success, lets all of them through; when it is given up
 * without one, the next one asks.
 *
 * A body that moves opens nothing, and nor does a `100 Continue`: a proxy or a
 * balancer takes bodies in whose store is still away, and each of the others would
 * send a whole part to it. While a part is on its way on a slow line, the others
 * would only share that line with it.
 *
 * Whoever has passed says how it ended, once: `succeed` or `fail` after each
 * attempt, and `leave` when no further one follows.
 */
import type { StoreErrorKind } from './store-error.js'

/** So many in a row are more than one connection's bad luck. */
const closedAfter = 3

/** Of a `StoreError`, as much as the gate goes by. */
interface Failure {
  kind: StoreErrorKind
  serverCode?: string | undefined
}

/** Failures that may be the store's outage, and not this request's own. */
const outages: ReadonlySet<StoreErrorKind> = new Set([
  'network',
  'timeout',
  'server',
])

/**
 * What a failed attempt says of the store. It is there when it has judged the
 * request, by a code of its own or by a digest that does not match. What it says of
 * being busy, an answer without a code, which may be anybody's, and one that cannot
 * be understood say nothing.
 */
export function seenBy({
  kind,
  serverCode,
}: Failure): 'away' | 'there' | 'nothing' {
  if (outages.has(kind)) return 'away'
  if (kind === 'throttled' || kind === 'response') return 'nothing'
  return kind === 'digest' || serverCode !== undefined ? 'there' : 'nothing'
}

/** One call, whose attempts pass one after another. */
export type Visitor = object

export class ProbeGate {
  readonly #waiting = new Map<Visitor, () => void>()
  #failuresInRow = 0
  #probe: Visitor | undefined

  get isOpen(): boolean {
    return this.#failuresInRow < closedAfter
  }

  /** Before each attempt: what has to be waited for. Rejects with the signal's reason. */
  pass(visitor: Visitor, signal: AbortSignal): Promise<void> | undefined {
    if (this.isOpen || this.#probe === visitor) return undefined
    if (this.#probe === undefined) {
      this.#probe = visitor
      return undefined
    }
    return this.#turn(visitor, signal)
  }

  /** The store has answered an attempt: whoever waits goes on. */
  succeed(): void {
    this.#failuresInRow = 0
    this.#probe = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const enter of waiting) enter()
  }

  /** An attempt failed, and counts. */
  fail(error: Failure): void {
    const seen = seenBy(error)
    if (seen === 'away') this.#failuresInRow += 1
    if (seen === 'there') this.succeed()
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
      signal.throwIfAborted()
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
