/** The outside of one upload: of the machine, of the process, of the disk. */
import type { FileSystem } from '../../checkpoint/file-system.js'
import { nodeFileSystem } from '../../checkpoint/file-system.js'
import { platformLocker, type Locker } from '../../checkpoint/lock.js'
import { realEnvironment, type Environment } from '../../environment.js'
import { processDigests, type Digests } from '../../hash/digest.js'
import type { PartSizes } from '../../checkpoint/growth.js'
import type { ObjectStore } from '../../store/object-store.js'
import { StoreLines } from '../../store/store-line.js'
import {
  ChunkCollections,
  urgeCollection,
} from '../source/chunk-collections.js'
import { MemoryPool } from '../source/memory-pool.js'
import { usualSizes } from './part-sizes.js'
import { nodeSourceFiles, type SourceFiles } from '../source/source-files.js'

/** What is known of a store only once it has answered. */
export interface StoreFacts {
  /** An answer of it was understood. */
  hasAnswered: boolean
  /** A finished object did not carry the mark that was sent. */
  dropsMarks: boolean
  /** Some part's or object's ETag was the MD5 of its bytes. */
  hasMd5Etags: boolean
}

/** What uploads learn of stores, for as long as these live. */
export class LearnedFacts {
  readonly #facts = new WeakMap<ObjectStore, StoreFacts>()

  of(store: ObjectStore): StoreFacts {
    const known = this.#facts.get(store)
    if (known !== undefined) return known
    const facts = {
      hasAnswered: false,
      dropsMarks: store.keepsMetadata === false,
      hasMd5Etags: false,
    }
    this.#facts.set(store, facts)
    return facts
  }
}

export interface UploadEnvironment extends Environment {
  readonly digests: Pick<Digests, 'digest' | 'create' | 'beside' | 'warmUp'>
  /** Where files to be uploaded are read. */
  readonly sourceFiles: SourceFiles
  /** Where logs given by a path are kept. */
  readonly logFiles: FileSystem
  /** What locks them. */
  readonly locker: () => Promise<Locker>
  /** What is known of stores. */
  readonly facts: LearnedFacts
  /** What uploads to one store share of the line to it. */
  readonly lines: StoreLines
  /** The memory of all uploads. */
  readonly pool: MemoryPool
  /** How large parts are where nobody says it. */
  readonly usualSizes: PartSizes
  /** Bytes of a log; a longer one begins anew when everything in it is over. */
  readonly longestTold: number
  /** Hears of the chunks that sources allocate. */
  readonly collections: Pick<ChunkCollections, 'took' | 'retain'>
}

/** What every upload has, unless a test hands it another. */
export const realUploadEnvironment: UploadEnvironment = {
  ...realEnvironment,
  digests: processDigests,
  sourceFiles: nodeSourceFiles,
  logFiles: nodeFileSystem,
  locker: () => platformLocker(),
  facts: new LearnedFacts(),
  lines: new StoreLines(realEnvironment),
  pool: new MemoryPool(realEnvironment, (bytes) => {
    processDigests.rest()
    urgeCollection(bytes)
  }),
  usualSizes,
  longestTold: 8 * 2 ** 20,
  collections: new ChunkCollections(),
}
