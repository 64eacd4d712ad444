/**
 * What a file stream of Node's that is piped in allows: it can be asked for large pieces,
 * and its chunks last.
 */
import type { ReadStream } from 'node:fs'
import {
  isFileStream,
  isPlainFileStream,
  readsLongFile,
} from './source-files.js'

const KiB = 1024
/** Of Node's file streams, in bytes. */
const ownMark = 64 * KiB
/** As much as goes out at once. */
const largeMark = 4096 * KiB

/**
 * Has a file that is piped in read in large pieces.
 *
 * `createReadStream` reads 64 KiB at a time, and each costs a turn of the event loop
 * and of the thread pool, and garbage. `read(n)` with more than the mark of a Readable
 * raises the mark for good.
 *
 * Only where that is Node's own: another one was chosen by somebody. Only of regular
 * files: for each piece of a FIFO Node would make a buffer of 4 MiB. And only while the
 * source holds nothing, since `read(n)` gives what is held to the one who asks.
 */
export class LargeReads {
  #source: ReadStream | undefined
  /** It is to be asked as soon as it holds nothing. */
  #isLong = false

  /** Something begins to be piped in. */
  begin(source: unknown): void {
    if (!isFileStream(source) || source.readableHighWaterMark !== ownMark) {
      return
    }
    // A text that is decoded is counted in letters.
    if (source.readableEncoding !== null) return
    this.#source = source
    this.#isLong = false
    void readsLongFile(source, ownMark).then((isLong) => {
      if (this.#source !== source) return
      this.#isLong = isLong
      this.look()
    })
  }

  /** It is piped in no more. */
  end(source: unknown): void {
    if (this.#source === source) this.#source = undefined
  }

  /** To be called whenever a piece has come. */
  look(): void {
    const source = this.#source
    if (source === undefined || !this.#isLong) return
    const { readableLength, readableEnded, destroyed } = source
    if (readableLength > 0) return
    this.#source = undefined
    if (!readableEnded && !destroyed) source.read(largeMark)
  }
}

/** Bytes of a chunk from which on a copy costs more than to remember where it is. */
const worthKeeping = 256 * 1024

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
