/**
 * The chunking stage as a stream of its own: bytes in, {@link Part} objects out.
 *
 * It holds back twice: a part is begun only when the reader wants one and when
 * one of its buffers is free, so its memory is `buffers * partSize`, whatever
 * is written into it.
 */
import { Transform, type TransformCallback } from 'node:stream'
import { invalidOption } from '../../errors.js'
import { asError } from '../../realm.js'
import { checkKnownOptions } from '../../known-options.js'
import { ChunkCollections, collectsByDefault } from './chunk-collections.js'
import { PartBuffers, together } from './part-buffers.js'
import { loadCuttingTools, PartCutter } from './part-cutter.js'

/** A piece of the object, cut and hashed. */
export interface Part {
  /** From 1. */
  readonly partNumber: number
  /** Bytes from the start of the object. */
  readonly offset: number
  /** Bytes; all parts but the last are of the same size. */
  readonly size: number
  /** The bytes. Valid until `release()`: afterwards they are another part's. */
  readonly data: Uint8Array
  /** xxHash64 of the bytes, 16 lower-case hex digits. */
  readonly xxh64: string
  /** Gives the memory back; nothing goes on while all of it is out. Idempotent. */
  release(): void
}

/** How {@link createPartStream} cuts. */
export interface PartStreamOptions {
  /** Bytes of every part but the last: a whole number from 1. */
  partSize: number
  /**
   * How many parts may be in hand at once, the one being filled included: a
   * whole number from 1. Nothing goes on while all of them wait for
   * `release()`. Default 2.
   */
  buffers?: number
  /** As of `createResumableUploadStream`. */
  chunkCollections?: boolean
}

/**
 * Cuts bytes into parts of `partSize`, hashing as they pass. Emits
 * {@link Part} objects; each must be released. Empty input gives no part.
 *
 * Throws `PAWL_INVALID_OPTION`.
 *
 * @example
 * for await (const part of source.pipe(createPartStream({ partSize: 8 << 20 }))) {
 *   console.log(part.partNumber, part.size, part.xxh64)
 *   part.release()
 * }
 */
export function createPartStream(options: PartStreamOptions): Transform {
  checkKnownOptions(options, {
    of: 'createPartStream',
    names: ['partSize', 'buffers', 'chunkCollections'],
    elsewhere: { size: 'partSize' },
  })
  const { partSize, buffers = 2 } = options
  const { chunkCollections = collectsByDefault } = options
  for (const [name, value] of Object.entries({ partSize, buffers })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      invalidOption(`${name} must be a whole number from 1, not ${value}`)
    }
  }
  const isKnown = [true, false].includes(chunkCollections)
  if (!isKnown) invalidOption('chunkCollections must be true or false')
  const collections = chunkCollections ? new ChunkCollections() : undefined
  const memory = new PartBuffers(partSize, buffers, together())
  return new PartStream(memory, collections)
}

class PartStream extends Transform {
  readonly #buffers: PartBuffers
  readonly #collections: ChunkCollections | undefined
  #cutter: PartCutter | undefined
  #next: (() => void) | undefined

  constructor(buffers: PartBuffers, collections: ChunkCollections | undefined) {
    super({ readableObjectMode: true, readableHighWaterMark: 1 })
    this.#buffers = buffers
    this.#collections = collections
  }

  override _construct(callback: (error?: Error | null) => void): void {
    loadCuttingTools().then(
      (tools) => {
        const { partSize } = this.#buffers
        this.#cutter = new PartCutter({
          sizes: { partSize },
          buffers: this.#buffers,
          tools,
          collections: this.#collections,
          onPart: ({ pieces, ...rest }, next) => {
            const [data = new Uint8Array(0)] = pieces
            const part: Part = { ...rest, data }
            if (this.push(part)) next()
            else this.#next = next
          },
          onError: (error) => this.destroy(error),
        })
        callback()
      },
      (error: unknown) => callback(asError(error)),
    )
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: TransformCallback,
  ): void {
    this.#cutter?.write(chunk, callback)
  }

  override _flush(callback: TransformCallback): void {
    this.#cutter?.end(callback)
  }

  override _read(size: number): void {
    const next = this.#next
    this.#next = undefined
    next?.()
    super._read(size)
  }

  override _destroy(
    error: Error | null,
    callback: (error?: Error | null) => void,
  ): void {
    this.#cutter?.destroy()
    callback(error)
  }
}
