/**
 * The body of one attempt, between its source and the HTTP client. It reports
 * each pull, and asks for the next view only when the last one has left the
 * process, since its memory may be used again. Once closed it hands out nothing
 * more, so that after `close()` has resolved only what the socket already holds
 * can still be read.
 */
import type { Body } from './object-store.js'

const done: IteratorResult<Uint8Array, undefined> = {
  done: true,
  value: undefined,
}

export class WatchedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #make: Body
  readonly #onPull: () => void
  readonly #onEnd: () => void
  readonly #flushed: () => Promise<void> | undefined
  #source: AsyncIterator<Uint8Array> | undefined
  #closing: Promise<void> | undefined
  #finished = false
  #handedOut = 0
  #failure: { error: unknown } | undefined

  /** `flushed`: undefined when nothing of the body waits in this process. */
  constructor(
    make: Body,
    events: {
      onPull(): void
      onEnd(): void
      flushed(): Promise<void> | undefined
    },
  ) {
    this.#make = make
    this.#onPull = () => events.onPull()
    this.#onEnd = () => events.onEnd()
    this.#flushed = () => events.flushed()
  }

  /** The source was read to its end. */
  get finished(): boolean {
    return this.#finished
  }

  /** Bytes given to the client so far. */
  get handedOut(): number {
    return this.#handedOut
  }

  /** What the source threw, if it did. */
  get failure(): { error: unknown } | undefined {
    return this.#failure
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#closing !== undefined || this.#finished) return done
    this.#onPull()
    const flushed = this.#flushed()
    if (flushed !== undefined) await flushed
    if (this.#closing !== undefined) return done
    try {
      this.#source ??= this.#make()[Symbol.asyncIterator]()
      const { done: ended, value } = await this.#source.next()
      // Closed while the source was at work: its view must not go out.
      if (this.#closing !== undefined) return done
      if (ended !== true) {
        this.#handedOut += value.length
        return { done: false, value }
      }
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
    this.#finished = true
    this.#onEnd()
    return done
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.close()
    return done
  }

  /** Ends the source; resolves when it reads no more. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    if (this.#finished || this.#failure !== undefined) return
    try {
      await this.#source?.return?.()
    } catch (error) {
      this.#failure ??= { error }
    }
  }
}
