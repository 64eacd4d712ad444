/**
 * Watches how V8 frees the chunks of all sources of the process, while there are
 * any, and makes garbage when it needs some: see `collection-pace.ts`.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import { CollectionPace } from './collection-pace.js'

/** Elements, of 8 bytes each: an array that still counts as a small object. */
const length = 8192
const pieceBytes = 8 * length
/** Both halves of the young heap, in bytes: filling a larger one takes memory. */
const mostYoung = 32 * 1024 ** 2
/** Pieces between two looks at how large it is. */
const lookAfter = 64

class ChunkCollections {
  /** The last piece; held, so that no compiler leaves it out. */
  garbage: unknown[] | undefined
  readonly #pace = new CollectionPace()
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (isFull(entry)) this.#pace.collected()
    }
  })
  #users = 0
  #owed = 0
  #pieces = 0
  #isSmall = true

  /** Somebody takes chunks. */
  get isOpen(): boolean {
    return this.#users > 0
  }

  /** Somebody takes chunks from now on, until `close`. */
  open(): void {
    if (this.#users++ === 0) this.#observer.observe({ entryTypes: ['gc'] })
  }

  close(): void {
    if (--this.#users > 0) return
    this.#observer.disconnect()
    this.garbage = undefined
  }

  /** A chunk of so many bytes came by. */
  took(bytes: number): void {
    this.#owed += this.#pace.took(bytes)
    for (; this.#owed >= pieceBytes; this.#owed -= pieceBytes) {
      if (this.#pieces++ % lookAfter === 0) this.#isSmall = isYoungHeapSmall()
      if (!this.#isSmall) continue
      // oxlint-disable-next-line unicorn/no-new-array -- quick to make, and never read
      this.garbage = new Array<unknown>(length)
    }
  }
}

function isFull(collection: object): boolean {
  const { detail } = collection as { detail?: { kind?: number } }
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
}

function isYoungHeapSmall(): boolean {
  const spaces = getHeapSpaceStatistics()
  const young = spaces.find(({ space_name: name }) => name === 'new_space')
  return young !== undefined && young.space_size <= mostYoung
}

/** There is one heap, and so one of these. */
export const chunkCollections = new ChunkCollections()
