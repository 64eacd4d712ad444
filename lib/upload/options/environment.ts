/** The outside of one upload: of the machine, of the process, of the disk. */
import type { FileSystem } from '../../checkpoint/file-system.js'
import { nodeFileSystem } from '../../checkpoint/file-system.js'
import { platformLocker, type Locker } from '../../checkpoint/lock.js'
import { realEnvironment, type Environment } from '../../environment.js'
import { processDigests, type Digests } from '../../hash/digest.js'
import {
  chunkCollections,
  type ChunkCollections,
} from '../source/chunk-collections.js'
import { nodeSourceFiles, type SourceFiles } from '../source/source-files.js'
import { spareBuffers, type SpareBuffers } from '../source/spare-buffers.js'

export interface UploadEnvironment extends Environment {
  readonly digests: Pick<Digests, 'digest' | 'create' | 'warmUp'>
  /** Where files to be uploaded are read. */
  readonly sourceFiles: SourceFiles
  /** Where logs given by a path are kept. */
  readonly logFiles: FileSystem
  /** What locks them. */
  readonly locker: () => Promise<Locker>
  /** Memory that passes from one upload to the next. */
  readonly spares: SpareBuffers
  /** Hears of the chunks that sources allocate. */
  readonly collections: Pick<ChunkCollections, 'took'>
}

/** What every upload has, unless a test hands it another. */
export const realUploadEnvironment: UploadEnvironment = {
  ...realEnvironment,
  digests: processDigests,
  sourceFiles: nodeSourceFiles,
  logFiles: nodeFileSystem,
  locker: () => platformLocker(),
  spares: spareBuffers,
  collections: chunkCollections,
}
