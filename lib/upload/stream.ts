/**
 * `createResumableUploadStream`: a Writable of bytes at whose end is an object. It
 * owns the cutter and one `UploadRun`, and turns the run's ends into a stream's:
 *
 * - bytes are taken only when the plan is fixed (`_construct`);
 * - `finish` comes only after the object is complete, compared, and the log gone;
 * - whatever ends it earlier ends in an error, also a `destroy()` without one:
 *   a pipeline must never resolve for an object that is not there;
 * - `result` settles last, when the lock is free, or a disk hangs that keeps it.
 */
import { Writable } from 'node:stream'
import { asError, isDetached, isError } from '../realm.js'
import { CallbackError, UploadError } from '../errors.js'
import { checkKnownOptions } from '../known-options.js'
import { Deferred } from '../signals.js'
import { discardUpload } from './discard.js'
import {
  checkCheckpoint,
  openableCheckpoint,
} from './options/checkpoint-place.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from './options/environment.js'
import type { Emit, StreamEvents } from './options/events.js'
import type { SkipOptions, UploadStreamOptions } from './options/options.js'
import type { UploadResult } from '../upload-result.js'
import {
  needsDigests,
  readStreamSettings,
  wholeNumber,
  type UploadSettings,
} from './options/settings.js'
import {
  alreadyComplete,
  discarded,
  logStuck,
  suspended,
} from './run/errors.js'
import type { OpenRun } from './run/open-run.js'
import { UploadRun } from './run/run.js'
import { cutterOf, loadCuttingTools } from './run/stream-cutter.js'
import { traceUpload, type UploadScope } from './run/trace.js'
import { LargeReads, LastingChunks } from './source/piped-file.js'

type Ending = Awaited<UploadRun['ending']>

/** A chunk of so many bytes takes longer to copy and to hash than a turn of the loop. */
const worthReadingAhead = 256 * 1024

/**
 * Uploads what is written into it, in parts, and goes on where an earlier run of
 * the same call stopped.
 *
 * Throws `PAWL_INVALID_OPTION` or `PAWL_VERIFY_UNSUPPORTED` at once for bad
 * options. Everything else is an `UploadError` on the stream and on `result`, but for
 * what is the caller's own: what the source has failed with, what `destroy()` was
 * given, what a listener has thrown, and what Node says of writing after the end.
 *
 * @example
 * const upload = createResumableUploadStream({
 *   store: ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' }),
 *   key: 'backups/db.dump.gz',
 *   checkpoint: './db.dump.pawl',
 * })
 * await pipeline(createReadStream('db.dump'), createGzip(), upload)
 * console.log(await upload.result)
 */
export function createResumableUploadStream(
  options: UploadStreamOptions,
): ResumableUploadStream {
  return new ResumableUploadStream(options)
}

/** Made by {@link createResumableUploadStream}. */
export class ResumableUploadStream extends Writable {
  /**
   * The finished object. Rejects with what ended the upload; a rejection that
   * nobody looks at is not an unhandled one. When it has settled, the log is
   * closed and the same call may be made again.
   */
  readonly result: Promise<UploadResult>
  readonly #settings: UploadSettings
  readonly #settled = new Deferred<UploadResult>()
  /** The plan is fixed, or will never be. */
  readonly #opened = new Deferred<OpenRun>()
  readonly #run: UploadRun
  readonly #largeReads = new LargeReads()
  readonly #lastingChunks = new LastingChunks()
  /** Made when the plan is fixed. */
  #cutter: ReturnType<typeof cutterOf> | undefined
  #isSkipped = false
  #isTaking = false
  /** Of the run; once its object is complete, or `result` is about to settle. */
  #ending: Ending | undefined
  #isDiscarding = false
  #discarding: Promise<void> | undefined
  #scope: UploadScope | undefined

