/**
 * What no module can work out by itself and is handed instead: time, waiting and
 * chance. With another `Environment` a whole upload runs on a clock that is
 * turned by hand; nothing in `upload`, `store` and `checkpoint` reaches for the
 * real ones on its own.
 */
import { randomFillSync } from 'node:crypto'

/** Rings once, unless it is cancelled before that. */
export interface Timer {
  /** Idempotent, also after it has rung. */
  cancel(): void
}

export interface Environment {
  /** ms since 1970, by the clock of this machine, which may be set. */
  readonly now: () => number
  /** ms from a start of its own; never goes back. */
  readonly monotonic: () => number
  /** ms in which this thread has had nothing to do, since a start of its own. */
  readonly idle: () => number
  /** Rings once after so many ms. An `isIdle` one keeps no process alive. */
  readonly timer: (
    ms: number,
    ring: () => void,
    options?: { isIdle?: boolean },
  ) => Timer
  /** In a turn of its own, so that what it throws is nobody else's failure. */
  readonly soon: (work: () => void) => void
  /** From 0, below 1. */
  readonly random: () => number
  /** 128 random bits: 32 lower-case hex digits. */
  readonly id: () => string
}

/** ms; Node's timers ring at once for anything longer. */
const longestTimer = 2 ** 31 - 1

/** The machine's own. */
export const realEnvironment: Environment = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  idle: () => performance.eventLoopUtilization().idle,
  timer: (ms, ring, { isIdle = false } = {}) => {
    const timer = setTimeout(ring, Math.min(ms, longestTimer))
    if (isIdle) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  soon: (work) => void setImmediate(work),
  random: () => Math.random(),
  id: () => randomId(),
}

const idBytes = 16
const drawn = Buffer.alloc(128 * idBytes)
let used = drawn.length

/** Each draw of randomness has its price, however little is drawn. */
function randomId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  const from = used
  used += idBytes
  return drawn.toString('hex', from, used)
}

/** Resolves after so many ms; rejects with the signal's reason instead. */
export function delay(
  { timer }: Pick<Environment, 'timer'>,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      ringing.cancel()
      reject(signal.reason)
    }
    const ringing = timer(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
