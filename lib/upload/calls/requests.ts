/**
 * Calls of the store, tried again as long as it is worth it.
 *
 * The store makes one attempt and classifies its failure; `retry.ts` decides;
 * this waits, counts and tells. Attempts belong to one call and are never shared
 * between parts; what parts share is a budget, so that a server that fails for
 * good is not asked `attempts` times for each of thousands of parts.
 */
import { isError } from '../../realm.js'
import { delay } from '../../environment.js'
import { UploadError, type UploadErrorFields } from '../../errors.js'
import { codeOf } from '../../store/cause.js'
import type { Call, ObjectOptions } from '../../store/object-store.js'
import {
  decideRetry,
  RetryBudget,
  type RetryDecision,
} from '../../store/retry.js'
import {
  answerOf,
  StoreError,
  type StoreErrorKind,
} from '../../store/store-error.js'
import type { Emit } from '../options/events.js'
import type { RequestSettings } from '../options/settings.js'

/** A call that was given up, as callers see it. Decisions are made on its kind. */
class FailedCall extends UploadError {
  readonly #kind: StoreErrorKind

  constructor(
    { code, kind }: StoreError,
    message: string,
    fields: UploadErrorFields,
  ) {
    super(code, message, fields)
    this.#kind = kind
  }

  static kindOf(error: unknown): StoreErrorKind | undefined {
    if (error instanceof StoreError) return error.kind
    return error instanceof FailedCall ? error.#kind : undefined
  }
}

/** What sort of failure a call ended with; undefined for anything else. */
export function kindOf(error: unknown): StoreErrorKind | undefined {
  return FailedCall.kindOf(error)
}

/** The system's code for a connection that never was: nothing was sent. */
const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

/**
 * Whether the request may have been carried out in spite of its failure: the
 * answer is lost, or says what it would say if it had been.
 */
export function mayHaveHappened(error: unknown): boolean {
  const kind = kindOf(error)
  if (!isAmbiguous(kind)) return false
  const failure = error instanceof FailedCall ? error.cause : error
  const cause = isError(failure) ? failure.cause : undefined
  return kind !== 'network' || !neverConnected.has(codeOf(cause) ?? '')
}

/** Whether a request may have been refused for the mark, the only metadata in it. */
export function refusesMetadata(
  error: unknown,
  { metadata = {}, headers = {} }: ObjectOptions,
): boolean {
  const own = [...Object.keys(metadata), ...Object.keys(headers)]
  const kind = kindOf(error)
  const isRefused = kind === 'request' || kind === 'unsupported'
  return isRefused && own.length === 0
}

/** Whether a failure of this kind leaves it open what has happened. */
export function isAmbiguous(kind: StoreErrorKind | undefined): boolean {
  switch (kind) {
    case 'network':
    case 'timeout':
    case 'server':
    case 'throttled':
    case 'response':
    case 'no-upload':
    case 'conflict':
    case 'exists':
      return true
    default:
      return false
  }
}

export interface RequestContext {
  /** For texts: `part 12`, `the list of parts`. */
  what: string
  partNumber?: number | undefined
  uploadId?: string | undefined
  /** Overrides the run's signal. */
  signal?: AbortSignal
  /** Bytes of the body that goes with it. */
  bodySize?: number
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
  object?: ObjectOptions
}

export class Requests {
  readonly #settings: RequestSettings & RequestOwner
  readonly #signal: AbortSignal
  readonly #emit: Emit
  readonly #budget = new RetryBudget()
  /** Hears of each answer that was understood. */
  onAnswer: () => void = () => undefined
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
    const { timeout, requestPayer, trafficLimit } = this.#settings
    const { bodySize = 0, headersTimeout = timeout.headers } = context
    // A server that holds the body back may take the time that the limit gives.
    const slow =
      trafficLimit === undefined
        ? 0
        : Math.ceil(((bodySize * 8) / trafficLimit) * 1000)
    return send({
      signal: context.signal ?? this.#signal,
      timeouts: {
        connect: timeout.connect,
        stall: timeout.stall + slow,
        headers: headersTimeout + slow,
      },
      requestPayer,
      attempt,
      object: this.#settings.object,
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
        this.onAnswer()
        return { answer, attempts: requests }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof StoreError)) throw error
        if (error.serverCode !== undefined) this.onAnswer()
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

  /** The error that callers see for a call that was given up; it keeps its kind. */
  describe(
    error: StoreError,
    context: RequestContext,
    attempts: number,
  ): UploadError {
    const fields: UploadErrorFields = {
      ...answerOf(error),
      key: this.#settings.key,
      uploadId: context.uploadId,
      partNumber: context.partNumber,
      attempts,
    }
    const times = attempts === 1 ? '' : ` after ${attempts} attempts`
    return new FailedCall(
      error,
      `${context.what} failed${times}: ${error.message}`,
      fields,
    )
  }
}
