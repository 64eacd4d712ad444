/**
 * Cuts a stream of bytes into parts. stream-chopper finds the boundaries; this copies
 * each piece into the part's blocks and hashes it there. Small chunks are copied first,
 * to where they belong, and go through the chopper together, as one view.
 *
 * It owns at most one buffer, that of the part being filled, and begins a part only
 * when there is room for one and the taker wants more. Chunks are copied, and kept only
 * where they last and their part is expected to be stored: its hash is all that is
 * wanted then. Where it is another one, or the bytes are asked for all the same, they
 * are copied late, and must still have the hash that they came with.
 *
 * Four accidents of stream-chopper are prevented here:
 *
 * - an empty chunk after an exact multiple would begin an empty part: dropped;
 * - its `finish` comes before the `end` of the last part: `end()` waits for both;
 * - an error on a part's stream is swallowed and shifts all later parts: it is
 *   forwarded and final;
 * - without `next` it waits in silence: `next` is called for every part once
 *   the taker is ready, and `destroy()` ends the chopper too.
 */
import type { PassThrough } from 'node:stream'
import type StreamChopper from 'stream-chopper'
import {
  offsetAt,
  type PartSizes,
  partSizeAt,
} from '../../checkpoint/growth.js'
import { UploadError } from '../../errors.js'
import {
  hex64,
  loadXxh64,
  type Xxh64,
  type Xxh64Stream,
} from '../../hash/xxh64.js'
import { LatePackage } from '../../late-package.js'
import { isSharedArrayBuffer, reasonOf } from '../../realm.js'
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
/**
 * Bytes of the largest part of which chunks are kept: those of a larger one would live
 * so long that only a full collection frees them.
 */
const mostKept = 16 * 1024 * 1024

const latePackage = new LatePackage<typeof StreamChopper>(
  'stream-chopper',
  async () => {
    const loaded = await import(/* webpackMode: "eager" */ 'stream-chopper')
    return loaded.default
  },
)

/** What a cutter cuts and hashes with. */
export interface CuttingTools {
  Chopper: typeof StreamChopper
  xxh64: Xxh64
}

/** Rejects with `PAWL_SOURCE_IO` when they cannot be read; the next call tries again. */
export async function loadCuttingTools(): Promise<CuttingTools> {
  const [Chopper, xxh64] = await Promise.all([
    latePackage.load().catch((cause: unknown) => {
      const text = `a stream cannot be cut without stream-chopper, which could not be loaded (${reasonOf(cause)})`
      throw new UploadError('PAWL_SOURCE_IO', text, { cause })
    }),
    loadXxh64(),
  ])
  return { Chopper, xxh64 }
}

/** A part as it was cut. */
export interface CutPart extends Piece {
  /** The bytes, in order. Valid until `release()`. */
  readonly pieces: readonly Uint8Array[]
  /**
   * Present where these are the source's own memory, which is good for nothing but to
   * say that the part came: gives the bytes in the part's memory. Throws
   * `PAWL_SOURCE_IO` when they are not those that came.
   */
  readonly copied?: () => readonly Uint8Array[]
  /** xxHash64 of the bytes, 16 lower-case hex digits. */
  readonly xxh64: string
  /** Gives the memory back. Idempotent. */
  readonly release: () => void
}

