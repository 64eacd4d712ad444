/**
 * An upload's share of memory: room for so many parts at once, and for so many bytes.
 *
 * A part is begun only when there is room for all of it, and takes blocks as it is
 * filled. There is always room for two parts. The first part of a stream may be all
 * there is, so it begins with a small block, and each that follows is larger.
 */
import type { Environment, Timer } from '../../environment.js'
import { blockWithin, type MemoryPool } from './memory-pool.js'

/** Where blocks come from and go to. */
export interface PartMemory {
  /**
   * A block for a part that has room for `left` more bytes. One that is larger
   * than `enough` is not needed.
   */
  take(left: number, enough: number): Uint8Array
  giveBack(block: Uint8Array): void
}

/**
 * Blocks of the process. Shared ones a worker can hash, and the engine does not count:
 * beside a source that allocates every chunk, counted parts make it collect all garbage
 * over and over. Copying and hashing take less time in memory that is not shared.
 */
export function pooled(pool: MemoryPool, isShared: boolean): PartMemory {
  return {
    take: (left, enough) =>
      pool.take(blockWithin(Math.min(left, enough)), isShared),
    giveBack: (block) => pool.giveBack(block),
  }
}

/** Parts that lie together, for who may hold on to them: used for nothing else. */
export function together(): PartMemory {
  const free: Uint8Array[] = []
  return {
    take: (left) => free.pop() ?? new Uint8Array(left),
    giveBack: (block) => void free.push(block),
  }
}

/** Some of a part's memory: bytes that lie together. */
export interface PartBlock {
  /** Bytes of the part before it. */
  readonly start: number
  readonly bytes: Uint8Array
}

/** A block this many times as large as all before it is too large for a first part. */
const growth = 4

export class PartBuffer {
  /** Bytes that it has room for. */
  readonly size: number
  readonly #memory: PartMemory
  readonly #isFirst: boolean
  readonly #onRelease: (buffer: PartBuffer) => void
  readonly #blocks: PartBlock[] = []
  /** What was taken, whole. */
  #taken: Uint8Array[] = []
  #end = 0

  constructor(
    size: number,
    memory: PartMemory,
    isFirst: boolean,
    onRelease: (buffer: PartBuffer) => void,
  ) {
    this.size = size
    this.#memory = memory
    this.#isFirst = isFirst
    this.#onRelease = onRelease
  }

  /** The block that a byte of the part is in, or goes into next. */
  blockAt(position: number): PartBlock {
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const block = this.#blocks[i]
      if (block === undefined || block.start > position) continue
      if (position < block.start + block.bytes.byteLength) return block
      break
    }
    return this.#grow()
  }

  #grow(): PartBlock {
    const start = this.#end
    const left = this.size - start
    if (left <= 0) throw new RangeError('a part has no room for more bytes')
    const enough = this.#isFirst ? growth * start : Infinity
    const whole = this.#memory.take(left, enough)
    const bytes = whole.subarray(0, left)
    const block = { start, bytes }
    this.#taken.push(whole)
    this.#blocks.push(block)
    this.#end += bytes.byteLength
    return block
  }

  /** Its first `size` bytes, in order; they are there until it is released. */
  *views(size: number): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < size;) {
      const { bytes } = this.blockAt(at)
      yield bytes.subarray(0, size - at)
      at += bytes.byteLength
    }
  }

  /** Gives its memory back: nothing may look at it any more. Idempotent. */
  readonly release = (): void => {
    // The first one is the largest but of a first part: on top for the next.
    for (const block of this.#taken.toReversed()) this.#memory.giveBack(block)
    this.#taken = []
    this.#onRelease(this)
  }
}

/** How much of an upload may be in memory at once. */
export interface PartRoom {
  /** Parts in hand. */
  readonly parts: number
  /** Bytes of them all; more where two parts take more. */
  readonly bytes: number
}

/**
 * Two parts that have grown are as fast as three where the source is what takes the
 * time. So a third one takes memory only when neither was given back for so long, in ms,
 * which is little beside what has gone by then; and from then on whenever there is room.
 */
