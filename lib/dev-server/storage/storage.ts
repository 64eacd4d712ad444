import type { DigestName } from '../body/digests.js'
import {
  incomingPath,
  openDirectory,
  readBuckets,
  writeBuckets,
  type Directory,
} from './directory.js'
import { ObjectTable } from './object-table.js'
import { receiveBlob, type Blob } from './receive-blob.js'
import { UploadTable } from './upload-table.js'

export interface StorageOptions {
  readonly buckets: readonly string[] | '*'
  /** Bytes are digested, not kept. */
  readonly discard: boolean
  /** Digests that are computed of every body. */
  readonly digests: readonly DigestName[]
}

/** Everything that a server keeps, in one directory. */
export class Storage {
  readonly directory: Directory
  readonly objects: ObjectTable
  readonly uploads: UploadTable
  readonly discard: boolean
  readonly #digests: readonly DigestName[]
  readonly #anyBucket: boolean
  readonly #buckets: Set<string>
  readonly #made: Set<string>

  constructor(root: string, options: StorageOptions) {
    this.directory = openDirectory(root)
    this.objects = new ObjectTable(this.directory)
    this.uploads = new UploadTable(this.directory)
    this.discard = options.discard
    this.#digests = options.digests
    this.#anyBucket = options.buckets === '*'
    this.#made = new Set(readBuckets(this.directory))
    this.#buckets = new Set(options.buckets === '*' ? [] : options.buckets)
  }

  hasBucket(name: string): boolean {
    return this.#anyBucket || this.#buckets.has(name) || this.#made.has(name)
  }

  makeBucket(name: string): void {
    this.#made.add(name)
    writeBuckets(this.directory, [...this.#made])
  }

  /** Receives a body into a file that is nobody's yet. */
  receive(
    chunks: AsyncIterable<Buffer>,
    digests: Iterable<DigestName>,
  ): Promise<Blob> {
    return receiveBlob(
      chunks,
      this.discard ? undefined : incomingPath(this.directory),
      [...this.#digests, ...digests],
    )
  }
}