export interface PartCutterOptions {
  /** How large each part is. */
  sizes: PartSizes
  buffers: PartBuffers
  tools: CuttingTools
  /** Hears of what chunks allocate; absent, V8 is left alone. */
  collections: Pick<ChunkCollections, 'took' | 'retain'> | undefined
  /** The xxHash64 of a whole part that is stored, whose bytes nobody will want. */
  expected?: (partNumber: number) => string | undefined
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
  /** The same, while the last chunk lasts. */
  #lasting: ArrayBufferLike | undefined
  /** All of the part being filled, where it is not copied, and the hash it should have. */
  #kept: { pieces: Uint8Array[]; expected: string } | undefined
  /** Some of the part was copied after it had been hashed. */
  #isCopiedLate = false
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
    this.#chopper = new options.tools.Chopper({ size: this.#partSize })
    this.#chopper.on('stream', (stream, next) => this.#begin(stream, next))
    this.#chopper.on('error', (error: Error) => this.#fail(error))
  }

  /** Before the first chunk: the first part has that number. */
  beginAt(partNumber: number): void {
    this.#partNumber = partNumber
    this.#partSize = partSizeAt(this.#options.sizes, partNumber)
  }

  /**
   * Takes a chunk; `done` is called when its last byte has been copied. `isLasting`:
   * nobody writes into its memory later.
   */
  write(chunk: Uint8Array, done: () => void, isLasting = false): void {
    if (chunk.byteLength === 0) {
      done()
      return
    }
    this.#see(chunk.buffer)
    this.#lasting = isLasting ? chunk.buffer : undefined
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
    this.#lasting = undefined
    this.#kept = undefined
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
    const { byteLength } = chunk
    const block = byteLength < blockSize ? this.#blockToGather() : undefined
    const at = this.#written - (block?.start ?? 0)
    const left = (block?.bytes.byteLength ?? 0) - at
    if (block === undefined || byteLength > left) {
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
    if (this.#written >= this.#partSize || this.#kept !== undefined) {
      return undefined
    }
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
    this.#hash ??= this.#options.tools.xxh64.create()
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
    const hash = (this.#hash ??= this.#options.tools.xxh64.create())
    this.#isFilling = true
    this.#chopper.size = this.#partSize
    stream.on('data', (chunk: Uint8Array) => this.#fill(buffer, hash, chunk))
    stream.once('end', () => this.#cut(buffer, hash, next))
    stream.once('error', (error) => this.#fail(error))
  }

  #fill(buffer: PartBuffer, hash: Xxh64Stream, chunk: Uint8Array): void {
    if (this.#isDestroyed) return
    const kept = this.#keptWith(chunk)
    if (kept !== undefined) {
      hash.update(chunk)
      kept.push(chunk)
      this.#filled += chunk.byteLength
      this.#hashed = this.#filled
      return
    }
    this.#copyKept(buffer)
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

  /** Where a chunk is to be kept: with all before it, and as long as each of them lasts. */
  #keptWith({ buffer }: Uint8Array): Uint8Array[] | undefined {
    if (buffer !== this.#lasting) return undefined
    if (this.#filled === 0 && this.#partSize <= mostKept) {
      const expected = this.#options.expected?.(this.#partNumber)
      if (expected !== undefined) {
        this.#options.collections?.retain()
        this.#kept = { pieces: [], expected }
      }
    }
    return this.#kept?.pieces
  }

  #copyKept(buffer: PartBuffer): void {
    if (this.#kept === undefined) return
    copyInto(buffer, this.#kept.pieces)
    this.#kept = undefined
    this.#isCopiedLate = true
  }

  #copyLate(
    buffer: PartBuffer,
    kept: readonly Uint8Array[],
    { size, xxh64, partNumber }: CutPart,
  ): Uint8Array[] {
    copyInto(buffer, kept)
    const views = this.#checked(buffer, size, xxh64)
    if (views === undefined) throw changedLater(partNumber)
    return views
  }

  /** The bytes that were copied late; undefined when they are not those that came. */
  #checked(
    buffer: PartBuffer,
    size: number,
    xxh64: string,
  ): Uint8Array[] | undefined {
    const views = [...buffer.views(size)]
    const hash = this.#options.tools.xxh64.create()
    for (const view of views) hash.update(view)
    return hex64(hash.digest()) === xxh64 ? views : undefined
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
    const xxh64 = hex64(hash.digest())
    if (xxh64 !== this.#kept?.expected) this.#copyKept(buffer)
    const views = this.#isCopiedLate ? this.#checked(buffer, size, xxh64) : []
    if (views === undefined) {
      this.#fail(changedLater(this.#partNumber))
      return
    }
    const kept = this.#kept?.pieces
    this.#kept = undefined
    this.#isCopiedLate = false
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
      pieces: kept ?? [...buffer.views(size)],
      xxh64,
      release: buffer.release,
      ...(kept && { copied: () => this.#copyLate(buffer, kept, part) }),
    }
    const onCut = this.#onCut
    this.#options.onPart(part, () => {
      if (!this.#isDestroyed) this.#reserve(next)
    })
    onCut?.()
  }
}

/** Copies pieces into a part's memory, from its start on. */
function copyInto(buffer: PartBuffer, pieces: readonly Uint8Array[]): void {
  let at = 0
  for (const piece of pieces) {
    for (let from = 0; from < piece.byteLength;) {
      const { start, bytes } = buffer.blockAt(at)
      const room = bytes.byteLength - (at - start)
      const some = piece.subarray(from, from + room)
      bytes.set(some, at - start)
      at += some.byteLength
      from += some.byteLength
    }
  }
}

function changedLater(partNumber: number): UploadError {
  return new UploadError(
    'PAWL_SOURCE_IO',
    `the bytes of part ${partNumber} were changed in memory after the file stream had handed them on; copy what you change, or listen for 'data' yourself before it is piped`,
    { partNumber },
  )
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
