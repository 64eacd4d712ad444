/**
 * The body of one attempt, between its source and the HTTP client. It reports
 * each pull, and asks for the next view only when the last one has left the
 * process, since its memory may be used again. Once closed it hands out nothing
 * more, so that after `close()` has resolved only what the socket already holds
 * can still be read.
 *
 * A dispatcher that tries again by itself reads the body again: each reading
 * begins at the first byte, and ends the one before it.
 */
import type { Body } from './object-store.js'

const done: IteratorResult<Uint8Array, undefined> = {
  done: true,
  value: undefined,
}

export interface BodyEvents {
  onPull(): void
  onEnd(): void
  /** Undefined when nothing of the body waits in this process. */
  flushed(): Promise<void> | undefined
}

export class WatchedBody implements AsyncIterable<Uint8Array> {
  readonly #make: Body
  readonly #events: BodyEvents
  #reading: Reading | undefined
  #isClosed = false

  constructor(make: Body, events: BodyEvents) {
    this.#make = make
    this.#events = events
  }

  /** The source was read to its end. */
  get finished(): boolean {
    return this.#reading?.finished === true
  }

  /** Bytes given to the client so far, by the last reading. */
  get handedOut(): number {
    return this.#reading?.handedOut ?? 0
  }

  /** What the source threw, if it did. */
  get failure(): { error: unknown } | undefined {
    return this.#reading?.failure
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    const before = this.#reading?.close()
    const reading = new Reading(this.#make, this.#events, before)
    if (this.#isClosed) void reading.close()
    this.#reading = reading
    return reading
  }

  /** Ends the source; resolves when it reads no more. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#reading?.close()
  }
}

class Reading implements AsyncIterator<Uint8Array, undefined> {
  readonly #make: Body
  readonly #events: BodyEvents
  readonly #before: Promise<void> | undefined
  #source: AsyncIterator<Uint8Array> | undefined
  #closing: Promise<void> | undefined
  finished = false
  handedOut = 0
  failure: { error: unknown } | undefined

  /** `before`: the end of the reading before, whose source may be at work. */
  constructor(
    make: Body,
    events: BodyEvents,
    before: Promise<void> | undefined,
  ) {
    this.#make = make
    this.#events = events
    this.#before = before
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#closing !== undefined || this.finished) return done
    this.#events.onPull()
    const flushed = this.#events.flushed()
    if (flushed !== undefined) await flushed
    if (this.#source === undefined && this.#before !== undefined) {
      await this.#before
    }
    if (this.#closing !== undefined) return done
    try {
      this.#source ??= this.#make()[Symbol.asyncIterator]()
      const { done: ended, value } = await this.#source.next()
      // Closed while the source was at work: its view must not go out.
      if (this.#closing !== undefined) return done
      if (ended !== true) {
        this.handedOut += value.length
        return { done: false, value }
      }
    } catch (error) {
      this.failure ??= { error }
      throw error
    }
    this.finished = true
    this.#events.onEnd()
    return done
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.close()
    return done
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    if (this.#before !== undefined) await this.#before
    if (this.finished || this.failure !== undefined) return
    try {
      await this.#source?.return?.()
    } catch (error) {
      this.failure ??= { error }
    }
  }
}
