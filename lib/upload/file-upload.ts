/**
 * The upload of one open file: runs of it until one ends in the object.
 *
 * A file can always be read again, so a run whose upload turned out to be gone,
 * or whose finished object turned out to be of other bytes, says so in the log
 * and is followed by another one that begins anew, on its own. Any other failure
 * ends the upload, and so does the signal; both leave a log to go on from.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { type PartSizes, partsOf, partSizeAt } from '../checkpoint/growth.js'
import type { AtOnce } from '../store/slots.js'
import type { Emit } from './options/events.js'
import { ProgressCounter } from './options/progress.js'
import { heldAtOnce } from './options/part-sizes.js'
import type { UploadResult } from '../upload-result.js'
import {
  filePartsOf,
  needsDigests,
  type UploadSettings,
} from './options/settings.js'
import type { Ending } from './run/context.js'
import type { OpenRun } from './run/open-run.js'
import { UploadRun } from './run/run.js'
import type { UploadScope } from './run/trace.js'
import { mustBeAsTaken } from './source/file-part-content.js'
import { FileParts, piecesOf } from './source/file-parts.js'
import type { FileSource } from './source/file-source.js'
import { MemoryContent } from './source/part-content.js'

export interface FileUploadOptions {
  source: FileSource
  /** With the file's size. */
  settings: UploadSettings
  checkpoint: Checkpoint
  /** Files shorter than this, in bytes, are put in one request. */
  multipartThreshold: number
  /** `identity`: stored parts of a file that is unchanged are not read. */
  prove: 'identity' | 'hash'
  /** What it throws ends the upload. */
  emit: Emit
  /** While somebody watches the upload. */
  scope: UploadScope | undefined
}

/** All there is. */
const oneAtOnce: AtOnce = { allowed: 1, watch: () => undefined }

/** A server that loses uploads as fast as they are begun is not asked for ever. */
const mostRuns = 3

export class FileUpload {
  readonly #options: FileUploadOptions
  readonly #progress: ProgressCounter
  #run: UploadRun | undefined

  constructor(options: FileUploadOptions) {
    this.#options = options
    const { size, environment } = options.settings
    this.#progress = new ProgressCounter(
      size,
      (progress) => this.#run?.emit('progress', progress),
      environment,
    )
  }

  /** Once. When it settles, nothing of it is left but the log. */
  async run(): Promise<UploadResult> {
    const { settings, emit, source } = this.#options
    if (needsDigests(settings) && !source.isSmall) {
      settings.environment.digests.warmUp()
    }
    for (let runs = 1; ; runs++) {
      const ending = await this.#runOnce()
      switch (ending.how) {
        case 'done':
          return ending.result
        case 'suspended':
        case 'failed':
          throw ending.error
        case 'begins-anew': {
          const { error, reason } = ending
          if (runs === mostRuns) throw error
          if (reason === 'upload-gone') emit('restarted', { reason })
          this.#progress.startOver()
        }
      }
    }
  }

  async #runOnce(): Promise<Ending> {
    const { source, settings, checkpoint, scope, emit } = this.#options
    const { digests } = settings.environment
    const run = new UploadRun({
      settings,
      checkpoint: async () => checkpoint,
      file: source.sight,
      // The file must be what was uploaded of it, whatever its times say.
      checkSource: (taken) => mustBeAsTaken(source, taken, digests),
      emit,
      scope,
      progress: this.#progress,
    })
    this.#run = run
    try {
      const open = await run.open()
      await this.#feed(open, run.signal)
      open.finish()
    } catch (error) {
      // The run's own failure, or the source's, which ends the run.
      run.fail(error)
    }
    return run.ending
  }

  async #feed(run: OpenRun, signal: AbortSignal): Promise<void> {
    const { source, settings } = this.#options
    const { size } = source
    const progress = this.#progress
    const isWhole = this.#isPutWhole(run)
    if (isWhole && source.isSmall) {
      const content = new MemoryContent(
        [await source.readWhole()],
        undefined,
        settings.environment.digests,
        { isOwn: true },
      )
      progress.read(size)
      const release = (): void => undefined
      run.takeWhole({ partNumber: 1, offset: 0, size, content, release })
      return
    }
    const parts = new FileParts(
      source,
      {
        ...filePartsOf(settings, isWhole ? size : largestIn(size, run.sizes)),
        atOnce: isWhole ? oneAtOnce : run.atOnce,
        // PutObject has the MD5 of what it carries.
        ...(isWhole && {
          held: heldAtOnce(size, { ...settings, concurrency: 1 }),
        }),
      },
      settings.environment,
      (bytes) => progress.read(bytes),
    )
    if (isWhole) {
      const whole = { partNumber: 1, offset: 0, size }
      run.takeWhole(await parts.take(whole, signal))
    } else await this.#feedParts(run, parts, signal)
  }

  async #feedParts(
    run: OpenRun,
    parts: FileParts,
    signal: AbortSignal,
  ): Promise<void> {
    const { source, prove } = this.#options
    for (const piece of piecesOf(source.size, run.sizes)) {
      signal.throwIfAborted()
      // Parts are proved in order, the unread among those that are read.
      if (run.isProving) await run.idle()
      if (prove === 'identity' && run.takeUnread(piece)) {
        this.#progress.read(piece.size)
        continue
      }
      run.takePart(await parts.take(piece, signal))
    }
  }

  #isPutWhole(run: OpenRun): boolean {
    const { source, multipartThreshold } = this.#options
    const { size } = source
    if (run.mayHavePut(size)) return true
    // What has been begun in parts goes on in parts, while there is a whole one.
    if (run.isContinued && size >= run.sizes.partSize) return false
    return size === 0 || (size < multipartThreshold && !run.isProving)
  }
}

/** Bytes; parts are as large only where so many bytes come to them. */
function largestIn(size: number, sizes: PartSizes): number {
  return Math.min(size, partSizeAt(sizes, partsOf(sizes, size)))
}
