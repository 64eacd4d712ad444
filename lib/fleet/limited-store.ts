/**
 * A store whose requests are held back: so many and so many bytes a second, and
 * fewer at once when the server asks for less or, as OSS near a quota, holds them back
 * itself.
 */
import { delay, type Environment } from '../environment.js'
import { aroundCalls } from '../store/around-calls.js'
import type { ObjectStore } from '../store/object-store.js'
import { SetSlots, type Stored } from '../store/slots.js'
import { StoreError } from '../store/store-error.js'

/** What a worker may take. */
export interface FleetLimit {
  /** Requests a second. */
  requestsPerSecond?: number
  /** Bytes of bodies a second. */
  bytesPerSecond?: number
}

/** ms that a budget may be ahead: what was not used is not kept for longer. */
const burst = 100

/** ms of the quotas of stores, which are so much a second. */
const oneQuota = 1000

type Clock = Pick<Environment, 'monotonic' | 'timer'>

/** So much a second; who takes more waits until it is paid for. */
export class Budget {
  readonly #perSecond: number
  readonly #clock: Clock
  /** When all that was taken has been paid for. */
  #paidAt = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#clock = clock
  }

  async take(amount: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic()
    const from = Math.max(this.#paidAt, now - burst)
    this.#paidAt = from + (amount / this.#perSecond) * 1000
    if (this.#paidAt > now) {
      await delay(this.#clock, this.#paidAt - now, signal)
    }
  }
}

/** At most so many calls at once, of which each takes its share of the limits. */
export function limitedStore(
  store: ObjectStore,
  { requestsPerSecond, bytesPerSecond }: FleetLimit,
  most: number,
  environment: Clock,
): ObjectStore {
  const slots = new SetSlots(most)
  const requests =
    requestsPerSecond === undefined
      ? undefined
      : new Budget(requestsPerSecond, environment)
  const bytes =
    bytesPerSecond === undefined
      ? undefined
      : new Budget(bytesPerSecond, environment)
  let heldAt = Number.NEGATIVE_INFINITY
  // Those that are under way together are held back together.
  const heldBack = (): void => {
    const now = environment.monotonic()
    if (now - heldAt < oneQuota) return
    heldAt = now
    slots.throttle()
  }
  return aroundCalls(store, async (_name, send, { size, call }) => {
    const { signal } = call
    const slot = await slots.acquire()
    let stored: Stored | undefined
    try {
      signal.throwIfAborted()
      await requests?.take(1, signal)
      if (size > 0) await bytes?.take(size, signal)
      const answer = await send({ heldBack })
      stored = { size, attempts: 1 }
      return answer
    } catch (error) {
      const isAsked = error instanceof StoreError && error.kind === 'throttled'
      if (isAsked) slots.throttle()
      throw error
    } finally {
      slot.end(stored)
    }
  })
}
