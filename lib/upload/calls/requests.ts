/**
 * Calls of the store, tried again as long as it is worth it.
 *
 * The store makes one attempt and classifies its failure; `patience.ts` decides
 * whether another follows, `probe-gate.ts` when it is a call's turn; this waits,
 * counts and tells. Nobody else tries anything again. All calls of one upload
 * share patience and gate. Uploads do not: an upload is given up by what itself
 * stores, and none waits for the probe of another, whose patience may be longer.
 */
import { delay } from '../../environment.js'
import { isError } from '../../realm.js'
import { UploadError, type UploadErrorFields } from '../../errors.js'
import { codeOf } from '../../store/cause.js'
import { asStoreError } from '../../store/checked-store.js'
import type {
  Call,
  CallTimeouts,
  ObjectOptions,
} from '../../store/object-store.js'
import { Patience, type Tries } from '../../store/patience.js'
import { ProbeGate } from '../../store/probe-gate.js'
import {
  answerOf,
  StoreError,
  type StoreErrorKind,
} from '../../store/store-error.js'
import type { StoreFacts } from '../options/environment.js'
import type { Emit } from '../options/events.js'
import type { RequestSettings } from '../options/settings.js'

/** A call that was given up, as callers see it. Decisions are made on its kind. */
class FailedCall extends UploadError {
  /** Printed as what callers know. */
  static override readonly name = 'UploadError'
  readonly #kind: StoreErrorKind

  constructor(
    { code, kind }: StoreError,
    message: string,
    fields: UploadErrorFields,
  ) {
    super(code, message, fields)
    this.#kind = kind
  }

  /** What sort of failure a call ended with; undefined for anything else. */
  static kindOf(this: void, error: unknown): StoreErrorKind | undefined {
    if (typeof error !== 'object' || error === null) return undefined
    if (#kind in error) return error.#kind
    return error instanceof StoreError ? error.kind : undefined
  }
}

export const { kindOf } = FailedCall

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

/**
 * Whether the server's own word is that a request has made nothing and never will: it
 * was understood, and is not allowed or not valid. The word of a proxy is not the
 * server's; an expired or skewed signature speaks of a moment, and parts or a bucket
 * that are missing of what a list shows, so that a copy of the request which the network
 * has made may have come to something else.
 */
export function isRefusedForGood({
  kind,
  status,
  serverCode,
}: StoreError): boolean {
  if (serverCode === undefined) return false
  const isNotValid = kind === 'request' && status === 400
  return isNotValid || (kind === 'denied' && status === 403)
}

/**
 * Whether a request may have been refused for its mark, the only metadata in it, by a
 * server that takes none: it is sent once more without.
 */
export function refusesMark(
  error: unknown,
  mark: string | undefined,
  { metadata = {}, headers = {} }: ObjectOptions,
): boolean {
  const own = [...Object.keys(metadata), ...Object.keys(headers)]
  const kind = kindOf(error)
  const isRefused = kind === 'request' || kind === 'unsupported'
  return isRefused && mark !== undefined && own.length === 0
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
  /** Its success stores something, which ends the patience with failures. */
  isStoring?: boolean
  /** Hears of each failure before it is tried again; may throw a better error. */
  onFailure?: (error: StoreError) => Promise<void> | void
}

/** Whose calls they are, for texts. */
export interface RequestOwner {
  key?: string
  object?: ObjectOptions
  /** Of the store, where somebody wants to know. */
  facts?: Pick<StoreFacts, 'hasAnswered'>
}

/** What was done for a call so far. */
export interface Effort {
  /** Requests made. */
  attempts: number
  /** ms since the first of them. */
  elapsed?: number
}

/** What the calls of one upload have in common. */
interface Common {
  readonly settings: RequestSettings & RequestOwner
  /** Ends the calls that have no signal of their own. */
  readonly signal: AbortSignal
  readonly emit: Emit
  readonly patience: Patience
  readonly gate: ProbeGate
  /** An answer was understood. */
  readonly answered: () => void
  /** The server asks for less. */
  readonly throttled: () => void
}

export class Requests {
  readonly #common: Common
  #hasAnswered = false
  /** Hears when the server asks for less. */
  onThrottled: () => void = () => undefined

