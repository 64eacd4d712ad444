/**
 * How long ago something was, for what a lease is believed by.
 *
 * The monotonic clock stands still while a machine is suspended, as a spot instance
 * that hibernates or a virtual machine that is moved; the clock of the day may be
 * set. What has passed is the longer of both: a lease never seems younger than it
 * is, and at worst it is renewed once more.
 */
import type { Environment } from '../environment.js'

export type Clocks = Pick<Environment, 'monotonic' | 'now'>

/** ms, by each of the clocks. */
export interface Moment {
  readonly monotonic: number
  readonly now: number
}

export function momentOn({ monotonic, now }: Clocks): Moment {
  return { monotonic: monotonic(), now: now() }
}

/** ms since then. */
export function passedSince(moment: Moment, clocks: Clocks): number {
  const { monotonic, now } = momentOn(clocks)
  return Math.max(monotonic - moment.monotonic, now - moment.now)
}

export function laterOf(one: Moment, other: Moment): Moment {
  const isAtOnce = one.monotonic === other.monotonic
  const isLater = isAtOnce
    ? one.now > other.now
    : one.monotonic > other.monotonic
  return isLater ? one : other
}
