/**
 * The parts of a file, read or to be read, each with the memory it needs.
 *
 * A part is read as it is sent, through a buffer for a view, or two when no other
 * part is in flight to use the time. Where a digest goes before the bytes a part is
 * read whole into memory, and so only once, unless that would take too much.
 */
import { type PartSizes, partSizeAt } from '../../checkpoint/growth.js'
import type { Digests } from '../../hash/digest.js'
import { hex64, loadXxh64 } from '../../hash/xxh64.js'
import type { AtOnce } from '../../store/slots.js'
import { type ByteSource, FilePartContent } from './file-part-content.js'
import { blockAround, blockWithin, type MemoryPool } from './memory-pool.js'
import {
  type PartBuffer,
  PartBuffers,
  type PartRoom,
  pooled,
} from './part-buffers.js'
import { MemoryContent, type TakenPart, type Piece } from './part-content.js'

const MiB = 1024 * 1024
/** All views together, in bytes: more is not faster. */
const mostViews = 32 * MiB
/**
 * One view, in bytes: larger ones are no faster, and while few parts are in flight they
 * take blocks for which there is no use when more are.
 */
const largestView = MiB

/** The memory of one part in flight: how many views, of how many bytes. */
export function viewsOf(concurrency: number): { count: number; size: number } {
  const count = concurrency === 1 ? 2 : 1
  const size = Math.min(largestView, mostViews / concurrency / count)
  return { count, size: blockWithin(size) }
}

export interface FilePartsOptions {
  /** Bytes of the largest part that will be asked for. */
  largest: number
  /** How many may be in flight now. */
  atOnce: AtOnce
  /** Of every part the xxh64 is wanted. */
  needsXxh64: boolean
  /** Of every part another digest than xxh64 is wanted. */
  needsDigests: boolean
  /** How many parts are held at once; 0: they are read as they are sent. */
  held: number
}

export class FileParts {
  readonly #source: ByteSource
  /** Bytes of memory that the next part takes. */
  readonly #sizeOfNext: () => number
  readonly #buffers: PartBuffers
  readonly #isHeld: boolean
  readonly #needsXxh64: boolean
  readonly #digests: Pick<Digests, 'digest' | 'create' | 'beside'>
  readonly #onRead: (bytes: number) => void

  constructor(
    source: ByteSource,
    options: FilePartsOptions,
    means: {
      digests: Pick<Digests, 'digest' | 'create' | 'beside'>
      pool: MemoryPool
    },
    onRead: (bytes: number) => void,
  ) {
    const { largest, atOnce, needsDigests, held } = options
    this.#source = source
    this.#digests = means.digests
    this.#onRead = onRead
    this.#isHeld = held > 0
    this.#needsXxh64 = options.needsXxh64
    // Parts that are held are read and hashed while those before them are sent, as many
    // as may follow at once.
    const room = (): PartRoom =>
      this.#isHeld
        ? { parts: Math.min(held, 2 * atOnce.allowed + 1), bytes: Infinity }
        : { parts: atOnce.allowed, bytes: mostViews }
    this.#sizeOfNext = () =>
      this.#isHeld ? largest : bytesOfViews(largest, atOnce.allowed)
    const memory = pooled(means.pool, this.#isHeld || needsDigests)
    this.#buffers = new PartBuffers(largest, room(), memory)
    atOnce.watch(() => this.#buffers.allow(room()))
  }

  /** Waits for a buffer; rejects with the signal's reason instead. */
  async take(piece: Piece, signal: AbortSignal): Promise<TakenPart> {
    const buffer = await this.#acquire(signal)
    try {
      const content = this.#isHeld
        ? await this.#read(piece, buffer)
        : this.#unread(piece, buffer)
      return { ...piece, content, release: buffer.release }
    } catch (error) {
      buffer.release()
      throw error
    }
  }

  async #read(piece: Piece, buffer: PartBuffer): Promise<MemoryContent> {
    const { offset, size } = piece
    const views = [...buffer.views(size)]
    const xxh64 = this.#needsXxh64 ? (await loadXxh64()).create() : undefined
    let at = offset
    for (const view of views) {
      await this.#source.read(view, at)
      xxh64?.update(view)
      at += view.byteLength
    }
    // What was written to after this is found before the object is made.
    await this.#source.mustBeUnchanged()
    this.#onRead(size)
    const hash = xxh64 && hex64(xxh64.digest())
    return new MemoryContent(views, hash, this.#digests)
  }

  #unread({ offset, size }: Piece, buffer: PartBuffer): FilePartContent {
    return new FilePartContent({
      source: this.#source,
      offset,
      size,
      buffers: [...buffer.views(buffer.size)],
      digests: this.#digests,
      onRead: this.#onRead,
    })
  }

  #acquire(signal: AbortSignal): Promise<PartBuffer> {
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#buffers.cancel(onBuffer)
        reject(signal.reason)
      }
      const onBuffer = (buffer: PartBuffer): void => {
        signal.removeEventListener('abort', onAbort)
        resolve(buffer)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#buffers.acquire(onBuffer, this.#sizeOfNext())
    })
  }
}

/** Views instead of a part: bytes of as many as it needs while so many go. */
function bytesOfViews(largest: number, atOnce: number): number {
  const views = viewsOf(atOnce)
  const size = Math.min(views.size, blockAround(largest))
  return size * Math.min(views.count, Math.ceil(largest / size))
}

/** Where the parts of `size` bytes are, in order. */
export function* piecesOf(size: number, sizes: PartSizes): Generator<Piece> {
  for (let offset = 0, partNumber = 1; offset < size; partNumber++) {
    const length = Math.min(partSizeAt(sizes, partNumber), size - offset)
    yield { partNumber, offset, size: length }
    offset += length
  }
}
