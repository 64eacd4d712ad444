/**
 * The parts of a file, read or to be read, each with the memory it needs.
 *
 * A part is read as it is sent, through a buffer for a view, or two when no other
 * part is in flight to use the time. Parts that need more digests than xxh64 are
 * read whole into one of `concurrency` part buffers, where a worker hashes them
 * beside that, unless it would take too much memory. Either way there are never
 * more buffers than parts in flight, and they are used again.
 */
import type { Digests } from '../../hash/digest.js'
import { hex64, loadXxh64 } from '../../hash/xxh64.js'
import { FilePartContent } from './file-part-content.js'
import type { FileSource } from './file-source.js'
import { PartBuffers } from './part-buffers.js'
import { MemoryContent, type TakenPart, type Piece } from './part-content.js'
import type { SpareBuffers } from './spare-buffers.js'
import { largestView } from './view-pace.js'

const KiB = 1024
const MiB = 1024 * KiB
/** Larger parts are not held. */
const largestHeld = 16 * MiB
/** All buffers of one upload together, at most. */
const mostMemory = 64 * MiB
/** All views together, at most: more is not faster. */
const mostViews = 16 * MiB
const leastView = 64 * KiB

/** Whether so many parts of such a size are held in memory. */
export function isHeld(partSize: number, concurrency: number): boolean {
  return partSize <= largestHeld && partSize * concurrency <= mostMemory
}

/** The memory of one part in flight: how many views, of how many bytes. */
export function viewsOf(concurrency: number): { count: number; size: number } {
  const count = concurrency === 1 ? 2 : 1
  const share = Math.floor(mostViews / concurrency / leastView) * leastView
  return { count, size: Math.min(largestView, Math.max(leastView, share)) }
}

export class FileParts {
  readonly #source: FileSource
  readonly #buffers: PartBuffers
  readonly #isHeld: boolean
  readonly #viewCount: number
  readonly #digests: Pick<Digests, 'digest' | 'create'>
  readonly #onRead: (bytes: number) => void

  /**
   * `largest`: bytes of the largest part that will be asked for; `needsDigests`:
   * of every part another one than xxh64 is wanted.
   */
  constructor(
    source: FileSource,
    sizes: { largest: number; concurrency: number; needsDigests: boolean },
    means: {
      digests: Pick<Digests, 'digest' | 'create'>
      spares: SpareBuffers
    },
    onRead: (bytes: number) => void,
  ) {
    const { largest, concurrency, needsDigests } = sizes
    this.#source = source
    this.#digests = means.digests
    this.#onRead = onRead
    this.#isHeld = needsDigests && isHeld(largest, concurrency)
    const { count, size } = viewsOf(concurrency)
    this.#viewCount = count
    this.#buffers = new PartBuffers(
      Math.min(largest, this.#isHeld ? largest : count * size),
      concurrency,
      { isShared: this.#isHeld, spares: means.spares },
    )
  }

  /** Waits for a buffer; rejects with the signal's reason instead. */
  async take(piece: Piece, signal: AbortSignal): Promise<TakenPart> {
    const buffer = await this.#acquire(signal)
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      this.#buffers.release(buffer)
    }
    try {
      const content = this.#isHeld
        ? await this.#read(piece, buffer)
        : this.#unread(piece, buffer)
      return { ...piece, content, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Nothing is taken any more; parts in flight still bring their memory back. */
  close(): void {
    this.#buffers.close()
  }

  async #read(piece: Piece, buffer: Uint8Array): Promise<MemoryContent> {
    const { offset, size } = piece
    const data = buffer.subarray(0, size)
    await this.#source.read(data, offset)
    // What was written to after this is found before the object is made.
    await this.#source.mustBeUnchanged()
    this.#onRead(size)
    const xxh64 = (await loadXxh64()).create()
    xxh64.update(data)
    return new MemoryContent(data, hex64(xxh64.digest()), this.#digests)
  }

  #unread({ offset, size }: Piece, buffer: Uint8Array): FilePartContent {
    const source = this.#source
    const onRead = this.#onRead
    const digests = this.#digests
    const buffers = [...viewsIn(buffer, this.#viewCount)]
    return new FilePartContent({
      source,
      offset,
      size,
      buffers,
      digests,
      onRead,
    })
  }

  #acquire(signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const free = this.#buffers.tryAcquire()
    if (free !== undefined) return Promise.resolve(free)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#buffers.cancel(onBuffer)
        reject(signal.reason)
      }
      const onBuffer = (buffer: Uint8Array): void => {
        signal.removeEventListener('abort', onAbort)
        resolve(buffer)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#buffers.acquire(onBuffer)
    })
  }
}

/** A buffer in so many pieces of the same length, none of them empty. */
function* viewsIn(buffer: Uint8Array, count: number): Generator<Uint8Array> {
  const size = Math.floor(buffer.byteLength / count)
  if (size === 0) return yield buffer
  for (let i = 0; i < count; i++)
    yield buffer.subarray(i * size, (i + 1) * size)
}

/** Where the parts of `size` bytes are, in order. */
export function* piecesOf(size: number, partSize: number): Generator<Piece> {
  for (let offset = 0, partNumber = 1; offset < size; partNumber++) {
    const length = Math.min(partSize, size - offset)
    yield { partNumber, offset, size: length }
    offset += length
  }
}
