/**
 * Whether a chunk lasts: whether nobody writes into its memory once it was taken.
 *
 * A source may use the memory of a chunk again as soon as `write()` has called back, so
 * a chunk is copied before that. A file stream of Node's makes new memory for each piece
 * that it reads, and hands it to those who listen: where one upload alone does, a chunk
 * that is all of its memory may be looked at later, too.
 *
 * That is known by no promise of Node's. So what is looked at later is never believed:
 * its hash was taken when it came, and is taken again of what is sent.
 */
import type { ReadStream } from 'node:fs'
import { isPlainFileStream } from './source-files.js'

/** Bytes of a chunk from which on a copy costs more than to remember where it is. */
const worthKeeping = 256 * 1024

export class LastingChunks {
  readonly #sources = new Set<unknown>()
  #file: ReadStream | undefined

  /** Something begins to be piped in. */
  begin(source: unknown): void {
    this.#sources.add(source)
    this.#file = isPlainFileStream(source) ? source : undefined
  }

  /** It is piped in no more. */
  end(source: unknown): void {
    this.#sources.delete(source)
    if (this.#file === source) this.#file = undefined
  }

  /** To be asked when a chunk is taken: others may have begun to listen. */
  isLasting({ buffer, byteLength }: Uint8Array): boolean {
    const file = this.#file
    return (
      file !== undefined &&
      this.#sources.size === 1 &&
      byteLength >= worthKeeping &&
      buffer.byteLength === byteLength &&
      file.listenerCount('data') === 1 &&
      file.listenerCount('readable') === 0
    )
  }
}
