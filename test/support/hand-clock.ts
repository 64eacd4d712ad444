/** A clock that is turned by hand, with the timers that hang on it. */
import type { Environment, Timer } from '../../lib/environment.js'

interface Hanging {
  due: number
  ring: () => void
}

export interface HandClock extends Pick<
  Environment,
  'timer' | 'soon' | 'monotonic' | 'idle'
> {
  /** Turns it on; what is due rings in order, each with a turn of the loop after it. */
  advance(ms: number): void
  /** As if the event loop stood for so long: all rings late, and then a turn. */
  block(ms: number): void
  /** Timers that hang. */
  readonly hanging: number
}

export function handClock(): HandClock {
  let now = 1000
  let blocked = 0
  const timers = new Set<Hanging>()
  let turn: (() => void)[] = []
  const takeTurn = (): void => {
    const works = turn
    turn = []
    for (const work of works) work()
  }
  const next = (until: number): Hanging | undefined =>
    [...timers]
      .filter(({ due }) => due <= until)
      .toSorted((a, b) => a.due - b.due)[0]
  const clock: HandClock = {
    monotonic: () => now,
    idle: () => now - blocked,
    soon: (work) => void turn.push(work),
    timer: (ms, ring): Timer => {
      const hanging = { due: now + ms, ring }
      timers.add(hanging)
      return { cancel: () => void timers.delete(hanging) }
    },
    advance(ms) {
      const end = now + ms
      for (let due = next(end); due !== undefined; due = next(end)) {
        now = Math.max(now, due.due)
        timers.delete(due)
        due.ring()
        takeTurn()
      }
      now = end
      takeTurn()
    },
    block(ms) {
      now += ms
      blocked += ms
      for (let due = next(now); due !== undefined; due = next(now)) {
        timers.delete(due)
        due.ring()
      }
      takeTurn()
    },
    get hanging() {
      return timers.size
    },
  }
  return clock
}
