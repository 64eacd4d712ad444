/**
 * One HTTP attempt, from dispatch until nothing of it is left.
 *
 * States: *connecting* (dispatched, no socket yet), *sending* (the body goes
 * out), *waiting* (for the answer's last byte), *ended*; how long each may last
 * is in `moving.ts`. A dispatcher that tries again by itself goes back to
 * *sending*, with the body from its first byte. The first outcome wins:
 * an answer, a failure, a time-out of ours or the caller's signal. After it the
 * timers and listeners go, the body is closed, and on anything but a clean
 * answer the socket is destroyed. The promise settles only when no byte of the
 * body can be read any more: the socket has flushed or closed, or, where the
 * socket is unknown, the body's generator has returned.
 */
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Environment } from '../environment.js'
import type { DispatchQueue, Place } from './dispatch-queue.js'
import { answerLimit, MovingWatch } from './moving.js'
import { bytesLeft, claimSocket } from './request-socket.js'
import type { Body, WholeBody } from './object-store.js'
import { AnswerReader, type HttpAnswer } from './answer.js'
import {
  failureOf,
  failureOfClient,
  timeoutError,
  type Failing,
} from './attempt-error.js'
import { WatchedBody } from './watched-body.js'

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Encoded, with its query; goes out as it is. */
  path: string
  headers: Record<string, string>
  /** Absent for a request without one. */
  body?: Body | undefined
  /** The same body, where all of it is in memory: it goes out in one write. */
  bytes?: WholeBody | undefined
  /** The body waits for its rate, and not for the line. */
  isBodyHeld?: (() => boolean) | undefined
  /** An answer's body may not be larger, in bytes. */
  maxAnswerBytes: number
}

export interface AttemptOptions extends Failing {
  environment: Pick<Environment, 'timer' | 'soon' | 'monotonic'>
  dispatcher: Dispatcher
  /** Of a dispatcher that is not ours: it may let requests wait. */
  queue?: DispatchQueue | undefined
  origin: string
  signal: AbortSignal
}

type Outcome = { answer: HttpAnswer } | { error: unknown }

const noLimits = { headersTimeout: 0, bodyTimeout: 0 }

/** Sockets that have carried an answer: the next request may find them dead. */
const used = new WeakSet<Socket>()