const patience = 1000

interface Waiting {
  readonly size: number
  readonly callback: (buffer: PartBuffer) => void
}

export class PartBuffers {
  /** Bytes of a part, where none are named; one of more has grown. */
  readonly partSize: number
  #room: PartRoom
  readonly #memory: PartMemory
  readonly #waiting: Waiting[] = []
  readonly #out = new Set<PartBuffer>()
  #bytesInUse = 0
  #isBegun = false
  readonly #isShortFirst: boolean
  /** While a third part that has grown is held back, whenever it comes. */
  #timer: Environment['timer'] | undefined
  /** While one waits for that. */
  #heldBack: Timer | undefined

  /**
   * `room`: a number is of parts alone. `isShortFirst`: the first part may be all.
   * `timer`: by which a third part that has grown is held back; absent, none is.
   */
  constructor(
    partSize: number,
    room: number | PartRoom,
    memory: PartMemory,
    {
      isShortFirst = false,
      timer,
    }: {
      isShortFirst?: boolean
      timer?: Environment['timer'] | undefined
    } = {},
  ) {
    this.partSize = partSize
    this.#room =
      typeof room === 'number' ? { parts: room, bytes: Infinity } : room
    this.#memory = memory
    this.#isShortFirst = isShortFirst
    this.#timer = timer
  }

  /** From now on so much may be given out; who waits may have his turn. */
  allow(room: PartRoom): void {
    this.#room = room
    this.#serve()
  }

  /** How many buffers are given out. */
  get inUse(): number {
    return this.#out.size
  }

  /** A buffer now, if there is room for one. */
  tryAcquire(size = this.partSize): PartBuffer | undefined {
    return this.#hasRoom(size) ? this.#make(size) : undefined
  }

  #hasRoom(size: number): boolean {
    const isThird = size > this.partSize && this.inUse >= 2
    return this.#mayHave(size) && !(isThird && this.#timer !== undefined)
  }

  #mayHave(size: number): boolean {
    const { parts, bytes } = this.#room
    const most = Math.max(bytes, 2 * size)
    return this.inUse < parts && this.#bytesInUse + size <= most
  }

  #make(size: number): PartBuffer {
    const isFirst = this.#isShortFirst && !this.#isBegun
    this.#isBegun = true
    this.#bytesInUse += size
    const buffer = new PartBuffer(size, this.#memory, isFirst, this.#onRelease)
    this.#out.add(buffer)
    return buffer
  }

  /** Calls back with a buffer as soon as there is room for one; may be at once. */
  acquire(
    callback: (buffer: PartBuffer) => void,
    size: number = this.partSize,
  ): void {
    const buffer = this.tryAcquire(size)
    if (buffer === undefined) {
      this.#waiting.push({ size, callback })
      this.#serve()
    } else callback(buffer)
  }

  #holdBack(): void {
    this.#heldBack ??= this.#timer?.(
      patience,
      () => {
        this.#timer = undefined
        this.#serve()
      },
      { isIdle: true },
    )
  }

  #letThrough(): void {
    this.#heldBack?.cancel()
    this.#heldBack = undefined
  }

  readonly #onRelease = (buffer: PartBuffer): void => {
    if (!this.#out.delete(buffer)) return
    this.#bytesInUse -= buffer.size
    this.#letThrough()
    this.#serve()
  }

  #serve(): void {
    // A large part may have the room of several small ones.
    for (;;) {
      const [next] = this.#waiting
      if (next === undefined) return
      if (!this.#hasRoom(next.size)) {
        if (this.#mayHave(next.size)) this.#holdBack()
        return
      }
      this.#waiting.shift()
      next.callback(this.#make(next.size))
    }
  }

  /** Gives up waiting; for an end before its turn came. */
  cancel(callback: (buffer: PartBuffer) => void): void {
    const index = this.#waiting.findIndex((one) => one.callback === callback)
    if (index >= 0) this.#waiting.splice(index, 1)
    if (this.#waiting.length === 0) this.#letThrough()
  }
}