  constructor(
    settings: RequestSettings & RequestOwner,
    signal: AbortSignal,
    emit: Emit,
  ) {
    const { facts } = settings
    this.#common = {
      settings,
      signal,
      emit,
      patience: new Patience(settings.retry, settings.environment),
      gate: new ProbeGate(),
      answered: () => {
        this.#hasAnswered = true
        if (facts !== undefined) facts.hasAnswered = true
      },
      throttled: () => this.onThrottled(),
    }
  }

  /** Ends the calls that have no signal of their own. */
  get signal(): AbortSignal {
    return this.#common.signal
  }

  /** An answer to one of these calls was understood. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** Throws what has stopped the calls, if anything has: it is no answer to any. */
  throwIfStopped(signal = this.signal): void {
    signal.throwIfAborted()
  }

  /** One attempt; what it throws is the store's own error. */
  once<T>(
    context: RequestContext,
    send: (call: Call) => Promise<T>,
  ): Promise<T> {
    return attempt(this.#common, context, send, 1)
  }

  /** Attempts until one succeeds; the answer and how many it took. */
  async send<T>(
    context: RequestContext,
    send: (call: Call) => Promise<T>,
  ): Promise<{ answer: T; attempts: number }> {
    return this.sendAnd(
      context,
      async (call, trial) => {
        const answer = await send(call)
        return { answer, attempts: trial.effort.attempts }
      },
      async (error, trial) => {
        await context.onFailure?.(error)
        if (await trial.again(error)) return 'again'
        throw this.describe(error, context, trial.effort)
      },
    )
  }

  /**
   * As `send`, for who looks around between the attempts: what comes of each failure
   * is an answer all the same, `again`, or what is thrown.
   */
  async sendAnd<T>(
    context: RequestContext,
    send: (call: Call, trial: Trial) => Promise<T>,
    afterFailure: (error: StoreError, trial: Trial) => Promise<T | 'again'>,
  ): Promise<T> {
    const trial = new Trial(this.#common, context)
    try {
      for (;;) {
        try {
          return await trial.attempt((call) => send(call, trial))
        } catch (error) {
          this.throwIfStopped(context.signal)
          if (!(error instanceof StoreError)) throw error
          const answer = await afterFailure(error, trial)
          if (answer !== 'again') return answer
        }
      }
    } finally {
      trial.end()
    }
  }

  /** The error that callers see for a call that was given up; it keeps its kind. */
  describe(
    error: StoreError,
    context: RequestContext,
    { attempts, elapsed }: Effort,
  ): UploadError {
    const fields: UploadErrorFields = {
      ...answerOf(error),
      key: this.#common.settings.key,
      uploadId: context.uploadId,
      partNumber: context.partNumber,
      attempts,
      elapsed,
    }
    const seconds = Math.round((elapsed ?? 0) / 1000)
    const within = seconds > 0 ? ` in ${seconds} s` : ''
    const times = attempts === 1 ? '' : ` after ${attempts} attempts${within}`
    return new FailedCall(
      error,
      `${context.what} failed${times}: ${withWish(error)}`,
      fields,
    )
  }
}

/** What a failure says, and for how long its server wants to be left alone. */
function withWish({ message, retryAfter = 0 }: StoreError): string {
  if (retryAfter <= 0) return message
  const seconds = Math.ceil(retryAfter / 1000)
  return `${message.replace(/\.$/, '')}; the server asks to wait for ${seconds} s`
}

/** The `number`th attempt at a call; what it rejects with is an `UploadError`. */
async function attempt<T>(
  { settings, signal }: Common,
  context: RequestContext,
  send: (call: Call) => Promise<T>,
  number: number,
): Promise<T> {
  const { requestPayer, object } = settings
  const call = {
    signal: context.signal ?? signal,
    timeouts: timeoutsOf(settings, context),
    requestPayer,
    attempt: number,
    object,
  }
  try {
    return await send(call)
  } catch (error) {
    // What has stopped the call is as its caller made it.
    throw call.signal.aborted ? error : asStoreError(error)
  }
}

function timeoutsOf(
  { timeout, trafficLimit, leastRate = Infinity }: RequestSettings,
  { bodySize = 0, headersTimeout }: RequestContext,
): CallTimeouts {
  // A server that holds the body back may take the time that the limit gives.
  const slow =
    trafficLimit === undefined
      ? 0
      : Math.ceil(((bodySize * 8) / trafficLimit) * 1000)
  const headers = bodySize === 0 ? timeout.question : timeout.headers
  return {
    connect: timeout.connect,
    stall: timeout.stall + slow,
    headers:
      (headersTimeout ?? headers) +
      slow +
      Math.ceil((bodySize / leastRate) * 1000),
  }
}

/** The attempts at one call, each when it is its turn; to be ended. */
export class Trial {
  readonly #common: Common
  readonly #context: RequestContext
  readonly #signal: AbortSignal
  readonly #tries: Tries
  #attempts = 0
  #began: number | undefined
  /** Of the last attempt, ms. */
  #took = 0

  constructor(common: Common, context: RequestContext) {
    this.#common = common
    this.#context = context
    this.#signal = context.signal ?? common.signal
    this.#tries = common.patience.begin(context)
  }

  get effort(): Effort {
    const began = this.#began
    const elapsed = began === undefined ? 0 : this.#now() - began
    return { attempts: this.#attempts, elapsed }
  }

  /** One attempt; rejects as the store does, or with the signal's reason. */
  async attempt<T>(send: (call: Call) => Promise<T>): Promise<T> {
    const common = this.#common
    const { gate, patience } = common
    this.#signal.throwIfAborted()
    const turn = gate.pass(this, this.#signal)
    if (turn !== undefined) {
      await turn
      this.#signal.throwIfAborted()
    }
    this.#attempts++
    const begun = this.#now()
    this.#began ??= begun
    try {
      const answer = await attempt(common, this.#context, send, this.#attempts)
      this.#tries.succeed()
      gate.succeed()
      if (this.#context.isStoring === true) patience.succeed()
      common.answered()
      return answer
    } finally {
      this.#took = this.#now() - begun
    }
  }

  /** Whether another attempt may follow; when so, it is time for it. */
  async again(error: StoreError): Promise<boolean> {
    const common = this.#common
    const { settings, emit, gate, patience } = common
    if (error.serverCode !== undefined) common.answered()
    if (error.kind === 'throttled') common.throttled()
    const { connect, stall, headers } = timeoutsOf(settings, this.#context)
    // ms that an attempt may take without a byte moving.
    const silence = connect + 2 * stall + headers
    patience.attempted(error, this.#took, silence)
    const { retry, delay: ms, countsAttempt } = this.#tries.fail(error)
    if (countsAttempt) gate.fail(error)
    if (!retry) return false
    const { partNumber } = this.#context
    const { failingFor } = patience
    const attempt = this.#attempts
    emit('retry', { partNumber, attempt, delay: ms, failingFor, error })
    const begun = this.#now()
    await delay(settings.environment, ms, this.#signal)
    patience.waited(ms, this.#now() - begun)
    return true
  }

  /** Other calls come before the next attempt: they need not wait for it. */
  stepAside(): void {
    this.#common.gate.leave(this)
  }

  /** The last failure no longer counts: the store was asked in another way. */
  forget(): void {
    this.#tries.forget()
  }

  /** Idempotent. */
  end(): void {
    this.#tries.end()
    this.#common.gate.leave(this)
  }

  #now(): number {
    return this.#common.settings.environment.monotonic()
  }
}