export class Attempt implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest
  readonly #options: AttemptOptions
  readonly #answer: AnswerReader
  readonly #body: WatchedBody | undefined
  readonly #moving: MovingWatch
  /** Sockets of an earlier dispatch that still hold views, until they are free. */
  readonly #former = new Map<Socket, Promise<void>>()
  #place: Place | undefined
  #pulls = 0
  #begun = 0
  #controller: Dispatcher.DispatchController | undefined
  #socket: Socket | undefined
  #closed: Promise<void> | undefined
  #onClose: (() => void) | undefined
  #bytesBefore = 0
  #reused = false
  #outcome: Outcome | undefined
  #settle: (() => void) | undefined
  readonly #onAbort = () => this.#fail(this.#options.signal.reason)

  constructor(request: HttpRequest, options: AttemptOptions) {
    this.#request = request
    this.#options = options
    this.#answer = new AnswerReader(request.maxAnswerBytes)
    this.#moving = new MovingWatch(options.environment, {
      onTimeOut: (phase, limit) =>
        this.#fail(timeoutError(options, phase, limit)),
    })
    if (request.body !== undefined && request.bytes === undefined) {
      this.#body = new WatchedBody(request.body, {
        onPull: () => (this.#pulls += 1),
        onEnd: () => this.#waitForAnswer(),
        flushed: () => this.#flushed(),
      })
    }
  }

  /** Once, with what the server answered, whatever the status. */
  async run(): Promise<HttpAnswer> {
    const { dispatcher, origin, signal, queue, timeouts } = this.#options
    const { monotonic } = this.#options.environment
    signal.throwIfAborted()
    const settled = new Promise<void>((resolve) => {
      this.#settle = resolve
    })
    signal.addEventListener('abort', this.#onAbort)
    const place = queue?.enter(monotonic())
    this.#place = place
    this.#moving.connecting(
      timeouts.connect,
      place && (() => queue?.connectingSince(place)),
    )
    const { method, path, headers, bytes } = this.#request
    // undici takes any async iterable; its types name only streams.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const iterable = (this.#body ?? null) as unknown as Readable | null
    const body = bytes?.view ?? iterable
    try {
      dispatcher.dispatch(
        // A dispatcher's own limits would end what ours let go on.
        { origin, path, method, headers, body, ...noLimits },
        this,
      )
    } catch (error) {
      this.#fail(failureOf(this.#options, { kind: 'network', error }))
    }
    await settled
    const outcome = this.#outcome
    if (outcome === undefined) throw new Error('settled without an outcome')
    if ('error' in outcome) throw outcome.error
    return outcome.answer
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#outcome !== undefined) {
      // Given up while it was queued: it must never reach the wire.
      controller.abort(new Error('given up'))
      return
    }
    this.#controller = controller
    const { queue, environment, timeouts } = this.#options
    const { isBodyHeld } = this.#request
    this.#begun = environment.monotonic()
    if (this.#place !== undefined) queue?.begin(this.#place, this.#begun)
    this.#detach()
    const { body, path, bytes } = this.#request
    if (body === undefined) this.#moving.waiting(timeouts.headers)
    else this.#moving.sending(timeouts.stall, () => this.#left(), isBodyHeld)
    claimSocket(path, (socket) => this.#attach(socket))
    // The client writes such a body in this turn.
    if (bytes !== undefined)
      queueMicrotask(() => void this.#writtenWhole(bytes))
  }

  async #writtenWhole({ view, onSent }: WholeBody): Promise<void> {
    const socket = this.#socket
    await this.#flushed()
    if (this.#outcome !== undefined || this.#socket !== socket) return
    onSent(view.byteLength)
    this.#waitForAnswer()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#answer.start(status, headers)
  }

  onResponseData(
    _controller: Dispatcher.DispatchController,
    chunk: Buffer,
  ): void {
    if (this.#outcome !== undefined || this.#answer.add(chunk)) return
    // Of a refusal the status says enough, however large its body is.
    if (this.#answer.refused) {
      return this.#end({ answer: this.#answer.take(false) })
    }
    const what = `the answer is larger than ${this.#request.maxAnswerBytes} bytes`
    this.#fail(failureOf(this.#options, { kind: 'response', what }))
  }

  onResponseEnd(): void {
    if (this.#socket !== undefined) used.add(this.#socket)
    if (this.#answer.refused || !this.#owesBytes()) {
      return this.#end({ answer: this.#answer.take(true) })
    }
    const what = 'success was answered before the body had been sent'
    this.#fail(failureOf(this.#options, { kind: 'network', what }))
  }

  onResponseError(
    _controller: Dispatcher.DispatchController,
    error: Error,
  ): void {
    if (this.#outcome !== undefined) return
    const failure = this.#body?.failure
    if (failure !== undefined) return this.#fail(failure.error)
    // A refusal is worth more than the reset that came after it.
    if (this.#answer.refused) {
      return this.#end({ answer: this.#answer.take(false) })
    }
    const silent = this.#socket?.bytesRead === this.#bytesBefore
    this.#fail(
      failureOfClient(this.#options, error, {
        staleConnection: this.#reused && silent && !this.#answer.started,
      }),
    )
  }

  /**
   * Counted in bytes: a body's end may be seen only after an honest answer to
   * its last byte.
   */
  #owesBytes(): boolean {
    const size = Number(this.#request.headers['content-length'])
    // A body in one write is with the client; `#quiet` sees to what is left of it.
    return this.#body !== undefined && this.#body.handedOut < size
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    this.#bytesBefore = socket.bytesRead
    this.#reused = used.has(socket)
    this.#closed = new Promise((resolve) => {
      const onClose = () => resolve()
      socket.once('close', onClose)
      this.#onClose = onClose
    })
  }

  /** A dispatcher tries again by itself; what it had before it may hold views. */
  #detach(): void {
    const socket = this.#socket
    if (socket === undefined) return
    const onClose = this.#onClose
    const free = Promise.race([this.#flushed(), this.#closed]).then(() => {
      if (onClose !== undefined) socket.off('close', onClose)
      this.#former.delete(socket)
    })
    this.#former.set(socket, free)
    this.#socket = undefined
  }

  /** Grows while the body moves: by its bytes, or where they cannot be seen by views. */
  #left(): number {
    return this.#socket === undefined ? this.#pulls : bytesLeft(this.#socket)
  }

  /**
   * undici asks for more as soon as the socket's buffer has room, which is a
   * matter of the dispatcher's options.
   */
  #flushed(): Promise<void> | undefined {
    const socket = this.#socket
    if (socket === undefined || socket.writableLength === 0) return undefined
    return new Promise((resolve) => {
      // Called after all that was written before; with an error, too.
      socket.write(Buffer.alloc(0), () => resolve())
    })
  }

  #waitForAnswer(): void {
    if (this.#outcome !== undefined) return
    const { environment, timeouts } = this.#options
    const took = environment.monotonic() - this.#begun
    const size =
      this.#body?.handedOut ?? this.#request.bytes?.view.byteLength ?? 0
    this.#moving.waiting(answerLimit(timeouts.headers, { size, took }))
  }

  #fail(error: unknown): void {
    this.#end({ error })
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#moving.end()
    const { signal, queue, environment } = this.#options
    signal.removeEventListener('abort', this.#onAbort)
    if (this.#place !== undefined) {
      queue?.end(this.#place, environment.monotonic())
    }
    void this.#quiet('answer' in outcome && outcome.answer.complete)
  }

  /** Never rejects: it ends what may still read the body, then settles. */
  async #quiet(clean: boolean): Promise<void> {
    const socket = this.#socket
    const sent = this.#body === undefined || this.#body.finished
    const closing = this.#body?.close()
    if (!clean) this.#controller?.abort(new Error('given up'))
    // Flushed means that the kernel has the bytes, not the part's buffer.
    const flushed = sent && socket?.writableLength === 0
    if (socket !== undefined && !(clean && flushed)) {
      socket.destroy()
      await this.#closed
    }
    if (this.#onClose !== undefined) socket?.off('close', this.#onClose)
    for (const [former, free] of this.#former) {
      // It still holds views; one that is free is no longer in this map, and
      // may serve others.
      former.destroy()
      await free
    }
    await closing
    this.#settle?.()
  }
}
