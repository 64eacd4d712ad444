/**
 * The memory of an upload: part buffers, made once and used again.
 *
 * Fresh buffers cost more than hashing (every page faults), so a buffer that
 * comes back is the next one given out. There are never more than `count`; who
 * finds none free waits its turn.
 */
export class PartBuffers {
  readonly partSize: number
  readonly count: number
  readonly #isShared: boolean
  readonly #free: Uint8Array[] = []
  readonly #waiting: ((buffer: Uint8Array) => void)[] = []
  #made = 0

  /**
   * `partSize` in bytes. Buffers are shared memory, so that a worker can hash
   * them. The engine does not count it either: beside a source that allocates
   * every chunk, counted parts make it collect all garbage over and over. With
   * `isShared: false` copying and hashing take less time.
   */
  constructor(partSize: number, count: number, { isShared = true } = {}) {
    this.partSize = partSize
    this.count = count
    this.#isShared = isShared
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
    if (next === undefined) this.#free.push(buffer)
    else next(buffer)
  }

  /** Gives up waiting; for an end before its turn came. */
  cancel(callback: (buffer: Uint8Array) => void): void {
    const index = this.#waiting.indexOf(callback)
    if (index >= 0) this.#waiting.splice(index, 1)
  }
}
