import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SeenRequest } from '../options.js'
import type { Throttle } from './throttle.js'

/** The connection is gone, or was cut on purpose: there is nobody to answer. */
export class ConnectionCut extends Error {}

/**
 * The body of one request as it comes over the wire. It owns the counting of
 * `seen.bytes` and the throttles; whoever iterates it sets the pace, so that a
 * slow reader really holds the sender back. It can be iterated once more after
 * an early end: the rest of the body comes then.
 */
export class RequestBody implements AsyncIterable<Buffer> {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #seen: SeenRequest
  readonly #signal: AbortSignal
  readonly #throttles: Throttle[]
  #continueAwaited: boolean

  constructor(options: {
    request: IncomingMessage
    response: ServerResponse
    seen: SeenRequest
    signal: AbortSignal
    throttles: Throttle[]
    /** The client waits for `100 Continue`. */
    expectsContinue: boolean
  }) {
    this.#request = options.request
    this.#response = options.response
    this.#seen = options.seen
    this.#signal = options.signal
    this.#throttles = options.throttles
    this.#continueAwaited = options.expectsContinue
  }

  /** The client waits for a word before it sends the body. */
  get isHeldBack(): boolean {
    return this.#continueAwaited
  }

  addThrottle(throttle: Throttle): void {
    this.#throttles.push(throttle)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    if (this.#continueAwaited) {
      this.#continueAwaited = false
      this.#response.writeContinue()
    }
    const chunks: AsyncIterable<Buffer> = this.#request.iterator({
      destroyOnReturn: false,
    })
    try {
      for await (const chunk of chunks) {
        if (this.#throttles.length > 0) await this.#pass(chunk)
        else this.#seen.bytes += chunk.length
        yield chunk
      }
    } catch (error) {
      if (this.#request.complete && !this.#signal.aborted) throw error
      throw new ConnectionCut('the body ended early', { cause: error })
    }
  }

  /** Counts a chunk in small steps, so that `bytes` shows the pace. */
  async #pass(chunk: Buffer): Promise<void> {
    let left = chunk.length
    while (left > 0) {
      const bytes = Math.min(left, ...this.#throttles.map((t) => t.slice))
      for (const throttle of this.#throttles) {
        await throttle.take(bytes, this.#signal)
      }
      this.#seen.bytes += bytes
      left -= bytes
    }
  }

  /** Reads and drops what is left; a client that goes away meanwhile is fine. */
  async drain(): Promise<void> {
    // After an error answer nobody sends a body that was not asked for.
    if (this.#continueAwaited || this.#request.readableEnded) return
    try {
      for await (const _ of this);
    } catch (error) {
      if (!(error instanceof ConnectionCut)) throw error
    }
  }

  /** Reads the first `bytes` bytes and no more; fewer when the body ends. */
  async readOnly(bytes: number): Promise<void> {
    if (bytes <= 0) return
    let left = bytes
    for await (const chunk of this) {
      left -= chunk.length
      if (left <= 0) {
        this.#seen.bytes += left
        return
      }
    }
  }
}
