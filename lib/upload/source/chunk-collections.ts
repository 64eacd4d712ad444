/**
 * Has V8 free the chunks of sources while that is cheap.
 *
 * A chunk is memory beside the heap, free when V8 has collected. A young collection
 * would do, and costs next to nothing, but comes for every 32 MiB of chunks only; in a
 * small process 16 MiB lead to a full one, so that the whole heap is marked over and
 * over, at more than the cost of the upload.
 *
 * So what is left of the young heap is filled with garbage before that. A large one, as
 * Node 24 and 26 may have, is left alone, since it would take memory. For a file that is
 * piped in that pays from Node 24 on, and costs before. Figures: bench/README.md.
 */
import { getHeapSpaceStatistics } from 'node:v8'
import { isError } from '../../realm.js'

const MiB = 1024 ** 2
/** Bytes of chunks between two collections. */
const every = 10 * MiB
/** Both halves of the young heap, in bytes. */
const mostYoung = 64 * MiB
/** Elements, of 8 bytes each: an array that still counts as a small object. */
const length = 8192

/** Whether that is done unless a caller says it. */
export const collectsByDefault =
  Number(process.versions.node.split('.', 1)[0]) >= 24

export class ChunkCollections {
  #since = 0
  #garbage: unknown[] | undefined

  /** A source has allocated so many bytes; true when they led to a collection. */
  took(bytes: number): boolean {
    this.#since += bytes
    if (this.#since < every) return false
    this.#since = 0
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
  const spaces = getHeapSpaceStatistics()
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
  try {
    counted(Math.min(Math.max(bytes, leastUrged), mostUrged))
  } catch (error) {
    // Where memory is so scarce, V8 collects anyway.
    if (!isError(error) || error.name !== 'RangeError') throw error
  }
}

/** In a function of its own, so that nothing holds it afterwards. */
function counted(bytes: number): number {
  return new ArrayBuffer(bytes).byteLength
}
