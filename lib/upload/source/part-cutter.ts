/**
 * Cuts a stream of bytes into parts. stream-chopper finds the boundaries; this copies
 * each piece into the part's blocks and hashes it there. Small chunks are copied first,
 * to where they belong, and go through the chopper together, as one view.
 *
 * It owns at most one buffer, that of the part being filled, and begins a part only
 * when there is room for one and the taker wants more. Chunks are copied and never
 * kept. Four accidents of stream-chopper are prevented here:
 *
 * - an empty chunk after an exact multiple would begin an empty part: dropped;
 * - its `finish` comes before the `end` of the last part: `end()` waits for both;
 * - an error on a part's stream is swallowed and shifts all later parts: it is
 *   forwarded and final;
 * - without `next` it waits in silence: `next` is called for every part once
 *   the taker is ready, and `destroy()` ends the chopper too.
 */
import type { PassThrough } from 'node:stream'
import StreamChopper from 'stream-chopper'
import {
  offsetAt,
  type PartSizes,
  partSizeAt,
} from '../../checkpoint/growth.js'
import { isSharedArrayBuffer } from '../../realm.js'
import { hex64, type Xxh64, type Xxh64Stream } from '../../hash/xxh64.js'
import type { ChunkCollections } from './chunk-collections.js'
import type { PartBlock, PartBuffer, PartBuffers } from './part-buffers.js'
import type { Piece } from './part-content.js'

/**
 * How many bytes are gathered and hashed at once: few calls for small chunks,
 * and still in the processor's cache when they are hashed.
 */
const blockSize = 128 * 1024
/** Chunks from this size on are worth a call of the hash each. */
const largeChunk = 16 * 1024

/** A part as it was cut. */
export interface CutPart extends Piece {
  /** The bytes, in order. Valid until `release()`. */
  readonly pieces: readonly Uint8Array[]
  /** xxHash64 of the bytes, 16 lower-case hex digits. */
  readonly xxh64: string
  /** Gives the memory back. Idempotent. */
  readonly release: () => void
}

export interface PartCutterOptions {
  /** How large each part is. */
  sizes: PartSizes
  buffers: PartBuffers
  xxh64: Xxh64
  /** Hears of what chunks allocate; absent, V8 is left alone. */
  collections: Pick<ChunkCollections, 'took'> | undefined
  /** Takes each part; calls `next` (at once or later) when it wants another. */
  onPart(part: CutPart, next: () => void): void
  /** Called once, instead of any further part. */
  onError(error: Error): unknown
}

export class PartCutter {
  readonly #buffers: PartBuffers
  readonly #options: PartCutterOptions
  readonly #chopper: StreamChopper
  /** Of the part being filled, or the next one. */
  #partNumber = 1
  /** Bytes of it, unless it is the last. */
  #partSize: number
  /** The buffer of the part being filled, or reserved for the next one. */
  #buffer: PartBuffer | undefined
  #hash: Xxh64Stream | undefined
  /** Bytes of the buffer that have come out of the chopper, and that are hashed. */
  #filled = 0
  #hashed = 0
  /** Bytes written since the end of the last part that was handed on. */
  #written = 0
  /** The last of them, which are in the buffer but not yet in the chopper. */
  #gathered = 0
  /** What the last chunk was a view of. */
  #memory: ArrayBufferLike | undefined
  /** The chopper has begun a part that is not handed on yet. */
  #isFilling = false
  #isDestroyed = false
  /** What waits for a buffer. */
  #onBuffer: (() => void) | undefined
  /** What waits for the part being filled to be handed on. */
  #onCut: (() => void) | undefined

  constructor(options: PartCutterOptions) {
    this.#options = options
    this.#buffers = options.buffers
    this.#partSize = partSizeAt(options.sizes, 1)
    this.#chopper = new StreamChopper({ size: this.#partSize })
    this.#chopper.on('stream', (stream, next) => this.#begin(stream, next))
    this.#chopper.on('error', (error: Error) => this.#fail(error))
  }

  /** Before the first chunk: the first part has that number. */
  beginAt(partNumber: number): void {
    this.#partNumber = partNumber
    this.#partSize = partSizeAt(this.#options.sizes, partNumber)
  }

  /** Takes a chunk; `done` is called when its last byte has been copied. */
  write(chunk: Uint8Array, done: () => void): void {
    if (chunk.byteLength === 0) {
      done()
      return
    }
    this.#see(chunk.buffer)
    if (this.#buffer === undefined && this.#onBuffer === undefined) {
      this.#reserve(() => this.#take(chunk, done))
    } else {
      this.#take(chunk, done)
    }
  }

  /** No more bytes; `done` is called after the last part has been handed on. */
  end(done: () => void): void {
    if (this.#gathered > 0) this.#chopper.write(this.#takeGathered())
    this.#chopper.end(() => {
      if (!this.#isFilling) this.#finish(done)
      else this.#onCut = () => this.#finish(done)
    })
  }

