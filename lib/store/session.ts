/**
 * One attempt of one call, from the queue to a classified failure: waits for a
 * lane, gets credentials, signs, sends, and turns a refusal into a StoreError.
 * What can be put right for the next attempt is put right here: the clock and
 * the credentials.
 */
import type { HttpAnswer } from './answer.js'
import { Attempt } from './attempt.js'
import { failureOf, type Failing } from './attempt-error.js'
import type { Clock } from './clock.js'
import type { Connections, Lane } from './connections.js'
import type { Credentials, CredentialSource } from './credentials.js'
import type { Dialect, OperationName, UnsignedRequest } from './dialect.js'
import type { Body, BodyRequest, Call, WholeBody } from './object-store.js'
import {
  requestTrace,
  requestTracer,
  traceAnswer,
  type RequestTrace,
} from './request-trace.js'
import { parseRetryAfter } from './retry.js'
import {
  errorBytes,
  isErrorDocument,
  kindOfStatus,
  readRequestId,
  readServerError,
  withErrorBody,
  type ServerError,
} from './server-error.js'
import { Secrets } from './secrets.js'
import { StoreError } from './store-error.js'
import type { Environment, Timer } from '../environment.js'
import type { UploadErrorFields } from '../errors.js'
import { unlessAborted } from '../signals.js'

/**
 * Of a page: a thousand parts, or two hundred uploads with the longest of keys,
 * percent-encoded, and the longest of IDs.
 */
export const pageBytes = 1024 * 1024
/** Of a callback server (OSS documentation, "Callback"). */
export const callbackBytes = 3 * 1024 * 1024

/** Hosts that have answered this process; the others may be typing errors. */
const answered = new Set<string>()

export interface Operation extends UnsignedRequest {
  name: OperationName
  /** Besides `content`; with `content-length` in the headers. */
  body?: Body | undefined
  /** The same body, where all of it is in memory. */
  bytes?: WholeBody | undefined
  /** The body waits for its rate. */
  isBodyHeld?: (() => boolean) | undefined
  /** The server is to call somebody back once the object is stored. */
  withCallback?: boolean
  /** For errors. */
  fields: UploadErrorFields
  /** Of the answer; 64 KiB. */
  maxAnswerBytes?: number
}

/** The body of a request, if it has one. */
export function outgoing({
  size,
  body,
  bytes,
  isHeld,
}: BodyRequest): Pick<Operation, 'body' | 'bytes' | 'isBodyHeld'> {
  return size === 0 ? {} : { body, bytes, isBodyHeld: isHeld }
}

export interface SessionOptions {
  dialect: Dialect
  connections: Connections
  credentials: CredentialSource
  clock: Clock
  environment: Pick<Environment, 'timer' | 'soon' | 'monotonic'>
}

/** One attempt on its way. */
interface Exchange {
  readonly lane: Lane
  readonly credentials: Credentials
  readonly call: Call
  readonly failing: Failing
  /** Its connection can carry another request. */
  healthy: boolean
}

export class Session {
  readonly #dialect: Dialect
  readonly #connections: Connections
  readonly #credentials: CredentialSource
  readonly #clock: Clock
  readonly #environment: Pick<Environment, 'timer' | 'soon' | 'monotonic'>
  readonly #host: string

  constructor({
    dialect,
    connections,
    credentials,
    clock,
    environment,
  }: SessionOptions) {
    this.#environment = environment
    this.#dialect = dialect
    this.#connections = connections
    this.#credentials = credentials
    this.#clock = clock
    this.#host = new URL(dialect.origin).host
  }

