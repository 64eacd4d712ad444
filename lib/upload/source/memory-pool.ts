/**
 * The memory of all uploads of a process, in blocks of a few sizes.
 *
 * New memory costs a page fault for every 4 KiB, which is more than hashing what is
 * written there; so a block that comes back is the next one given out, to whatever
 * upload. Nothing may read or write it any more then.
 *
 * One that nobody has used for a while is let go, soon where no upload goes on. The
 * engine does not count shared memory and may look for it after hours, so it is made to
 * look; until it has, what was let go is given out again, by weak references, before
 * anything new is made: there is never more memory of one size than was in use at one
 * time.
 */
import type { Environment } from '../../environment.js'
import { isSharedArrayBuffer } from '../../realm.js'

const KiB = 1024
const MiB = 1024 * KiB

/** Bytes of blocks: what is short takes a small one, and few sizes serve all. */
const blockSizes = [64 * KiB, 256 * KiB, MiB, 4 * MiB] as const
const smallestBlock = blockSizes[0]
/** Bytes; nothing lies together that is longer. */
export const largestBlock = 4 * MiB

/** Bytes of the largest block that so many bytes fill, or of the smallest there is. */
export function blockWithin(bytes: number): number {
  return blockSizes.findLast((size) => size <= bytes) ?? smallestBlock
}

/** Bytes of the smallest block that has room for so many, or of the largest there is. */
export function blockAround(bytes: number): number {
  return blockSizes.find((size) => size >= bytes) ?? largestBlock
}

/** ms that a block is kept when nobody uses it, while uploads rest. */
const keptFor = 5000
/**
 * The same while others are in use. A part that is seldom needed would be let go and
 * made anew again and again; what is made later lies among the source's chunks, in the
 * C library's own memory, which then grows.
 */
const keptBesideOthers = 60_000
/** ms between two times that the engine is made to look. */
const urgedEvery = 1000
const mostUrges = 3
/** Less than this is not worth a collection, in bytes. */
const leastUrged = 16 * MiB

/** The blocks of one size that nobody uses, those last used at the end. */
interface Shelf {
  readonly kept: { memory: ArrayBufferLike; since: number }[]
  letGo: WeakRef<ArrayBufferLike>[]
}

export class MemoryPool {
  readonly #environment: Pick<Environment, 'timer' | 'monotonic'>
  readonly #urge: (bytes: number) => void
  readonly #shelves = new Map<string, Shelf>()
  #bytesInUse = 0
  #bytesKept = 0
  #isTimed = false

  /** `urge` makes the engine look for so many bytes that it does not count, when uploads rest. */
  constructor(
    environment: Pick<Environment, 'timer' | 'monotonic'>,
    urge: (bytes: number) => void,
  ) {
    this.#environment = environment
    this.#urge = urge
  }

  /** Bytes given out. */
  get bytesInUse(): number {
    return this.#bytesInUse
  }

  /** Bytes held for those who come next. */
  get bytesKept(): number {
    return this.#bytesKept
  }

  /** Bytes let go that the engine has not freed yet. */
  get bytesLetGo(): number {
    let bytes = 0
    for (const shelf of this.#shelves.values()) {
      shelf.letGo = shelf.letGo.filter((memory) => {
        const { byteLength = 0 } = memory.deref() ?? {}
        bytes += byteLength
        return byteLength > 0
      })
    }
    return bytes
  }

  /** A block of one of the sizes, shared with other threads or not. */
  take(size: number, isShared: boolean): Uint8Array {
    const shelf = this.#shelf(size, isShared)
    const memory = this.#found(shelf) ?? make(size, isShared)
    this.#bytesInUse += size
    return new Uint8Array(memory)
  }

  /** A block that was taken; nothing may look at it any more. */
  giveBack({ buffer: memory }: Uint8Array): void {
    const { byteLength } = memory
    const shelf = this.#shelf(byteLength, isSharedArrayBuffer(memory))
    this.#bytesInUse -= byteLength
    this.#bytesKept += byteLength
    shelf.kept.push({ memory, since: this.#environment.monotonic() })
    this.#look()
  }

  #shelf(size: number, isShared: boolean): Shelf {
    const name = `${size} ${isShared}`
    let shelf = this.#shelves.get(name)
    if (shelf === undefined) {
      shelf = { kept: [], letGo: [] }
      this.#shelves.set(name, shelf)
    }
    return shelf
  }

  #found(shelf: Shelf): ArrayBufferLike | undefined {
    const kept = shelf.kept.pop()
    if (kept !== undefined) {
      this.#bytesKept -= kept.memory.byteLength
      return kept.memory
    }
    while (shelf.letGo.length > 0) {
      const memory = shelf.letGo.pop()?.deref()
      if (memory !== undefined) return memory
    }
    return undefined
  }

  /** Later, unless it is to be done already. */
  #look(): void {
    if (this.#isTimed) return
    this.#isTimed = true
    this.#later(keptFor, () => {
      this.#isTimed = false
      this.#letGo()
      if (this.#bytesKept > 0) this.#look()
      else this.#urgeFor(mostUrges)
    })
  }

  #letGo(): void {
    const least = this.#bytesInUse > 0 ? keptBesideOthers : keptFor
    const latest = this.#environment.monotonic() - least
    for (const { kept, letGo } of this.#shelves.values()) {
      while (kept[0] !== undefined && kept[0].since <= latest) {
        const { memory } = kept[0]
        kept.shift()
        letGo.push(new WeakRef(memory))
        this.#bytesKept -= memory.byteLength
      }
    }
  }

  /** Once nothing is in use or kept: uploads that go on find what they need. */
  #urgeFor(times: number): void {
    const bytes = this.bytesLetGo
    if (times === 0 || bytes < leastUrged) return
    // Later, since what was just counted is held until this turn ends.
    this.#later(urgedEvery, () => {
      if (this.#bytesKept + this.#bytesInUse > 0) return
      this.#urge(bytes)
      this.#later(urgedEvery, () => this.#urgeFor(times - 1))
    })
  }

  #later(ms: number, work: () => void): void {
    this.#environment.timer(ms, work, { isIdle: true })
  }
}

function make(size: number, isShared: boolean): ArrayBufferLike {
  return isShared ? new SharedArrayBuffer(size) : new ArrayBuffer(size)
}
