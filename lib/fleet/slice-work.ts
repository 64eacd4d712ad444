/**
 * The work of one slice: its files become objects, some at once, as those of
 * `pawl put -r` do. It may be done again after a kill, by any worker and by two at
 * once: an object that carries the mark of its line is the line's own, and is not
 * sent a second time. What fails for good is told, and the slice ends.
 */
import { UploadError } from '../errors.js'
import { hasBytesOf } from '../job/equal.js'
import { headOf } from '../job/head.js'
import type { Found, JobFile } from '../job/job-file.js'
import { runJob } from '../job/run-job.js'
import { lookAt } from '../job/walk.js'
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import type { ObjectOptions } from '../store/object-store.js'
import { placeBelow } from '../shared/parts-source.js'
import { realUploadEnvironment } from '../upload/options/environment.js'
import { uploadFileOn } from '../upload/file.js'
import type { AskOptions, FleetBucket } from './fleet-bucket.js'
import {
  decodeSlice,
  type DoneFile,
  encodeLines,
  type FailedFile,
  fleetPrefix,
  keyIn,
  markOf,
  type Slice,
  type SliceFile,
} from './manifest.js'

const MiB = 1024 ** 2
/** Bytes; shorter files are put in one request. */
const putBelow = 64 * MiB

/** What of a worker the work of its slices needs. */
export interface SliceMeans extends AskOptions {
  bucket: FleetBucket
  /** All that may be read. */
  root: string
  /** Of the keys that slices may name. */
  prefix: string
  /** Files at once. */
  atOnce: number
  object: ObjectOptions | undefined
  /** `skip`: an object of the same bytes is left, whoever has made it. */
  ifSame: 'skip' | 'send'
  /** The log of a file that is a slice of its own. */
  checkpoint: ((name: string) => Checkpoint) | undefined
  signal: AbortSignal
}

/** What a slice has come to. */
export interface SliceResult {
  /** Files that are objects now. */
  files: number
  /** Bytes in them. */
  bytes: number
  /** Files that failed for good. */
  failed: number
  /** Files that an earlier run of the slice had made. */
  proved: number
}

/** Which files of a slice are objects: a hint, as the queue keeps it. */
export class SliceProgress {
  readonly #bits: Uint8Array

