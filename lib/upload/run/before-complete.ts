/**
 * What is asked when the source has ended, before anything is made of it or
 * given up for it: a clean end is not a whole source. The caller is asked once a
 * run, the source each time.
 */
import { messageOf } from '../../realm.js'
import { UploadError } from '../../errors.js'
import type { CompleteCandidate } from '../options/options.js'
import type { UploadSettings } from '../options/settings.js'
import { unlessAborted } from './waits.js'

export class BeforeComplete {
  readonly #settings: UploadSettings
  readonly #signal: AbortSignal
  readonly #checkSource: () => Promise<void>
  #hasAgreed = false

  constructor(
    settings: UploadSettings,
    signal: AbortSignal,
    checkSource: () => Promise<void>,
  ) {
    this.#settings = settings
    this.#signal = signal
    this.#checkSource = checkSource
  }

  /** Whatever may still keep the object from being made: the caller, the source. */
  async ask(candidate: CompleteCandidate): Promise<void> {
    if (!this.#hasAgreed) await this.#askCaller(candidate)
    this.#hasAgreed = true
    await this.#checkSource()
    this.#signal.throwIfAborted()
  }

  async #askCaller(candidate: CompleteCandidate): Promise<void> {
    const { beforeComplete, key } = this.#settings
    const signal = this.#signal
    if (beforeComplete === undefined) return
    try {
      signal.throwIfAborted()
      const asked = Promise.resolve().then(() => beforeComplete(candidate))
      await unlessAborted(signal, asked)
    } catch (cause) {
      signal.throwIfAborted()
      throw new UploadError(
        'PAWL_BEFORE_COMPLETE',
        `beforeComplete did not agree, so nothing was completed: ${messageOf(cause)}`,
        { cause, key },
      )
    }
  }
}
