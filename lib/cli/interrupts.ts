/**
 * Ctrl-C and `kill`: the first one suspends, the second one exits at once.
 * Suspending takes two seconds at most, whatever servers do.
 */
import process from 'node:process'
import { exitCodes } from './exit-code.js'

export type Interruption = 'SIGINT' | 'SIGTERM'

export class Interrupts {
  readonly #controller = new AbortController()
  /** The first one that came. */
  received: Interruption | undefined
  /** Called before the exit that a second one makes: the screen's last chance. */
  onExit: () => void = () => undefined

  constructor() {
    process.on('SIGINT', this.#onSignal)
    process.on('SIGTERM', this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const signal = name === 'SIGTERM' ? name : 'SIGINT'
    if (this.received !== undefined) {
      this.onExit()
      process.exit(exitCodes[this.received])
    }
    this.received = signal
    this.#controller.abort(new Error(`stopped by ${signal}`))
  }

  /** Signals do again what they do without us. Idempotent. */
  forget(): void {
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
  }
}
