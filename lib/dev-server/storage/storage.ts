import type { DigestName } from '../body/digests.js'
import {
  incomingPath,
  openDirectory,
  readBuckets,
  writeBuckets,
  type Directory,
  type Warn,
} from './directory.js'
import { ObjectTable } from './object-table.js'
import { receiveBlob, type Blob } from './receive-blob.js'
import { UploadTable } from './upload-table.js'
import type { Upload } from './upload.js'

export interface StorageOptions {
  readonly buckets: readonly string[] | '*'
  /** Bytes are digested, not kept. */
  readonly discard: boolean
  /** Digests that are computed of every body. */
  readonly digests: readonly DigestName[]
  /** Told of what is passed over. */
  readonly warn: Warn
}

/** A bucket that exists. */
export interface Bucket {
  readonly name: string
  /** ms since 1970 at which it was made, or the server started. */
  readonly time: number
}

/** Everything that a server keeps, in one directory that it alone has. */
export class Storage {
  readonly directory: Directory
  readonly objects: ObjectTable
  readonly uploads: UploadTable
  readonly discard: boolean
  readonly #digests: readonly DigestName[]
  readonly #anyBucket: boolean
  /** By name; those that were there from the start, and those made since. */
  readonly #given: Map<string, number>
  readonly #made: Map<string, number>
  /** Buckets of any name that were deleted, until they are made again. */
  readonly #gone = new Set<string>()
  readonly #started = Date.now()

  constructor(root: string, options: StorageOptions) {
    this.directory = openDirectory(root)
    this.objects = new ObjectTable(this.directory, options.warn)
    this.uploads = new UploadTable(this.directory, options.warn)
    this.discard = options.discard
    this.#digests = options.digests
    this.#anyBucket = options.buckets === '*'
    const made = readBuckets(this.directory, options.warn)
    this.#made = new Map(made.map(({ name, time }) => [name, time]))
    const given = options.buckets === '*' ? [] : options.buckets
    this.#given = new Map(given.map((name) => [name, this.#started]))
  }

  hasBucket(name: string): boolean {
    const isKnown = this.#given.has(name) || this.#made.has(name)
    return isKnown || (this.#anyBucket && !this.#gone.has(name))
  }

  /** Those with a name of their own: where any exists, those in use. */
  buckets(): Bucket[] {
    const times = new Map([...this.#given, ...this.#made])
    const used = [
      ...this.objects.buckets(),
      ...this.uploads.all().map(({ record }) => record.bucket),
    ]
    for (const name of used) {
      if (!times.has(name) && this.hasBucket(name)) {
        times.set(name, this.#started)
      }
    }
    return [...times]
      .map(([name, time]) => ({ name, time }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** When a bucket was made, as far as that is known; ms since 1970. */
  bucketTime(name: string): number {
    return this.#made.get(name) ?? this.#started
  }

  makeBucket(name: string, time: number): void {
    this.#gone.delete(name)
    this.#made.set(name, time)
    this.#writeBuckets()
  }

  /** Deletes a bucket that is empty, and what was being uploaded to it. */
  async deleteBucket(name: string): Promise<void> {
    this.#gone.add(name)
    this.#given.delete(name)
    if (this.#made.delete(name)) this.#writeBuckets()
    const uploads = this.uploads
      .all()
      .filter(({ record }) => record.bucket === name)
    for (const upload of uploads) await this.#abort(upload)
  }

  async #abort(upload: Upload): Promise<void> {
    try {
      await upload.exclusively(() => this.uploads.remove(upload))
    } catch (error) {
      // An upload that was completed or aborted meanwhile is gone as well.
      if (upload.isOpen) throw error
    }
  }

  #writeBuckets(): void {
    const made = [...this.#made].map(([name, time]) => ({ name, time }))
    writeBuckets(this.directory, made)
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
