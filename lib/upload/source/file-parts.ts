/**
 * The parts of a file, read or to be read, each with the memory it needs.
 *
 * A part is read as it is sent, through a buffer for a view, or two when no other
 * part is in flight to use the time. Where a digest goes before the bytes a part is
 * read whole into memory, and so only once, unless that would take too much or it has to
 * be sent again.
 */
import { partSizeAt, type PartSizes } from '../../checkpoint/growth.js'
import type { DigestBeside, Digests } from '../../hash/digest.js'
import { hex64, loadXxh64 } from '../../hash/xxh64.js'
import { isSharedArrayBuffer } from '../../realm.js'
import type { Body } from '../../store/object-store.js'
import type { AtOnce } from '../../store/slots.js'
import type { FileSource } from './file-source.js'
import { blockAround, blockWithin, type MemoryPool } from './memory-pool.js'
import {
  type PartBuffer,
  PartBuffers,
  type PartMemory,
  type PartRoom,
  pooled,
} from './part-buffers.js'
import {
  type ContentAgain,
  type ContentDigest,
  createHash,
  HeldContent,
  type KnownDigests,
  MemoryContent,
  type PartContent,
  type Piece,
  type TakenPart,
} from './part-content.js'
import { bodyOf, type BodyPace } from './view-pace.js'

const MiB = 1024 * 1024
/** All views together, in bytes: more is not faster. */
const mostViews = 32 * MiB
/** One view, in bytes, of a file's first `begun` bytes, and of what follows. */
const largestView = MiB
const largestLater = 4 * MiB
/**
 * A read and a write cost the same however long they are: a long file takes a sixth less
 * CPU in large views. At its beginning they would add to the tens of MiB that V8 takes
 * for a moment, to compile undici's parser.
 */
const begun = 96 * MiB
/** Large views together, in bytes: when more parts are in flight they are small again. */
const mostLater = 16 * MiB

/** The memory of one part in flight: how many views, of how many bytes. */
export function viewsOf(
  concurrency: number,
  isBegun = false,
): { count: number; size: number } {
  const count = concurrency === 1 ? 2 : 1
  const views = concurrency * count
  const later = isBegun ? Math.min(largestLater, mostLater / views) : 0
  const size = Math.max(later, Math.min(largestView, mostViews / views))
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
  /** Those that are held are so until they are stored, and not only until they have left. */
  isKept?: boolean
}

