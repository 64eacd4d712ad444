/**
 * An upload's share of memory: room for so many parts at once.
 *
 * A part is begun only when there is room for all of it, and takes blocks as it is
 * filled. Who finds no room waits his turn. The first part may be all there is, so
 * it begins with a small block, and each that follows is larger.
 */
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
 * Blocks of the process. Shared, so that a worker can hash them; the engine does
 * not count them either: beside a source that allocates every chunk, counted parts
 * make it collect all garbage over and over. Copying and hashing take less time in
 * memory that is not shared.
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
  readonly #size: number
  readonly #memory: PartMemory
  readonly #isFirst: boolean
  readonly #blocks: PartBlock[] = []
  /** What was taken, whole. */
  #taken: Uint8Array[] = []
  #end = 0

  /** `size`: bytes that there is room for. */
  constructor(size: number, memory: PartMemory, isFirst: boolean) {
    this.#size = size
    this.#memory = memory
    this.#isFirst = isFirst
  }

  /** Bytes that there is room for. */
  get size(): number {
    return this.#size
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
    const left = this.#size - start
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

  /** Nothing may look at it any more. */
  release(): void {
    // The first one is the largest but of a first part: on top for the next.
    for (const block of this.#taken.toReversed()) this.#memory.giveBack(block)
    this.#taken = []
  }
}

export class PartBuffers {
  readonly partSize: number
  readonly #memory: PartMemory
  readonly #waiting: ((buffer: PartBuffer) => void)[] = []
  #count: number
  #inUse = 0
  #bytes = 0
  #isBegun = false
  readonly #isShortFirst: boolean
  readonly #mostBytes: number
  readonly #sizeOfNext: () => number

  /**
   * `isShortFirst`: the first part may turn out to be much shorter. `mostBytes` of
   * all buffers that are given out, where `sizeOfNext` says how large each is.
   */
  constructor(
    partSize: number,
    count: number,
    memory: PartMemory,
    {
      isShortFirst = false,
      mostBytes = Infinity,
      sizeOfNext = () => partSize,
    } = {},
  ) {
    this.partSize = partSize
    this.#count = count
    this.#memory = memory
    this.#isShortFirst = isShortFirst
    this.#mostBytes = mostBytes
    this.#sizeOfNext = sizeOfNext
  }

  /** How many buffers may be given out. */
  get count(): number {
    return this.#count
  }

  /** From now on so many may be given out; who waits for one may get it. */
  allow(count: number): void {
    this.#count = count
    this.#serve()
  }

  /** How many buffers are given out. */
  get inUse(): number {
    return this.#inUse
  }

  /** A buffer now, if there is room for one. */
  tryAcquire(): PartBuffer | undefined {
    return this.#hasRoom() ? this.#make() : undefined
  }

  #hasRoom(): boolean {
    const bytes = this.#bytes + this.#sizeOfNext()
    return (
      this.#inUse < this.#count &&
      (this.#inUse === 0 || bytes <= this.#mostBytes)
    )
  }

  #make(): PartBuffer {
    const isFirst = this.#isShortFirst && !this.#isBegun
    this.#isBegun = true
    const size = this.#sizeOfNext()
    this.#inUse++
    this.#bytes += size
    return new PartBuffer(size, this.#memory, isFirst)
  }

  /** Calls back with a buffer as soon as there is room for one; may be at once. */
  acquire(callback: (buffer: PartBuffer) => void): void {
    const buffer = this.tryAcquire()
    if (buffer === undefined) this.#waiting.push(callback)
    else callback(buffer)
  }

  release(buffer: PartBuffer): void {
    buffer.release()
    this.#inUse--
    this.#bytes -= buffer.size
    this.#serve()
  }

  #serve(): void {
    while (this.#hasRoom()) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      next(this.#make())
    }
  }

  /** Gives up waiting; for an end before its turn came. */
  cancel(callback: (buffer: PartBuffer) => void): void {
    const index = this.#waiting.indexOf(callback)
    if (index >= 0) this.#waiting.splice(index, 1)
  }
}
