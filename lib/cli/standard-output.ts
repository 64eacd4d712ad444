/**
 * Standard output and error that may fail: a disk is full, a reader or the
 * terminal has gone. None of that ends an upload. What was to be told by a list
 * is lost, though, and that command says so.
 */
import type { Writable } from 'node:stream'
import { messageOf } from '../realm.js'

/** Nobody reads any more, which is for the reader to decide. */
const readerGone = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'])

/** What fails after the task has ended is nobody's; once a stream. */
const ignore = (): void => undefined

export class StandardOutput {
  readonly #streams: readonly Writable[]
  #failure: Error | undefined

  /** Listens for failures, so that they are no uncaught errors. */
  constructor(streams: readonly Writable[]) {
    this.#streams = streams
    for (const stream of streams) stream.on('error', this.#onError)
  }

  /** The task has ended; what is still to be written may fail all the same. */
  forget(): void {
    for (const stream of this.#streams) {
      stream.off('error', this.#onError).off('error', ignore)
      stream.on('error', ignore)
    }
  }

  /** Rejects with what kept something from being written that may be missed. */
  async mustBeWritten(stream: Writable): Promise<void> {
    // Called when all that was written before has failed or has not.
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve())
    })
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Of a command that only says something: 1, and why, when it was not written. */
  async exitCode(stream: Writable, log: Writable): Promise<number> {
    try {
      await this.mustBeWritten(stream)
      return 0
    } catch (error) {
      log.write(`pawl: ${messageOf(error)}\n`)
      return 1
    } finally {
      this.forget()
    }
  }

  readonly #onError = (error: Error & { code?: string }): void => {
    if (!readerGone.has(error.code ?? '')) this.#failure ??= error
  }
}
