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
import { isGone, isOfVolume, mustBeMounted, withoutLinks } from './volume.js'
import type { AskOptions, FleetBucket } from './fleet-bucket.js'
import {
  decodeDone,
  decodeSlice,
  type DoneFile,
  encodeLines,
  type FailedFile,
  failedFile,
  fleetPrefix,
  keyIn,
  type JobOfFleet,
  markOf,
  planOf,
  type Slice,
  type SliceFile,
} from './manifest.js'

const MiB = 1024 ** 2
/** Bytes; shorter files are put in one request. */
const putBelow = 64 * MiB

const environment = {
  ...realUploadEnvironment,
  sourceFiles: withoutLinks(realUploadEnvironment.sourceFiles),
}

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
  /** The log of a file that is sent in parts, by its name; undefined: none. */
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

export class SliceWork {
  readonly #means: SliceMeans
  readonly #slice: Slice
  /** By what they were looked at as. */
  readonly #indexes = new WeakMap<JobFile, number>()
  readonly #isAgain: boolean
  /** What is done, and what earlier runs have noted as that. */
  readonly #done: DoneFile[]
  /** Keys of what earlier runs have noted. */
  readonly #earlier: ReadonlySet<string>
  /** How many of `done` are noted. */
  #noted: number
  readonly #failed: FailedFile[] = []
  /** As `failed`, of what may be the fault of this machine or its volume. */
  readonly #unread: [line: SliceFile, error: UploadError][] = []
  /** The first file that is not there, and how many. */
  #gone: { error: UploadError; count: number } | undefined
  #again: unknown
  #proved: number
  #isRefused = false

  private constructor(
    means: SliceMeans,
    slice: Slice,
    { isAgain, noted }: { isAgain: boolean; noted: readonly DoneFile[] },
  ) {
    this.#means = means
    this.#slice = slice
    this.#isAgain = isAgain
    const keys = new Set(slice.files.map(({ key }) => key))
    this.#done = noted.filter(({ key }) => keys.delete(key))
    this.#earlier = new Set(this.#done.map(({ key }) => key))
    this.#noted = this.#done.length
    this.#proved = this.#done.length
  }

