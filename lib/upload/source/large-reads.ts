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
import type { ReadStream } from 'node:fs'
import { isFileStream, readsLongFile } from './source-files.js'

const KiB = 1024
/** Of Node's file streams, in bytes. */
const ownMark = 64 * KiB
/** As much as goes out at once. */
const largeMark = 4096 * KiB

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
