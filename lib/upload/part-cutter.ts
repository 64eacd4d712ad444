/**
 * Cuts a stream of bytes into parts of one size. stream-chopper finds the
 * boundaries; this copies each piece into a pooled buffer and hashes it there.
 *
 * It owns at most one buffer, that of the part being filled, and a part is begun
 * only when a buffer is free and the taker wants more. Chunks are copied and
 * never kept. Four accidents of stream-chopper are prevented here:
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
import { hex64, type Xxh64, type Xxh64Stream } from '../hash/xxh64.js'
import type { PartBuffers } from './part-buffers.js'
import type { Part } from './part.js'

/**
 * How many bytes are hashed at once: few calls for small chunks, and still in
 * the processor's cache when they are hashed.
 */
const hashBlock = 128 * 1024

export interface PartCutterOptions {
  buffers: PartBuffers
  xxh64: Xxh64
  /** The first part's number. Default 1. */
  firstPartNumber?: number
  /** Takes each part; calls `next` (at once or later) when it wants another. */
  onPart(part: Part, next: () => void): void
  /** Called once, instead of any further part. */
  onError(error: Error): void
}

export class PartCutter {
  readonly #buffers: PartBuffers
  readonly #options: PartCutterOptions
  readonly #chopper: StreamChopper
  #partNumber: number
  /** The buffer of the part being filled, or reserved for the next one. */
  #buffer: Uint8Array | undefined
  #hash: Xxh64Stream | undefined
  #filled = 0
  #hashed = 0
  #isDestroyed = false
  /** What waits for a buffer. */
  #onBuffer: (() => void) | undefined
  /** What waits for the part being filled to be handed on. */
  #onCut: (() => void) | undefined

  constructor(options: PartCutterOptions) {
    this.#options = options
    this.#buffers = options.buffers
    this.#partNumber = options.firstPartNumber ?? 1
    this.#chopper = new StreamChopper({ size: options.buffers.partSize })
    this.#chopper.on('stream', (stream, next) => this.#begin(stream, next))
    this.#chopper.on('error', (error: Error) => this.#fail(error))
  }

  /** Takes a chunk; `done` is called when its last byte has been copied. */
  write(chunk: Uint8Array, done: () => void): void {
    if (chunk.byteLength === 0) {
      done()
      return
    }
    const written = (error: Error | null | undefined) => {
      if (error == null) done()
    }
    if (this.#buffer === undefined && this.#onBuffer === undefined) {
      this.#reserve(() => this.#chopper.write(chunk, written))
    } else {
      this.#chopper.write(chunk, written)
    }
  }

  /** No more bytes; `done` is called after the last part has been handed on. */
  end(done: () => void): void {
    this.#chopper.end(() => {
      if (this.#hash === undefined) this.#finish(done)
      else this.#onCut = () => this.#finish(done)
    })
  }

  /** Stops at once and gives its buffer back. Idempotent. */
  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.#letGo()
    this.#chopper.destroy()
  }

  #finish(done: () => void): void {
    this.#letGo()
    done()
  }

  #letGo(): void {
    this.#buffers.cancel(this.#takeBuffer)
    if (this.#buffer !== undefined) this.#buffers.release(this.#buffer)
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
    this.#buffers.acquire(this.#takeBuffer)
  }

  readonly #takeBuffer = (buffer: Uint8Array): void => {
    this.#buffer = buffer
    const then = this.#onBuffer
    this.#onBuffer = undefined
    then?.()
  }

  #begin(stream: PassThrough, next: () => void): void {
    const buffer = this.#buffer
    if (buffer === undefined) throw new Error('a part was begun unasked')
    const hash = this.#options.xxh64.create()
    this.#hash = hash
    this.#filled = 0
    this.#hashed = 0
    stream.on('data', (chunk: Uint8Array) => this.#fill(buffer, hash, chunk))
    stream.once('end', () => this.#cut(buffer, hash, next))
    stream.once('error', (error) => this.#fail(error))
  }

  #fill(buffer: Uint8Array, hash: Xxh64Stream, chunk: Uint8Array): void {
    if (this.#isDestroyed) return
    for (let start = 0; start < chunk.byteLength; start += hashBlock) {
      const block =
        chunk.byteLength <= hashBlock
          ? chunk
          : chunk.subarray(start, start + hashBlock)
      buffer.set(block, this.#filled)
      this.#filled += block.byteLength
      if (this.#filled - this.#hashed >= hashBlock) {
        hash.update(buffer.subarray(this.#hashed, this.#filled))
        this.#hashed = this.#filled
      }
    }
  }

  #cut(buffer: Uint8Array, hash: Xxh64Stream, next: () => void): void {
    if (this.#isDestroyed) return
    const size = this.#filled
    if (this.#hashed < size) hash.update(buffer.subarray(this.#hashed, size))
    this.#hash = undefined
    this.#buffer = undefined
    const partNumber = this.#partNumber++
    let isReleased = false
    const part: Part = {
      partNumber,
      offset: (partNumber - 1) * this.#buffers.partSize,
      size,
      data: buffer.subarray(0, size),
      xxh64: hex64(hash.digest()),
      release: () => {
        if (isReleased) return
        isReleased = true
        this.#buffers.release(buffer)
      },
    }
    const onCut = this.#onCut
    this.#options.onPart(part, () => {
      if (!this.#isDestroyed) this.#reserve(next)
    })
    onCut?.()
  }
}
