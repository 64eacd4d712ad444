/**
 * The clock of a schedule and all that is going to happen in it.
 *
 * One event happens at a time: the one that is due first, then everything that
 * follows from it without waiting, then the next. Nothing waits for the real
 * clock, so a schedule of hours takes milliseconds, and the same decisions give
 * the same trace.
 *
 * An event of a process happens only while that is alive, and waits while it is
 * paused; one without a process (a request on its way, a server's work) happens
 * in any case.
 */
import type { Decisions } from './decisions.js'

/** A process on a machine: killed, it never does anything again. */
export interface Owner {
  readonly name: string
  readonly isAlive: boolean
  /** Virtual ms; nothing happens in it before. */
  readonly pausedUntil: number
}

export interface Pending {
  due: number
  readonly order: number
  readonly owner: Owner | undefined
  readonly happen: () => void
  isCancelled: boolean
}

/** One line of what happened. */
export interface Told {
  at: number
  who: string
  text: string
}

/** When something went wrong or others did something, and to which run. */
interface Happening {
  at: number
  to: string | undefined
}

/** 2027-01-15, on the clock of machines that have the right time. */
export const epoch = 1_800_000_000_000

/** No honest schedule has more events. */
const mostEvents = 30_000

/** Nobody does that much without waiting once. */
const mostSpins = 2000

/** The turn of the real event loop after which nothing is left to run. */
const nextTurn = setImmediate

export class World {
  readonly decisions: Decisions
  readonly trace: Told[] = []
  readonly #happened = new Map<string, Happening[]>()
  #now = 0
  #order = 0
  #events = 0
  #spins = 0
  #spinsAt = 0
  /** Somebody has worked for ever. */
  isSpinning = false
  readonly #queue: Pending[] = []

  constructor(decisions: Decisions) {
    this.decisions = decisions
  }

  /** Virtual ms since the start. */
  get now(): number {
    return this.#now
  }

  get events(): number {
    return this.#events
  }

  /**
   * Work that is done without waiting for anything, over and over, would keep
   * the schedule from ever going on: it is stopped, and remembered.
   */
  mustNotSpin(who: string): void {
    if (this.#spinsAt !== this.#events) {
      this.#spinsAt = this.#events
      this.#spins = 0
    }
    this.#spins += 1
    if (this.#spins < mostSpins) return
    this.isSpinning = true
    throw new Error(`${who} works and works and waits for nothing`)
  }

  /** A fault or an intervention happens, to a run if it is of one. */
  happens(name: string, to?: string): void {
    const all = this.#happened.get(name) ?? []
    this.#happened.set(name, all)
    all.push({ at: this.#now, to })
  }

  /** Whether one of those names has happened, and so that it matters. */
  hasHappened(
    names: readonly string[],
    {
      since = 0,
      until = Number.POSITIVE_INFINITY,
      to,
    }: { since?: number; until?: number; to?: string } = {},
  ): boolean {
    return names.some((name) =>
      this.#happened
        .get(name)
        ?.some(
          (one) =>
            one.at >= since &&
            one.at <= until &&
            (to === undefined || one.to === to),
        ),
    )
  }

  /** Whether nothing has happened but what is named. */
  hasHappenedOnly(...names: string[]): boolean {
    return [...this.#happened.keys()].every((name) => names.includes(name))
  }

  tell(who: string, text: string): void {
    this.trace.push({ at: this.#now, who, text })
  }

  /** Something happens in so many ms; see `Owner`. */
  in(ms: number, owner: Owner | undefined, happen: () => void): Pending {
    const pending: Pending = {
      due: this.#now + Math.ceil(Math.max(0, ms)),
      order: this.#order++,
      owner,
      happen,
      isCancelled: false,
    }
    this.#insert(pending)
    return pending
  }

  /** Resolves after as long as things of this sort take. */
  soon(owner: Owner | undefined, happen: () => void): Pending {
    return this.in(this.decisions.wait(), owner, happen)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.in(ms, undefined, resolve))
  }

  /** Lets everything happen until the work has settled, or it is over anyway. */
  async play(work: Promise<void>, isOver: () => boolean): Promise<void> {
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    work.then(settle, settle)
    for (;;) {
      await new Promise((resolve) => nextTurn(resolve))
      if (isSettled) return work
      if (isOver()) return
      if (!this.#step()) throw new Error('nothing is left that could happen')
    }
  }

  /** The clock goes on until the work has settled; rejects as it does. */
  async until<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    )
    await this.play(settled, () => false)
    return work
  }

  #step(): boolean {
    for (;;) {
      const next = this.#queue.pop()
      if (next === undefined) return false
      const { owner } = next
      if (next.isCancelled || owner?.isAlive === false) continue
      if (
        owner !== undefined &&
        owner.pausedUntil > Math.max(next.due, this.#now)
      ) {
        next.due = owner.pausedUntil
        this.#insert(next)
        continue
      }
      this.#now = Math.max(this.#now, next.due)
      if (++this.#events > mostEvents) throw new Error('it never ends')
      next.happen()
      return true
    }
  }

  /** The queue is in the order of what happens last. */
  #insert(pending: Pending): void {
    const queue = this.#queue
    let [low, high] = [0, queue.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const other = queue[middle]
      if (other !== undefined && isAfter(other, pending)) low = middle + 1
      else high = middle
    }
    queue.splice(low, 0, pending)
  }
}

function isAfter(a: Pending, b: Pending): boolean {
  return a.due === b.due ? a.order > b.order : a.due > b.due
}
