/**
 * The memory of an upload: part buffers, made once and used again.
 *
 * Fresh buffers cost more than hashing (every page faults), so a buffer that
 * comes back is the next one given out, and one that comes back after `close()`
 * goes to the next upload. There are never more than `count`; who finds none
 * free waits its turn.
 */
import type { SpareBuffers } from './spare-buffers.js'

export interface PartBuffersOptions {
  /**
   * Shared memory, so that a worker can hash it. The engine does not count it
   * either: beside a source that allocates every chunk, counted parts make it
   * collect all garbage over and over. Copying and hashing take less time in
   * memory that is not shared. Default true.
   */
  isShared?: boolean
  /** Where buffers come from and go to; none when others may hold on to them. */
  spares?: SpareBuffers
}

export class PartBuffers {
  readonly partSize: number
  readonly count: number
  readonly #isShared: boolean
  readonly #free: Uint8Array[] = []
  readonly #waiting: ((buffer: Uint8Array) => void)[] = []
  readonly #spares: SpareBuffers | undefined
  #made = 0
  #isClosed = false

  /** `partSize` in bytes. */
  constructor(
    partSize: number,
    count: number,
    { isShared = true, spares }: PartBuffersOptions = {},
  ) {
    this.partSize = partSize
    this.count = count
    this.#isShared = isShared
    this.#spares = spares
  }

  /** How many buffers are given out. */
  get inUse(): number {
    return this.#made - this.#free.length
  }

  /** A buffer now, if one is free. */
  tryAcquire(): Uint8Array | undefined {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made >= this.count) return undefined
    this.#made++
    return this.#spares?.take(this.partSize, this.#isShared) ?? this.#make()
  }

  #make(): Uint8Array {
    return new Uint8Array(
      this.#isShared
        ? new SharedArrayBuffer(this.partSize)
        : new ArrayBuffer(this.partSize),
    )
  }

  /** Calls back with a buffer as soon as one is free; may be at once. */
  acquire(callback: (buffer: Uint8Array) => void): void {
    const buffer = this.tryAcquire()
    if (buffer === undefined) this.#waiting.push(callback)
    else callback(buffer)
  }

  release(buffer: Uint8Array): void {
    const next = this.#waiting.shift()
    if (next !== undefined) next(buffer)
    else if (this.#isClosed) this.#give(buffer)
    else this.#free.push(buffer)
  }

  /** Nothing is acquired any more; what is given out still comes back. */
  close(): void {
    this.#isClosed = true
    for (const buffer of this.#free.splice(0)) this.#give(buffer)
  }

  #give(buffer: Uint8Array): void {
    this.#made--
    this.#spares?.keep(buffer)
  }

  /** Gives up waiting; for an end before its turn came. */
  cancel(callback: (buffer: Uint8Array) => void): void {
    const index = this.#waiting.indexOf(callback)
    if (index >= 0) this.#waiting.splice(index, 1)
  }
}