  /** See {@link createResumableUploadStream}. */
  constructor(options: UploadStreamOptions)
  /** @internal */
  constructor(options: UploadStreamOptions, environment: UploadEnvironment)
  constructor(
    options: UploadStreamOptions,
    environment: UploadEnvironment = realUploadEnvironment,
  ) {
    const settings = readStreamSettings(options, environment)
    checkCheckpoint(options.checkpoint)
    super({
      ...(options.highWaterMark === undefined
        ? {}
        : {
            highWaterMark: wholeNumber(
              'highWaterMark',
              options.highWaterMark,
              0,
            ),
          }),
      emitClose: true,
    })
    this.#settings = settings
    this.result = this.#settled.promise
    traceUpload(settings, 'stream', (scope) => {
      this.#scope = scope
      return this.result
    }).catch(() => undefined)
    const emit: Emit = (name, event) => this.emit(name, event)
    this.#run = new UploadRun({
      settings,
      checkpoint: () => openableCheckpoint(options.checkpoint, settings),
      emit: this.#scope?.hear(emit) ?? emit,
      scope: this.#scope,
    })
    this.on('pipe', (source: unknown) => {
      this.#largeReads.begin(source)
      this.#lastingChunks.begin(source)
    })
    this.on('unpipe', (source: unknown) => {
      this.#largeReads.end(source)
      this.#lastingChunks.end(source)
    })
    this.#endOnMisuse('write')
    this.#endOnMisuse('end')
    const { signal: stopped } = this.#run
    stopped.addEventListener('abort', () =>
      this.destroy(asError(stopped.reason)),
    )
  }

  /** The upload's ID on the server, once there is one. */
  get uploadId(): string | undefined {
    return this.#run.uploadId
  }

  /**
   * Passes over what is stored: resolves to the offset of the first byte that
   * has to be written, in bytes. To be called once, before the first write.
   *
   * The parts before it are not compared with the source, so something has to say
   * that the source is the same: `sourceId` must be the log's, or `trustSource` be
   * true; else `PAWL_SOURCE_ID_REQUIRED`. Called again or later: `PAWL_INVALID_STATE`. So
   * too, and the upload suspends, when anything is written before it resolves.
   */
  async skipUploaded(options: SkipOptions = {}): Promise<number> {
    checkKnownOptions(options, {
      of: 'skipUploaded',
      names: ['trustSource'],
      elsewhere: { sourceId: 'sourceId, an option of the stream' },
    })
    const { trustSource = false } = options
    if (this.#isSkipped || this.#isBegun()) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        'skipUploaded() is for once, before the first write',
        { key: this.#settings.key },
      )
    }
    this.#isSkipped = true
    const run = await this.#opened.promise
    const { key, sourceDigest } = this.#settings
    const { uploadId } = run.upload
    if (this.#isBegun()) {
      // What was written is not known to begin where the stored parts end.
      const error = new UploadError(
        'PAWL_INVALID_STATE',
        'the stream was written to before skipUploaded() had resolved: await the offset, then write from there; nothing of it was sent',
        { key, uploadId },
      )
      this.destroy(error)
      throw error
    }
    const offset = run.skipStored(trustSource)
    if (offset === 'nobody') {
      this.#isSkipped = false
      const error = new UploadError(
        'PAWL_SOURCE_ID_REQUIRED',
        sourceDigest === undefined
          ? 'skipping without reading needs a sourceId, in this call and in the one that stored the parts, or { trustSource: true }'
          : 'the sourceId is not the one of the run that stored the parts: write the source from its first byte, or pass { trustSource: true }',
        { key, uploadId },
      )
      throw this.#run.withKept(error)
    }
    this.#cutter?.beginAt(run.partsTaken + 1)
    this.#run.progress.read(offset)
    return offset
  }

  /**
   * Gives the upload up for good: what is stored is removed from the server and
   * the log with it. Idempotent, in any state; rejects with
   * `PAWL_INVALID_STATE` when the object is complete (`completed: true`), and
   * keeps the log when the server cannot be reached.
   */
  discard(): Promise<void> {
    this.#discarding ??= this.#discard().catch((error: unknown) => {
      // What failed for now may be tried again.
      this.#discarding = undefined
      throw error
    })
    return this.#discarding
  }

  /** Hears of {@link UploadEvents}, and of the events of every Writable. */
  override on<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.on(event, listener)
  }

  /** As `on`, for the first time only. */
  override once<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.once(event, listener)
  }

  /** As `on`. */
  override addListener<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.addListener(event, listener)
  }

  /** As `on`, before all others. */
  override prependListener<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.prependListener(event, listener)
  }

  /** As `once`, before all others. */
  override prependOnceListener<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.prependOnceListener(event, listener)
  }

  /** Hears no more of it. */
  override off<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.off(event, listener)
  }

  /** As `off`. */
  override removeListener<Name extends keyof StreamEvents>(
    event: Name,
    listener: (...details: StreamEvents[Name]) => void,
  ): this {
    return super.removeListener(event, listener)
  }

  /** Suspends, unless the upload has finished; resolves when the log is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#beQuiet()
    if (!this.writableFinished) this.destroy()
    await this.result.catch(() => undefined)
  }

  /** Suspends; `result` and the stream reject with `error` or `PAWL_SUSPENDED`. */
  override destroy(error?: Error): this {
    // Now: `_destroy` comes only when opening has ended, and opening asks servers.
    if (!this.destroyed) void this.#run.suspend(error ?? this.#reasonFor(null))
    return super.destroy(error)
  }

  /** @internal */
  override _construct(callback: (error?: Error | null) => void): void {
    this.#open().then(
      () => callback(),
      (error: unknown) => {
        this.#opened.reject(asError(error))
        // While it is being destroyed the reason for that is the error.
        callback(this.destroyed ? null : asError(error))
      },
    )
  }

  /** @internal */
  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#isTaking = true
    this.#largeReads.look()
    const { byteLength } = chunk
    if (byteLength === 0 && isDetached(chunk)) {
      callback(this.#takenAway())
      return
    }
    this.#run.progress.read(byteLength)
    const take = (): void =>
      this.#cutter?.write(
        chunk,
        () =>
          callback(chunk.byteLength < byteLength ? this.#takenAway() : null),
        this.#lastingChunks.isLasting(chunk),
      )
    if (byteLength < worthReadingAhead) take()
    else this.#takeSoon(take)
  }

  /** A source asks for its next piece when this turn ends: it comes meanwhile. */
  #takeSoon(take: () => void): void {
    this.#settings.environment.soon(() => {
      if (!this.destroyed) take()
    })
  }

  /** The caller gave the memory of a chunk away before it was copied. */
  #takenAway(): UploadError {
    const { key } = this.#settings
    return new UploadError(
      'PAWL_SOURCE_IO',
      'a chunk was taken away before it was written (its ArrayBuffer was transferred or made smaller); wait for the callback of write()',
      { key, uploadId: this.uploadId },
    )
  }

  /** @internal */
  override _final(callback: (error?: Error | null) => void): void {
    this.#finish().then(() => callback(), callback)
  }

  async #finish(): Promise<void> {
    const run = await this.#opened.promise
    await new Promise<void>((resolve) => this.#cutter?.end(resolve))
    run.finish()
    const ending = await this.#run.ending
    if (ending.how !== 'done') throw ending.error
    this.#ending = ending
  }

  /** @internal */
  override _destroy(
    given: Error | null,
    callback: (error?: Error | null) => void,
  ): void {
    const error = this.#ending === undefined ? this.#reasonFor(given) : null
    this.#cutter?.destroy()
    void this.#run.suspend(error ?? this.#reasonFor(null)).then((ending) => {
      callback(error)
      this.#settle(ending, error)
    })
  }

  /** Settles `result`: the last thing that an upload does. */
  #settle(ending: Ending, error: Error | null): void {
    this.#ending = ending
    if (ending.how === 'done') this.#settled.resolve(ending.result)
    else if (this.#isComplete()) this.#settled.reject(ending.error)
    else this.#settled.reject(error ?? ending.error)
  }

  /** Also when the callback of the object has failed. */
  #isComplete(): boolean {
    const ending = this.#ending
    return ending?.how === 'done' || ending?.error instanceof CallbackError
  }

  async #open(): Promise<void> {
    const { digests } = this.#settings.environment
    if (needsDigests(this.#settings)) digests.warmUp()
    const loading = loadCuttingTools().catch((error: unknown) => {
      // The run says what is kept.
      this.#run.fail(error)
      throw error
    })
    const [tools, run] = await Promise.all([loading, this.#run.open()])
    const onError = (error: Error): unknown => this.destroy(error)
    this.#cutter = cutterOf(run, tools, this.#settings, onError)
    this.#opened.resolve(run)
  }

  #isBegun(): boolean {
    return this.#isTaking || this.writableLength > 0 || this.writableEnded
  }

  /** A chunk that is none ends the upload: it must not go on without it. */
  #endOnMisuse(name: 'write' | 'end'): void {
    const call: unknown = Reflect.get(this, name)
    if (typeof call !== 'function') return
    const value = (...args: unknown[]): unknown => {
      try {
        return Reflect.apply(call, this, args)
      } catch (error) {
        this.destroy(asError(error))
        throw error
      }
    }
    Object.defineProperty(this, name, { value })
  }

  /** A destroyed upload always has an error, and ours say whether it can go on. */
  #reasonFor(given: unknown): Error {
    const { key, signal, isLogged } = this.#settings
    const isOurs = isError(given) && given !== signal?.reason
    if (isOurs && !this.#isDiscarding) return given
    const fields = { key, uploadId: this.uploadId, cause: given ?? undefined }
    return this.#isDiscarding
      ? discarded(fields)
      : suspended({ ...fields, isLogged })
  }

  async #discard(): Promise<void> {
    this.#mustNotBeComplete()
    this.#isDiscarding = true
    this.#beQuiet()
    // At once: opening may be waiting for a server that is silent.
    this.destroy()
    await this.result.catch(() => undefined)
    this.#mustNotBeComplete()
    if (this.#run.isLogStuck) throw logStuck(this.#settings.key)
    await discardUpload(this.#settings, await this.#run.place())
  }

  #mustNotBeComplete(): void {
    if (this.#isComplete()) throw alreadyComplete(this.#settings.key)
  }

  /** For an end that the caller asked for by name; `result` says it too. */
  #beQuiet(): void {
    // Once: it may be asked for again and again.
    this.off('error', ignoreError).on('error', ignoreError)
  }
}

function ignoreError(): void {
  // Without a listener the stream's error would end the process.
}