export class FileParts {
  readonly #source: ByteSource
  /** Bytes of memory that the next part takes. */
  readonly #sizeOfNext: () => number
  /** Bytes of the parts that were taken. */
  #taken = 0
  readonly #buffers: PartBuffers
  readonly #memory: PartMemory
  readonly #isHeld: boolean
  readonly #isKept: boolean
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
    this.#isKept = options.isKept === true
    this.#needsXxh64 = options.needsXxh64
    // Parts that are held are read and hashed while those before them are sent, as many
    // as may follow at once.
    const room = (): PartRoom =>
      this.#isHeld
        ? { parts: Math.min(held, 2 * atOnce.allowed + 1), bytes: Infinity }
        : { parts: atOnce.allowed, bytes: mostViews }
    this.#sizeOfNext = () =>
      this.#isHeld
        ? largest
        : bytesOfViews(largest, viewsOf(atOnce.allowed, this.#taken >= begun))
    this.#memory = pooled(means.pool, this.#isHeld || needsDigests)
    this.#buffers = new PartBuffers(largest, room(), this.#memory)
    atOnce.watch(() => this.#buffers.allow(room()))
  }

  /** Waits for a buffer; rejects with the signal's reason instead. */
  async take(piece: Piece, signal: AbortSignal): Promise<TakenPart> {
    const buffer = await this.#acquire(signal)
    const { release } = buffer
    this.#taken += piece.size
    try {
      if (!this.#isHeld) {
        const buffers = [...buffer.views(buffer.size)]
        return { ...piece, content: this.#unread(piece, buffers), release }
      }
      const held = await this.#read(piece, buffer)
      if (this.#isKept) return { ...piece, content: held, release }
      const again = (known: KnownDigests): ContentAgain =>
        this.#again(piece, known)
      const content = new HeldContent(held, release, again)
      return { ...piece, content, release: () => content.release() }
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

  /** `known`: the digests that it gave when it was read before. */
  #unread(
    { offset, size }: Piece,
    buffers: readonly Uint8Array[],
    known?: KnownDigests,
  ): FilePartContent {
    return new FilePartContent({
      source: this.#source,
      offset,
      size,
      buffers,
      digests: this.#digests,
      onRead: this.#onRead,
      known,
    })
  }

  /** Through a view beside those of all others: who waits for room may hold a turn. */
  #again(piece: Piece, known: KnownDigests): ContentAgain {
    const view = this.#memory.take(Math.min(piece.size, largestView), Infinity)
    const content = this.#unread(piece, [view], known)
    return { content, release: () => this.#memory.giveBack(view) }
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

/** Views instead of a part: bytes of as many as it needs. */
function bytesOfViews(
  largest: number,
  views: ReturnType<typeof viewsOf>,
): number {
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

/** One digest of one pass. */
interface Hasher extends DigestBeside {
  kind: ContentDigest
}

/** Where the bytes of parts are read, as often as it takes. */
export type ByteSource = Pick<
  FileSource,
  'read' | 'mustBeUnchanged' | 'changed'
>

export interface FilePartOptions {
  source: ByteSource
  /** Bytes from the start of the file. */
  offset: number
  size: number
  /** The memory for views: one, or two in turn, of the same length. */
  buffers: readonly Uint8Array[]
  digests: Pick<Digests, 'create' | 'beside'>
  /** Hears of bytes read for the first time. */
  onRead: (bytes: number) => void
  /** It was read before, and its digests were these. */
  known?: KnownDigests | undefined
}

/**
 * A part of a file that is not held: read in views, hashed as it goes by, read
 * again for each attempt. Of shared memory a worker works the digests out beside the
 * sending, but for xxh64; a view is then read into only when it has done so.
 *
 * With two buffers the next view is read while one is on its way out; with one, other
 * parts use the time. One pass goes on at a time, and none after its iterator has
 * returned. Every pass must give the same digests, of a file that was not written to;
 * else `PAWL_SOURCE_CHANGED`, before the last view is handed out, so that no complete
 * body of mixed bytes ever reaches a server.
 */
export class FilePartContent implements PartContent {
  readonly size: number
  readonly isReadAnew = true
  readonly #options: FilePartOptions
  readonly #kinds: Set<ContentDigest>
  readonly #known: Map<ContentDigest, string>
  #pass: Promise<unknown> | undefined
  /** What still looks at the bytes of a view, or works out a digest. */
  readonly #hashing = new Set<Promise<unknown>>()
  #read: number
  /** A pass has come to its end. */
  #isRead: boolean

  constructor(options: FilePartOptions) {
    const { size, known } = options
    this.size = size
    this.#options = options
    this.#known = new Map(known)
    this.#kinds = new Set(known?.keys())
    this.#isRead = known !== undefined
    // What was read before is told of once.
    this.#read = this.#isRead ? size : 0
  }

  body(pace: BodyPace, onSent: (bytes: number) => void): Body {
    const views = () => this.#views(() => pace.size)
    return bodyOf({ size: this.size, views }, pace, onSent)
  }

  expect(kind: ContentDigest): void {
    this.#kinds.add(kind)
  }

  async digest(kind: ContentDigest): Promise<string> {
    // A pass that has come to its end may have it in a moment.
    await Promise.allSettled(this.#hashing)
    const known = this.#known.get(kind)
    if (known !== undefined) return known
    this.expect(kind)
    const pass = this.#readAll()
    this.#pass = pass
    await pass
    return this.digest(kind)
  }

  async settled(): Promise<void> {
    await Promise.allSettled([this.#pass])
    await Promise.allSettled(this.#hashing)
  }

  async #readAll(): Promise<void> {
    const views = this.#views(() => Infinity)
    while ((await views.next()).done !== true) {
      // Hashing is all that is wanted of them.
    }
  }

  /** `wanted`: bytes of the view that is read next, if there is room for them. */
  async *#views(
    wanted: () => number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { source, buffers, size, offset } = this.#options
    const hashers = await this.#makeHashers()
    /** What still looks at each buffer. */
    const looking = new Map<Uint8Array, Promise<unknown>>()
    let read = 0
    let turn = 0
    const readNext = async (): Promise<{
      buffer: Uint8Array
      view: Uint8Array
    }> => {
      const buffer = buffers[turn++ % buffers.length]
      if (buffer === undefined) throw new Error('a part without memory')
      await looking.get(buffer)
      const start = read
      const view = buffer.subarray(0, Math.min(wanted(), size - start))
      read += view.byteLength
      await source.read(view, offset + start)
      return { buffer, view }
    }
    let ahead: ReturnType<typeof readNext> | undefined
    let isEnded = false
    const atEnd = async (): Promise<void> => {
      await source.mustBeUnchanged()
      isEnded = true
      await this.#learn(hashers)
    }
    try {
      // No view comes of an empty part, and it has its digests all the same.
      if (size === 0) await atEnd()
      for (let end = 0; end < size;) {
        const { buffer, view } = await (ahead ?? readNext())
        end += view.byteLength
        const hashing = hashers.map((hasher) => hasher.update(view))
        looking.set(buffer, this.#holdUntil(Promise.all(hashing)))
        ahead = buffers.length > 1 && end < size ? readNext() : undefined
        // Its failure is told when its turn comes.
        ahead?.catch(() => undefined)
        this.#tellRead(end)
        if (end === size) await atEnd()
        yield view
      }
    } finally {
      // Nothing may be written into the buffers after this.
      await ahead?.catch(() => undefined)
      if (!isEnded) for (const hasher of hashers) void hasher.digest()
    }
  }

  #makeHashers(): Promise<Hasher[]> {
    const { digests, buffers, size } = this.#options
    const isShared = buffers.every(({ buffer }) => isSharedArrayBuffer(buffer))
    return Promise.all(
      [...this.#kinds].map(async (kind): Promise<Hasher> => {
        if (isShared && kind !== 'xxh64') {
          return { kind, ...(await digests.beside(kind, size)) }
        }
        const hash = await createHash(kind, digests)
        return {
          kind,
          update: async (data) => hash.update(data),
          digest: async () => hash.digest(),
        }
      }),
    )
  }

  /** The memory is not given back before it has settled. */
  #holdUntil(work: Promise<unknown>): Promise<unknown> {
    this.#hashing.add(work)
    const done = (): void => void this.#hashing.delete(work)
    work.then(done, done)
    return work
  }

  /** Of the first pass they are there in a moment; of any other they must be the same. */
  async #learn(hashers: readonly Hasher[]): Promise<void> {
    const isFirst = !this.#isRead
    this.#isRead = true
    const learning = hashers.map(async (hasher) => {
      const value = await hasher.digest()
      if (value === undefined) return
      const before = this.#known.get(hasher.kind)
      if (before !== undefined && before !== value) throw this.#changed()
      this.#known.set(hasher.kind, value)
    })
    const all = this.#holdUntil(Promise.all(learning))
    if (!isFirst) await all
  }

  #changed(): Error {
    const { source, offset } = this.#options
    return source.changed(
      `the ${this.size} bytes from ${offset} on are not the same when read again`,
    )
  }

  #tellRead(end: number): void {
    if (end <= this.#read) return
    this.#options.onRead(end - this.#read)
    this.#read = end
  }
}
