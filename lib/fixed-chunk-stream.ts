/** Bytes in, the same bytes out in chunks of one size. */
import { Transform, type TransformCallback } from 'node:stream'
import { invalidOption } from './errors.js'

/**
 * Rechunks to exactly `size` bytes, a whole number from 1; the last chunk may be
 * shorter. To be put before a compressor whose output depends on how its input
 * was cut (brotli, zstd), so that a repeated run gives the same bytes.
 *
 * Throws `PAWL_INVALID_OPTION`.
 *
 * @example
 * await pipeline(
 *   createReadStream('db.dump'),
 *   createFixedChunkStream(64 * 1024),
 *   createBrotliCompress(),
 *   createResumableUploadStream(options),
 * )
 */
export function createFixedChunkStream(size: number): Transform {
  if (!Number.isSafeInteger(size) || size < 1) {
    invalidOption(`size must be a whole number from 1, not ${size}`)
  }
  return new FixedChunkStream(size)
}

/**
 * A byte is copied at most once, into the chunk that it helps to fill; a chunk
 * that lies whole in what was written is a view of it.
 */
class FixedChunkStream extends Transform {
  readonly #size: number
  #filling: Buffer | undefined
  #filled = 0

  constructor(size: number) {
    // In object mode nothing joins the chunks again.
    super({ readableObjectMode: true, readableHighWaterMark: 1 })
    this.#size = size
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: TransformCallback,
  ): void {
    for (let start = 0; start < chunk.byteLength;) {
      const end = start + this.#size - this.#filled
      const piece = chunk.subarray(start, end)
      if (piece.byteLength === this.#size) this.push(piece)
      else this.#fill(piece)
      start = end
    }
    callback()
  }

  override _flush(callback: TransformCallback): void {
    if (this.#filled > 0) this.push(this.#filling?.subarray(0, this.#filled))
    callback()
  }

  #fill(piece: Buffer): void {
    this.#filling ??= Buffer.allocUnsafe(this.#size)
    piece.copy(this.#filling, this.#filled)
    this.#filled += piece.byteLength
    if (this.#filled < this.#size) return
    this.push(this.#filling)
    this.#filling = undefined
    this.#filled = 0
  }
}
