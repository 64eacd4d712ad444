/**
 * Ctrl-C, `kill` and a terminal that goes away: the first signal suspends, the
 * second one exits at once. Suspending takes two seconds at most, whatever
 * servers do.
 *
 * A hangup may come twice, from the system and from the shell, so it never
 * counts as the second. Under `nohup` it counts as nothing.
 */
import { setMaxListeners } from 'node:events'
import process from 'node:process'
import { exitCodes } from './exit-code.js'
import { isUnderNohup } from './standard-input.js'

/** Signals that suspend. */
export type Interruption = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT'

const signals: readonly Interruption[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
]

export class Interrupts {
  readonly #controller = new AbortController()
  readonly #lastWords = new Set<() => void>()
  /** Hangups are passed over, here and in commands that are run. */
  readonly ignoresHangup = isUnderNohup()
  /** The first one that came. */
  received: Interruption | undefined

  constructor() {
    // Every upload of a job listens, and none of them leaks.
    setMaxListeners(0, this.#controller.signal)
    for (const name of signals) process.on(name, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Runs before the exit that a second signal makes. Returns how to leave. */
  beforeExit(work: () => void): () => void {
    this.#lastWords.add(work)
    return () => void this.#lastWords.delete(work)
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const signal = signals.find((known) => known === name) ?? 'SIGTERM'
    if (signal === 'SIGHUP' && (this.ignoresHangup || this.received)) return
    if (this.received !== undefined) {
      for (const work of this.#lastWords) work()
      process.exit(exitCodes[this.received])
    }
    this.received = signal
    this.#controller.abort(new Error(`stopped by ${signal}`))
  }

  /** Signals do again what they do without us. Idempotent. */
  forget(): void {
    for (const name of signals) process.off(name, this.#onSignal)
  }
}
