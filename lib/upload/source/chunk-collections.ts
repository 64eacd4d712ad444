/**
 * Has V8 free the chunks of sources while that is cheap.
 *
 * A chunk is memory beside the heap, free when V8 has collected. A young collection
 * would do, and costs next to nothing, but comes for every 32 MiB of chunks only: so
 * many lie there in vain. From Node 24 on, in a small process, 16 MiB lead to a full
 * one, so that the whole heap is marked over and over, at more than the cost of the
 * upload.
 *
 * So V8 is made to collect what is young before that. Node 20 and 22 do so when they
 * have counted 32 MiB: memory that is counted and never touched is what the chunks lack
 * of that, and no more, since V8 collects everything when it has counted 64. From Node
 * 24 on that does not help, and what is left of the young heap is filled with garbage. A
 * large one is left alone, since it would take memory. Figures: bench/README.md.
 */
import { isError } from '../../realm.js'

const MiB = 1024 ** 2
/** Bytes that V8 counts between two young collections by itself. */
const counts = 32 * MiB
/** Both halves of the young heap, in bytes. */
const mostYoung = 64 * MiB
/** Elements, of 8 bytes each: an array that still counts as a small object. */
const length = 8192

const isFilled = Number(process.versions.node.split('.', 1)[0]) >= 24
/** Bytes of chunks between two collections. */
const every = isFilled ? 10 * MiB : 12 * MiB
/** Bytes of a chunk of which a collection costs more than those that are left. */
const largest = isFilled ? Infinity : MiB / 4

export class ChunkCollections {
  #since = 0
  #garbage: unknown[] | undefined
  #isRetaining = false

  /**
   * Chunks are kept for a while, and their memory comes and goes in waves of 32 MiB.
   * The C library of Linux gives what is free at the end of its memory back to the
   * system, above twice the largest block that it ever got back: so each wave would
   * fault for every page again. It is given a block once, which nobody touches, so that
   * it keeps one wave. True when that was now.
   */
  retain(): boolean {
    if (this.#isRetaining) return false
    this.#isRetaining = true
    return isCounted(counts / 2, untouched)
  }

  /** A source has allocated so many bytes; true when they lead to a collection. */
  took(bytes: number): boolean {
    if (bytes >= largest) return false
    this.#since += bytes
    if (this.#since < every) return false
    const left = counts - this.#since
    this.#since = 0
    return isFilled ? this.#fill() : isCounted(left, resizable)
  }

  #fill(): boolean {
    const left = youngHeapLeft()
    // Held one after the other, so that no compiler leaves them out.
    for (let filled = 0; filled < left; filled += 8 * length) {
      // oxlint-disable-next-line unicorn/no-new-array -- quick to make, and never read
      this.#garbage = new Array<unknown>(length)
    }
    const isCollected = this.#garbage !== undefined
    this.#garbage = undefined
    return isCollected
  }
}

/** Bytes of the young heap that are free; 0 when it is too large to be filled. */
function youngHeapLeft(): number {
  // Not by an import: only Node 24 and later come here.
  const spaces = process.getBuiltinModule('node:v8').getHeapSpaceStatistics()
  const young = spaces.find(({ space_name: name }) => name === 'new_space')
  if (young === undefined || young.space_size > mostYoung) return 0
  return young.space_available_size
}

/** The most that is asked for at once, and the least that V8 looks up for. */
const mostUrged = 256 * MiB
const leastUrged = 64 * MiB

/**
 * Has V8 collect, for so many bytes of memory that it does not count: by as many
 * that it does count, which are never touched and so take none.
 */
export function urgeCollection(bytes: number): void {
  isCounted(Math.min(Math.max(bytes, leastUrged), mostUrged), mapped)
}

/** V8 has counted so many bytes more, that nobody holds. */
function isCounted(
  bytes: number,
  make: (bytes: number) => ArrayBuffer,
): boolean {
  try {
    return lengthOf(bytes, make) === bytes
  } catch (error) {
    // Where memory is so scarce, V8 collects anyway.
    if (!isError(error) || error.name !== 'RangeError') throw error
    return false
  }
}

/** In a function of its own, so that nothing holds the memory afterwards. */
function lengthOf(bytes: number, make: (bytes: number) => ArrayBuffer): number {
  return make(bytes).byteLength
}

/** Of so many bytes that it is mapped by itself, and so is clear without being touched. */
function mapped(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes)
}

/** Of the C library's own memory, and not cleared, which would touch it. */
function untouched(bytes: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(bytes).buffer
}

/**
 * As `mapped`, of any length, since that could change: other memory may have been used
 * before, and is cleared then, which touches it.
 */
function resizable(bytes: number): ArrayBuffer {
  // Newer than the library that is compiled for, and in Node 20.
  return Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: bytes }])
}