  /**
   * Resolves to an answer with a status of 2xx, or one that says that only the
   * callback failed; rejects with anything else.
   */
  async send(operation: Operation, call: Call): Promise<HttpAnswer> {
    const failing = this.#failing(operation, call)
    const lane = await this.#connections.acquire(call.signal)
    let exchange: Exchange | undefined
    try {
      const credentials =
        this.#credentials.ready ?? (await this.#provided(call))
      exchange = { lane, credentials, call, failing, healthy: false }
      const answer = await (requestTracer.isOn
        ? this.#traced(operation, exchange)
        : this.#exchange(operation, exchange))
      const held = Number(answer.headers['x-oss-qos-delay-time'])
      if (held > 0) call.heldBack?.(held)
      return answer
    } finally {
      this.#connections.release(lane, exchange?.healthy === true)
    }
  }

  close(): void {
    this.#connections.close()
  }

  /** Of a provider, which may hang for ever: it has as long as the server. */
  async #provided({ signal, timeouts }: Call): Promise<Credentials> {
    const asked = this.#credentials.get()
    let timer: Timer | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = this.#environment.timer(timeouts.headers, () => {
        this.#credentials.giveUp(asked)
        reject(noCredentialsIn(timeouts.headers))
      })
    })
    try {
      return await unlessAborted(signal, Promise.race([asked, late]))
    } finally {
      timer?.cancel()
    }
  }

  /** What the server says its clock shows; undefined when it cannot be true. */
  serverTime({ headers }: HttpAnswer): number | undefined {
    return this.#clock.believable(headers['date'])
  }

  /** For a 2xx that cannot be used: a StoreError that says which call it was. */
  unusable(operation: Operation, call: Call, what: string): StoreError {
    return failureOf(this.#failing(operation, call), { kind: 'response', what })
  }

  /** What a refusal, or a stored object with a failed callback, amounts to. */
  describe(operation: Operation, answer: HttpAnswer): StoreError {
    const found = readServerError(answer, this.#dialect.errorHeaders)
    const kind =
      this.#dialect.kindOf(found, operation.name) ?? kindOfStatus(found.status)
    return new StoreError(this.#text(operation, found), {
      ...operation.fields,
      kind,
      status: found.status,
      serverCode: found.code,
      requestId: found.requestId,
      hostId: found.hostId,
      ec: found.ec,
      serverMessage: found.message,
      argument: found.argument,
      recommendDoc: found.recommendDoc,
      retryAfter: parseRetryAfter(
        answer.headers['retry-after'],
        this.#clock.local(),
      ),
    })
  }

  #traced(operation: Operation, exchange: Exchange): Promise<HttpAnswer> {
    const trace = requestTrace(operation, this.#host, exchange.call.attempt)
    return requestTracer.run(trace, () =>
      this.#exchange(operation, exchange, trace),
    )
  }

  async #exchange(
    operation: Operation,
    exchange: Exchange,
    trace?: RequestTrace,
  ): Promise<HttpAnswer> {
    const answer = await this.#attempt(operation, exchange)
    exchange.healthy = answer.complete
    if (trace !== undefined) {
      const id = readRequestId(answer, this.#dialect.errorHeaders)
      traceAnswer(trace, answer, id)
    }
    if (isData(operation, answer) || isSuccess(answer)) return answer
    if (this.#isStored(operation, answer)) return answer
    throw this.#refusal(operation, answer, exchange.credentials)
  }

  /** `CallbackFailed` comes after the object, whatever the status (203, 424). */
  #isStored({ withCallback }: Operation, answer: HttpAnswer): boolean {
    if (withCallback !== true) return false
    const { code } = readServerError(answer, this.#dialect.errorHeaders)
    return code === 'CallbackFailed'
  }

  async #attempt(
    operation: Operation,
    { lane, credentials, call, failing }: Exchange,
  ): Promise<HttpAnswer> {
    const { content } = operation
    const signed = this.#dialect.sign(operation, credentials, this.#clock.now())
    const attempt = new Attempt(
      {
        method: operation.method,
        path: signed.path,
        headers: signed.headers,
        body: content === undefined ? operation.body : bodyOf(content),
        bytes: operation.bytes,
        isBodyHeld: operation.isBodyHeld,
        maxAnswerBytes: operation.maxAnswerBytes ?? errorBytes,
      },
      {
        environment: this.#environment,
        dispatcher: lane.dispatcher,
        queue: lane.queue,
        origin: this.#dialect.origin,
        signal: call.signal,
        ...failing,
      },
    )
    const answer = withErrorBody(
      await attempt.run(),
      this.#dialect.errorHeaders,
    )
    answered.add(this.#host)
    const cleaned = new Secrets(credentials, signed.headers).cleaned(answer)
    return isData(operation, answer)
      ? { ...cleaned, body: answer.body }
      : cleaned
  }

  #refusal(
    operation: Operation,
    answer: HttpAnswer,
    credentials: Credentials,
  ): StoreError {
    const error = this.describe(operation, answer)
    if (error.kind === 'clock') {
      this.#clock.correct(answer.headers['date'], this.#clock.local())
    }
    if (error.kind === 'credentials') this.#credentials.invalidate(credentials)
    return error
  }

  #text({ name }: Operation, found: ServerError): string {
    const { status, code, requestId, message, argument } = found
    const said = code === undefined ? String(status) : `${status} ${code}`
    const about = argument === undefined ? '' : ` (${argument})`
    const id = requestId === undefined ? '' : `, request ${requestId}`
    const sentences = [
      `${name} at ${this.#host}: ${said}${about}${id}`,
      message,
      this.#dialect.hintFor(found),
    ]
    return sentences
      .filter((sentence) => sentence !== undefined)
      .map((sentence) => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`))
      .join(' ')
  }

  #failing({ name, fields }: Operation, { timeouts }: Call): Failing {
    const isStranger = !answered.has(this.#host)
    return { operation: name, host: this.#host, fields, timeouts, isStranger }
  }
}

function noCredentialsIn(ms: number): StoreError {
  return new StoreError(
    `The credentials provider has not answered within ${ms / 1000} s.`,
    {
      kind: 'credentials',
      cause: Object.assign(new Error('ETIMEDOUT'), { code: 'ETIMEDOUT' }),
    },
  )
}

/** An object's own bytes: they are nobody's words, whatever they look like. */
function isData({ name }: Operation, { status }: HttpAnswer): boolean {
  return name === 'GetObject' && status >= 200 && status < 300
}

/**
 * A 200 can hold an error: the status went out before the work was done. A 203
 * says that the object is stored, and why its callback failed.
 */
function isSuccess({ status, body }: HttpAnswer): boolean {
  if (status < 200 || status >= 300) return false
  return status === 203 || !isErrorDocument(body)
}

function bodyOf(content: Buffer): Body | undefined {
  if (content.length === 0) return undefined
  return async function* () {
    yield content
  }
}