  constructor(length: number, hint?: unknown) {
    this.#bits = new Uint8Array(Math.ceil(length / 8))
    if (typeof hint !== 'object' || hint === null || !('made' in hint)) return
    if (typeof hint.made !== 'string' || hint.made.length > 256) return
    this.#bits.set(
      Buffer.from(hint.made, 'base64').subarray(0, this.#bits.length),
    )
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  add(index: number): void {
    const byte = this.#bits[index >> 3]
    if (byte !== undefined) this.#bits[index >> 3] = byte | (1 << (index & 7))
  }

  /** As a job's progress. */
  toJSON(): { made: string } {
    return { made: Buffer.from(this.#bits).toString('base64') }
  }
}

export class SliceWork {
  readonly #means: SliceMeans
  readonly #slice: Slice
  /** By what they were looked at as. */
  readonly #indexes = new WeakMap<JobFile, number>()
  readonly #before: SliceProgress
  readonly progress: SliceProgress
  readonly #done: DoneFile[] = []
  readonly #failed: FailedFile[] = []
  #again: unknown
  #proved = 0

  private constructor(means: SliceMeans, slice: Slice, hint: unknown) {
    this.#means = means
    this.#slice = slice
    const { length } = slice.files
    this.#before = new SliceProgress(length, hint)
    // The hint that is written replaces the earlier one, so it begins with what
    // that one knew.
    this.progress = new SliceProgress(length, hint)
  }

  /** Undefined when it is done. */
  static async open(
    means: SliceMeans,
    { fleet, slice }: { fleet: string; slice: number },
    hint: unknown,
  ): Promise<SliceWork | undefined> {
    const { bucket } = means
    const isDone = await bucket.find(keyIn(fleet, 'done', slice))
    if (isDone !== undefined) return undefined
    const text = await bucket.get(keyIn(fleet, 'manifest', slice))
    if (text === undefined) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        `the fleet ${fleet} has no slice ${slice} in the bucket`,
      )
    }
    const store = bucket.store.identity
    const found = decodeSlice(text, { fleet, slice, store })
    return new SliceWork(means, found, hint)
  }

  /** Rejects when the slice has to be run again. */
  async run(): Promise<SliceResult> {
    const { atOnce, signal, bucket } = this.#means
    const { fleet, slice } = this.#slice
    const { isWhole, stopped } = await runJob(
      this.#files(),
      { jobs: atOnce, isLarge: ({ size }) => size >= putBelow, signal },
      {
        send: (file) => this.#send(file),
        skipped: () => undefined,
        failed: (path, error, file) => this.#fail(path, error, file),
      },
    )
    signal.throwIfAborted()
    if (stopped !== undefined) throw stopped
    if (this.#again !== undefined) throw this.#again
    if (!isWhole) throw new Error('a slice that was not looked at whole')
    if (this.#failed.length > 0) {
      const text = encodeLines(this.#failed)
      await bucket.put(keyIn(fleet, 'failed', slice), text)
    }
    await bucket.putNew(keyIn(fleet, 'done', slice), encodeLines(this.#done))
    return {
      files: this.#done.length,
      bytes: this.#done.reduce((sum, { size }) => sum + size, 0),
      failed: this.#failed.length,
      proved: this.#proved,
    }
  }

  async *#files(): AsyncGenerator<Found> {
    for (const [index, line] of this.#slice.files.entries()) {
      try {
        const file = await this.#look(line)
        this.#indexes.set(file, index)
        yield { file }
      } catch (error) {
        // By its index: two lines may name one path.
        yield { path: String(index), error }
      }
    }
  }

  /** A line of the bucket is input: of what it names only what may be is looked at. */
  async #look({ path, key }: SliceFile): Promise<JobFile> {
    const { root, prefix } = this.#means
    if (!key.startsWith(prefix) || key.startsWith(fleetPrefix)) {
      throw new UploadError(
        'PAWL_INVALID_OPTION',
        `the key ${JSON.stringify(key)} is not one that this worker may write: only those that begin with ${JSON.stringify(prefix)}`,
        { key },
      )
    }
    return lookAt(await placeBelow(path, root), key)
  }

  #fail(path: string, error: unknown, file: JobFile | undefined): void {
    const index = file === undefined ? Number(path) : this.#indexes.get(file)
    const line = this.#slice.files[index ?? -1]
    if (!(error instanceof UploadError) || line === undefined) {
      this.#again ??= error
      return
    }
    if (error.transient) {
      this.#again ??= error
      return
    }
    const { code, message } = error
    this.#failed.push({ ...line, code, message })
  }

  async #send(file: JobFile): Promise<void> {
    const index = this.#indexes.get(file) ?? -1
    const line = this.#slice.files[index]
    if (line === undefined) throw new Error('a file of no line')
    const mark = markOf(this.#slice, line)
    const made =
      (await this.#own(file, line, mark, index)) ??
      (await this.#same(file)) ??
      (await this.#upload(file, mark))
    const { key } = file
    this.#done.push({ key, ...made })
    this.progress.add(index)
  }

  /** An earlier run of the slice has made it, and the file is what was planned. */
  async #own(
    file: JobFile,
    line: SliceFile,
    mark: string,
    index: number,
  ): Promise<Omit<DoneFile, 'key'> | undefined> {
    if (!this.#before.has(index)) return undefined
    const { size, identity } = file
    if (line.mtime !== identity.mtime || line.size !== size) return undefined
    const head = await this.#head(file.key)
    if (head?.mark !== mark || head.size !== size) return undefined
    this.#proved += 1
    return { size, etag: head.etag, crc64: head.crc64 }
  }

  async #same(file: JobFile): Promise<Omit<DoneFile, 'key'> | undefined> {
    if (this.#means.ifSame !== 'skip') return undefined
    const head = await this.#head(file.key)
    if (head === undefined || head.size !== file.size) return undefined
    const { digest } = this.#means.bucket.store
    const how = { digest, partSize: undefined }
    if (!(await hasBytesOf(file.path, head, how))) return undefined
    return { size: file.size, etag: head.etag, crc64: head.crc64 }
  }

  #head(key: string) {
    const { bucket, object, signal, retry, timeout } = this.#means
    const how = { object, signal }
    return headOf(bucket.store, key, {
      ...how,
      ...(retry === undefined ? {} : { retry }),
      ...(timeout === undefined ? {} : { timeout }),
    })
  }

  async #upload(
    { path, key, size: planned }: JobFile,
    mark: string,
  ): Promise<Omit<DoneFile, 'key'>> {
    const { bucket, object, signal, retry, timeout, checkpoint } = this.#means
    const { files, fleet, slice } = this.#slice
    const isAlone = files.length === 1 && planned >= putBelow
    const log = isAlone ? checkpoint?.(`${fleet}-${slice}`) : undefined
    const { size, etag, crc64 } = await uploadFileOn(
      path,
      {
        store: bucket.store,
        key,
        signal,
        // A kill costs one file, but for one that is a slice of its own.
        checkpoint: log ?? false,
        multipartThreshold: Math.min(putBelow, bucket.store.limits.maxPutSize),
        ...(object === undefined ? {} : { object }),
        ...(retry === undefined ? {} : { retry }),
        ...(timeout === undefined ? {} : { timeout }),
      },
      // A log knows its upload by a mark of its own.
      log === undefined
        ? { ...realUploadEnvironment, id: () => mark }
        : realUploadEnvironment,
    )
    return { size, etag, crc64 }
  }
}
