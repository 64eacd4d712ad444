/**
 * Calls of the store, tried again as long as it is worth it.
 *
 * The store makes one attempt and classifies its failure; `retry.ts` decides;
 * this waits, counts and tells. Attempts belong to one call and are never shared
 * between parts; what parts share is a budget, so that a server that fails for
 * good is not asked `attempts` times for each of thousands of parts.
 */
import { delay } from '../../environment.js'
import { UploadError, type UploadErrorFields } from '../../errors.js'
import type { Call } from '../../store/object-store.js'
import {
  decideRetry,
  RetryBudget,
  type RetryDecision,
} from '../../store/retry.js'
import { answerOf, StoreError } from '../../store/store-error.js'
import type { Emit } from '../options/events.js'
import type { RequestSettings } from '../options/settings.js'

export interface RequestContext {
  /** For texts: `part 12`, `the list of parts`. */
  what: string
  partNumber?: number | undefined
  uploadId?: string | undefined
  /** Overrides the run's signal. */
  signal?: AbortSignal
  /** ms; overrides `timeout.headers`. */
  headersTimeout?: number
  /** Overrides `retry.attempts`. */
  attempts?: number
  /** Hears of each failure before it is tried again; may throw a better error. */
  onFailure?: (error: StoreError) => Promise<void> | void
}

/** Whose calls they are, for texts. */
export interface RequestOwner {
  key?: string
  isResumable?: boolean
}

export class Requests {
  readonly #settings: RequestSettings & RequestOwner
  readonly #signal: AbortSignal
  readonly #emit: Emit
  readonly #budget = new RetryBudget()
  /** Hears when the server asks for less. */
  onThrottled: () => void = () => undefined

  constructor(
    settings: RequestSettings & RequestOwner,
    signal: AbortSignal,
    emit: Emit,
  ) {
    this.#settings = settings
    this.#signal = signal
    this.#emit = emit
  }

  /** One attempt, the `attempt`th; what it throws is the store's own error. */
  once<T>(
    context: RequestContext,
    send: (call: Call) => Promise<T>,
    attempt = 1,
  ): Promise<T> {
    const { timeout, requestPayer } = this.#settings
    return send({
      signal: context.signal ?? this.#signal,
      timeouts: {
        connect: timeout.connect,
        stall: timeout.stall,
        headers: context.headersTimeout ?? timeout.headers,
      },
      requestPayer,
      attempt,
    })
  }

  /** Attempts until one succeeds; the answer and how many it took. */
  async send<T>(
    context: RequestContext,
    send: (call: Call, attempt: number) => Promise<T>,
  ): Promise<{ answer: T; attempts: number }> {
    const signal = context.signal ?? this.#signal
    let attempt = 1
    let requests = 0
    let previous: StoreError | undefined
    for (;;) {
      signal.throwIfAborted()
      requests++
      try {
        const answer = await this.once(
          context,
          (call) => send(call, attempt),
          requests,
        )
        this.#budget.succeed()
        return { answer, attempts: requests }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof StoreError)) throw error
        await context.onFailure?.(error)
        const { attempts } = context
        const decision = this.decide(error, { attempt, attempts, previous })
        if (!decision.retry) {
          throw this.describe(error, context, requests)
        }
        if (decision.countsAttempt) attempt++
        previous = error
        await this.pause(context, requests, decision.delay, error)
      }
    }
  }

  /** Whether a call is tried again after its failure, and when. */
  decide(
    error: StoreError,
    {
      attempt,
      attempts,
      previous,
    }: {
      attempt: number
      attempts?: number | undefined
      previous: StoreError | undefined
    },
  ): RetryDecision {
    const { retry } = this.#settings
    if (error.kind === 'throttled') this.onThrottled()
    return decideRetry(error, {
      attempt,
      attempts: attempts ?? retry.attempts,
      baseDelay: retry.baseDelay,
      maxDelay: retry.maxDelay,
      previous,
      budget: this.#budget,
      random: this.#settings.environment.random,
    })
  }

  /** Says that the call is tried again, and waits for that, in ms. */
  async pause(
    context: RequestContext,
    attempt: number,
    ms: number,
    error: StoreError,
  ): Promise<void> {
    const signal = context.signal ?? this.#signal
    const { partNumber } = context
    this.#emit('retry', { partNumber, attempt, delay: ms, error })
    await delay(this.#settings.environment, ms, signal)
  }

  /** The error that callers see for a call that was given up. */
  describe(
    error: StoreError,
    context: RequestContext,
    attempts: number,
  ): UploadError {
    const fields: UploadErrorFields = {
      ...answerOf(error),
      key: this.#settings.key,
      resumable: this.#settings.isResumable,
      uploadId: context.uploadId,
      partNumber: context.partNumber,
      attempts,
    }
    const times = attempts === 1 ? '' : ` after ${attempts} attempts`
    return new UploadError(
      error.code,
      `${context.what} failed${times}: ${error.message}`,
      fields,
    )
  }
}