  /**
   * Undefined when it is done. `isAgain`: it may have been begun before, so each file
   * that nobody has noted as done is asked for before it is sent. That costs a HEAD a
   * file, and repeats no body that has become an object, whatever the queue has
   * forgotten.
   */
  static async open(
    means: SliceMeans,
    { fleet, plan, slice }: JobOfFleet,
    isAgain: boolean,
  ): Promise<SliceWork | undefined> {
    const { bucket } = means
    const text = await bucket.get(keyIn(fleet, 'manifest', slice))
    const store = bucket.store.identity
    const found = text && decodeSlice(text, { fleet, slice, store })
    // Of another one of that name, in another bucket, what is done is not this one's.
    if (!found || planOf(found.nonce) !== plan) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        `that plan of the fleet ${fleet} has no slice ${slice} in ${store}; it may be one in another bucket`,
      )
    }
    const isDone = await bucket.find(keyIn(fleet, 'done', slice))
    if (isDone !== undefined) return undefined
    // A queue that has lost its last second does not know that it was begun.
    const doing = await bucket.get(keyIn(fleet, 'doing', slice))
    const noted = decodeDone(doing ?? '', { fleet, slice })
    return new SliceWork(means, found, {
      isAgain: isAgain || doing !== undefined,
      noted,
    })
  }

  /** The run has ended by what is true of all files: the bucket refuses, or is away. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** Per cent of its files that are settled, for whoever watches the queue. */
  get percent(): number {
    const settled = this.#done.length + this.#failed.length
    return Math.floor((100 * settled) / Math.max(1, this.#slice.files.length))
  }

  /**
   * Notes in the bucket what is done, so that whoever runs the slice again does not ask
   * for it: a slice comes to its end though its workers live shorter than a HEAD for
   * each of its files takes. Of two that run it at once the last is read; all that
   * either has noted is there. `isWorth`: only when it saves more HEADs than those that
   * a worker sends at the same time.
   */
  async note({ isWorth = false } = {}): Promise<void> {
    const { bucket, atOnce } = this.#means
    const { length } = this.#done
    const least = isWorth ? 2 * atOnce : 1
    if (length - this.#noted < least) return
    const { fleet, slice } = this.#slice
    const text = encodeLines(this.#done)
    await bucket.put(keyIn(fleet, 'doing', slice), text)
    this.#noted = length
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
    await this.#settleUnread()
    this.#isRefused = stopped !== undefined
    if (stopped !== undefined) throw stopped
    if (this.#again !== undefined) throw this.#again
    if (!isWhole) throw new Error('a slice that was not looked at whole')
    await this.#tellFailed()
    await bucket.putNew(keyIn(fleet, 'done', slice), encodeLines(this.#done))
    return {
      files: this.#done.length,
      bytes: this.#done.reduce((sum, { size }) => sum + size, 0),
      failed: this.#failed.length,
      proved: this.#proved,
    }
  }

  /** What an earlier run has told, and is not true any more, is taken back. */
  async #tellFailed(): Promise<void> {
    const { bucket } = this.#means
    const { fleet, slice } = this.#slice
    const key = keyIn(fleet, 'failed', slice)
    const isTold =
      this.#failed.length > 0 ||
      (this.#isAgain && (await bucket.find(key)) !== undefined)
    if (isTold) await bucket.put(key, encodeLines(this.#failed))
  }

  /**
   * A volume that is away fails a run of the slice. Files that fail again while others
   * of the slice are read have failed for good: their place on the disk is broken.
   */
  async #settleUnread(): Promise<void> {
    const isOfFiles = this.#isAgain && this.#done.length > this.#earlier.size
    for (const [line, error] of this.#unread) {
      if (isOfFiles) this.#failed.push(failedFile(line, error))
      else this.#again ??= error
    }
    if (this.#failed.length > 0) await mustBeMounted(this.#means.root)
    // Another worker may have the files, where this one has another root.
    const isElsewhere = this.#gone?.count === this.#slice.files.length
    if (isElsewhere && !this.#isAgain) this.#again ??= this.#gone?.error
  }

  async *#files(): AsyncGenerator<Found> {
    for (const [index, line] of this.#slice.files.entries()) {
      if (this.#earlier.has(line.key)) continue
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

  /**
   * Throws when this worker may write none of its keys: it is for other fleets, and
   * would have all files of this one fail for good.
   */
  mustBeOwn(): void {
    const { files, fleet, slice } = this.#slice
    const [first] = files
    if (first === undefined) return
    if (files.some(({ key }) => this.#isAllowed(key))) return
    throw new UploadError(
      'PAWL_INVALID_OPTION',
      `slice ${slice} of the fleet ${fleet} is not for this worker: ${this.#refusalOf(first.key)}`,
    )
  }

  #isAllowed(key: string): boolean {
    return key.startsWith(this.#means.prefix) && !key.startsWith(fleetPrefix)
  }

  #refusalOf(key: string): string {
    const { prefix } = this.#means
    return `the key ${JSON.stringify(key)} is not one that this worker may write: only those that begin with ${JSON.stringify(prefix)}`
  }

  /** A line of the bucket is input: of what it names only what may be is looked at. */
  async #look({ path, key }: SliceFile): Promise<JobFile> {
    const { root } = this.#means
    if (!this.#isAllowed(key)) {
      throw new UploadError('PAWL_INVALID_OPTION', this.#refusalOf(key), {
        key,
      })
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
    if (isOfVolume(error)) {
      this.#unread.push([line, error])
      return
    }
    if (error.transient) {
      this.#again ??= error
      return
    }
    if (isGone(error)) {
      const { error: first = error, count = 0 } = this.#gone ?? {}
      this.#gone = { error: first, count: count + 1 }
    }
    this.#failed.push(failedFile(line, error))
  }

  async #send(file: JobFile): Promise<void> {
    const index = this.#indexes.get(file) ?? -1
    const line = this.#slice.files[index]
    if (line === undefined) throw new Error('a file of no line')
    const mark = markOf(this.#slice, line)
    const made =
      (await this.#found(file, line, mark)) ??
      (await this.#upload(file, line, mark))
    const { key } = file
    this.#done.push({ key, ...made })
  }

  /** What is there already, and need not be sent. */
  async #found(
    file: JobFile,
    line: SliceFile,
    mark: string,
  ): Promise<Omit<DoneFile, 'key'> | undefined> {
    const { ifSame, bucket } = this.#means
    if (!this.#isAgain && ifSame !== 'skip') return undefined
    const { key, path, size } = file
    const head = await this.#head(key)
    if (head === undefined || head.size !== size) return undefined
    const made = { size, etag: head.etag, crc64: head.crc64 }
    if (this.#isAgain && head.mark === mark && isAsPlanned(file, line)) {
      this.#proved += 1
      return made
    }
    if (ifSame !== 'skip') return undefined
    const how = { digest: bucket.store.digest, partSize: undefined }
    return (await hasBytesOf(path, head, how)) ? made : undefined
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
    file: JobFile,
    line: SliceFile,
    mark: string,
  ): Promise<Omit<DoneFile, 'key'>> {
    const { bucket, object, signal, retry, timeout, checkpoint } = this.#means
    const { path, key, identity } = file
    const inOne = Math.min(putBelow, bucket.store.limits.maxPutSize)
    const log = file.size >= inOne ? checkpoint?.(this.#logOf(mark)) : undefined
    const { size, etag, crc64 } = await uploadFileOn(
      path,
      {
        store: bucket.store,
        key,
        signal,
        checkpoint: log ?? false,
        // Device and inode are other ones on another machine.
        sourceId: JSON.stringify([line.path, file.size, identity.mtime]),
        multipartThreshold: inOne,
        ...(object === undefined ? {} : { object }),
        ...(retry === undefined ? {} : { retry }),
        ...(timeout === undefined ? {} : { timeout }),
      },
      // The line's mark says that its planned bytes are there, and nothing else does.
      isAsPlanned(file, line)
        ? { ...environment, id: () => mark }
        : environment,
    )
    return { size, etag, crc64 }
  }

  #logOf(mark: string): string {
    return `${this.#slice.fleet}/${mark}`
  }
}

function isAsPlanned({ size, identity }: JobFile, line: SliceFile): boolean {
  const { mtime = identity.mtime } = line
  return line.size === size && mtime === identity.mtime
}
