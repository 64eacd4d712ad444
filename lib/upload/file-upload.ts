/**
 * The upload of one open file: runs of it until one ends in the object.
 *
 * A file can always be read again, so a run whose upload turned out to be gone,
 * or whose finished object turned out to be of other bytes, says so in the log
 * and is followed by another one that begins anew, on its own. Any other failure
 * ends the upload, and so does the signal; both leave a log to go on from.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { asError, UploadError } from '../errors.js'
import type { Emit } from './options/events.js'
import { ProgressCounter } from './options/progress.js'
import type { UploadResult } from './options/result.js'
import { needsDigests, type UploadSettings } from './options/settings.js'
import { Deferred } from './run/deferred.js'
import { suspended } from './run/errors.js'
import { UploadRun } from './run/run.js'
import type { UploadScope } from './run/trace.js'
import { FileParts, piecesOf } from './source/file-parts.js'
import type { FileSource } from './source/file-source.js'

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
      (progress) => this.#emit('progress', progress),
      environment.monotonic,
    )
  }

  /** Once. When it settles, nothing of it is left but the log. */
  async run(): Promise<UploadResult> {
    const { settings } = this.#options
    if (needsDigests(settings)) settings.environment.digests.warmUp()
    for (let runs = 1; ; runs++) {
      try {
        return await this.#runOnce()
      } catch (error) {
        if (runs === mostRuns || !this.#beginsAnew(error)) throw error
        this.#progress.startOver()
      }
    }
  }

  /** Whether the failed run was the end of its upload, not of ours. */
  #beginsAnew(error: unknown): boolean {
    if (!(error instanceof UploadError)) return false
    if (error.code === 'PAWL_UPLOAD_GONE') {
      this.#emit('restarted', { reason: 'upload-gone' })
      return true
    }
    return this.#run?.hasGivenUp === true
  }

  async #runOnce(): Promise<UploadResult> {
    const { source, settings, checkpoint, scope } = this.#options
    const ended = new Deferred<never>()
    let isEnding = false
    const end = (error: Error): void => {
      if (isEnding || run.state === 'done') return
      isEnding = true
      const tell = (): void => ended.reject(error)
      run.suspend(error).then(tell, tell)
    }
    const run = new UploadRun({
      settings,
      checkpoint,
      file: source.sight,
      checkSource: () => source.mustBeInPlace(),
      emit: this.#emit,
      scope,
      progress: this.#progress,
      onFailure: end,
    })
    this.#run = run
    const { signal } = settings
    const onAbort = (): void => {
      const error = suspended({
        key: settings.key,
        uploadId: run.uploadId,
        cause: signal?.reason,
        resumable: settings.isResumable,
      })
      run.stop(error)
      end(error)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      if (signal?.aborted === true) onAbort()
      return await Promise.race([this.#upload(run), ended.promise])
    } catch (error) {
      end(asError(error))
      // Rejects with what came first, and only when the log is free.
      return await ended.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #upload(run: UploadRun): Promise<UploadResult> {
    run.throwIfStopped()
    await run.open()
    await this.#feed(run)
    return run.finish()
  }

  async #feed(run: UploadRun): Promise<void> {
    const { source, settings } = this.#options
    const { size } = source
    const progress = this.#progress
    const isWhole = this.#isPutWhole(run)
    const parts = new FileParts(
      source,
      {
        largest: isWhole ? size : Math.min(size, run.partSize),
        concurrency: isWhole ? 1 : settings.concurrency,
        needsDigests: needsDigests(settings),
      },
      settings.environment,
      (bytes) => progress.read(bytes),
    )
    try {
      if (isWhole) {
        const whole = { partNumber: 1, offset: 0, size }
        run.takeWhole(await parts.take(whole, run.signal))
      } else await this.#feedParts(run, parts)
    } finally {
      parts.close()
    }
  }

  async #feedParts(run: UploadRun, parts: FileParts): Promise<void> {
    const { source, prove } = this.#options
    for (const piece of piecesOf(source.size, run.partSize)) {
      run.throwIfStopped()
      // A claim is judged in order, the unread parts among the read ones.
      if (run.isClaiming) await run.idle()
      if (prove === 'identity' && run.takeUnread(piece)) {
        this.#progress.read(piece.size)
        continue
      }
      run.takePart(await parts.take(piece, run.signal))
    }
  }

  #isPutWhole(run: UploadRun): boolean {
    const { source, multipartThreshold } = this.#options
    const { size } = source
    // What has been begun in parts goes on in parts, while there is a whole one.
    if (run.isContinued && size >= run.partSize) return false
    return size === 0 || (size < multipartThreshold && !run.isClaiming)
  }

  readonly #emit: Emit = (name, event) => {
    try {
      this.#options.emit(name, event)
    } catch (error) {
      // There is nothing left to fail.
      if (this.#run?.state === 'done') throw error
      this.#run?.fail(error)
    }
  }
}