  /** Stops at once, and gives its buffer back. Idempotent. */
  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.#memory = undefined
    this.#letGo()
    this.#chopper.destroy()
  }

  /** Small chunks are often views of one buffer. */
  #see(memory: ArrayBufferLike): void {
    if (memory === this.#memory) return
    this.#memory = memory
    this.#options.collections?.took(memory.byteLength)
  }

  /** A small chunk that fits waits in its place for others to follow. */
  #take(chunk: Uint8Array, done: () => void): void {
    const block = this.#blockToGather()
    const { byteLength } = chunk
    const at = this.#written - (block?.start ?? 0)
    const left = (block?.bytes.byteLength ?? 0) - at
    if (block === undefined || byteLength >= blockSize || byteLength > left) {
      if (this.#gathered > 0) this.#chopper.write(this.#takeGathered())
      this.#written += byteLength
      this.#pass(chunk, done)
      return
    }
    block.bytes.set(chunk, at)
    this.#hashHot(chunk, this.#written)
    this.#written += byteLength
    this.#gathered += byteLength
    // What is full is handed on at once, whenever the next chunk comes.
    if (this.#gathered < blockSize && byteLength < left) done()
    else this.#pass(this.#takeGathered(), done)
  }

  /** The block that the next byte goes into, unless it belongs to the next part. */
  #blockToGather(): PartBlock | undefined {
    if (this.#written >= this.#partSize) return undefined
    return this.#buffer?.blockAt(this.#written)
  }

  /**
   * Hashes bytes that were just copied to a position of the part, when all before it is
   * hashed: they are read faster from the processor's cache than from the part. Another
   * thread might write into theirs where that is shared: then the copy is hashed.
   */
  #hashHot(bytes: Uint8Array, position: number): void {
    if (this.#hashed !== position || bytes.byteLength < largeChunk) return
    if (isSharedArrayBuffer(bytes.buffer)) return
    this.#hash ??= this.#options.xxh64.create()
    this.#hash.update(bytes)
    this.#hashed += bytes.byteLength
  }

  #pass(bytes: Uint8Array, done: () => void): void {
    this.#chopper.write(bytes, (error) => {
      if (error == null) done()
    })
  }

  /** A Buffer: of anything else the chopper makes a copy. */
  #takeGathered(): Buffer {
    const bytes = this.#gathered
    this.#gathered = 0
    if (this.#buffer === undefined) return Buffer.alloc(0)
    const from = this.#written - bytes
    const { start, bytes: block } = this.#buffer.blockAt(from)
    const { buffer, byteOffset } = block
    return Buffer.from(buffer, byteOffset + from - start, bytes)
  }

  #finish(done: () => void): void {
    this.#letGo()
    done()
  }

  #letGo(): void {
    this.#buffers.cancel(this.#takeBuffer)
    this.#buffer?.release()
    this.#buffer = undefined
    this.#onBuffer = undefined
  }

  #fail(error: Error): void {
    if (this.#isDestroyed) return
    this.destroy()
    this.#options.onError(error)
  }

  #reserve(then: () => void): void {
    this.#onBuffer = then
    this.#buffers.acquire(this.#takeBuffer, this.#partSize)
  }

  readonly #takeBuffer = (buffer: PartBuffer): void => {
    this.#buffer = buffer
    const then = this.#onBuffer
    this.#onBuffer = undefined
    then?.()
  }

  #begin(stream: PassThrough, next: () => void): void {
    const buffer = this.#buffer
    if (buffer === undefined) throw new Error('a part was begun unasked')
    const hash = (this.#hash ??= this.#options.xxh64.create())
    this.#isFilling = true
    this.#chopper.size = this.#partSize
    stream.on('data', (chunk: Uint8Array) => this.#fill(buffer, hash, chunk))
    stream.once('end', () => this.#cut(buffer, hash, next))
    stream.once('error', (error) => this.#fail(error))
  }

  #fill(buffer: PartBuffer, hash: Xxh64Stream, chunk: Uint8Array): void {
    if (this.#isDestroyed) return
    const isInPlace = isAt(chunk, buffer.blockAt(this.#filled), this.#filled)
    for (let start = 0; start < chunk.byteLength;) {
      const { start: before, bytes } = buffer.blockAt(this.#filled)
      const at = this.#filled - before
      const length = Math.min(blockSize, bytes.byteLength - at)
      const piece =
        start === 0 && chunk.byteLength <= length
          ? chunk
          : chunk.subarray(start, start + length)
      if (!isInPlace) {
        bytes.set(piece, at)
        this.#hashHot(piece, this.#filled)
      }
      start += piece.byteLength
      this.#filled += piece.byteLength
      if (this.#filled - this.#hashed >= blockSize) this.#hashAll(buffer, hash)
    }
  }

  /** All that has come out of the chopper. */
  #hashAll(buffer: PartBuffer, hash: Xxh64Stream): void {
    while (this.#hashed < this.#filled) {
      const { start, bytes } = buffer.blockAt(this.#hashed)
      const end = Math.min(this.#filled, start + bytes.byteLength)
      hash.update(bytes.subarray(this.#hashed - start, end - start))
      this.#hashed = end
    }
  }

  #cut(buffer: PartBuffer, hash: Xxh64Stream, next: () => void): void {
    if (this.#isDestroyed) return
    const size = this.#filled
    this.#hashAll(buffer, hash)
    this.#hash = undefined
    this.#buffer = undefined
    this.#isFilling = false
    this.#filled = 0
    this.#hashed = 0
    this.#written -= size
    const { sizes } = this.#options
    const partNumber = this.#partNumber++
    this.#partSize = partSizeAt(sizes, this.#partNumber)
    const part: CutPart = {
      partNumber,
      offset: offsetAt(sizes, partNumber),
      size,
      pieces: [...buffer.views(size)],
      xxh64: hex64(hash.digest()),
      release: buffer.release,
    }
    const onCut = this.#onCut
    this.#options.onPart(part, () => {
      if (!this.#isDestroyed) this.#reserve(next)
    })
    onCut?.()
  }
}

/** Whether some bytes are those of a block from a position of the part on. */
function isAt(
  { buffer, byteOffset }: Uint8Array,
  { start, bytes }: PartBlock,
  position: number,
): boolean {
  return (
    buffer === bytes.buffer &&
    byteOffset === bytes.byteOffset + position - start
  )
}
