/**
 * One run of an upload: from the log's opening to the object, or to a log from
 * which the next run goes on. Streams and files feed it parts.
 *
 * What a caller has to do, in this order:
 *
 * 1. `open()`, once. It resolves to the open run when the plan is fixed: the log
 *    is read and locked, the store was asked. No byte may be taken before that.
 * 2. The open run's own calls, see `open-run.ts`: parts, then `finish()`.
 * 3. `suspend(reason)` at any time, also instead of 2, or `fail(error)` for what the
 *    source failed with; idempotent. The settings' `signal` suspends by itself. Within
 *    two seconds nothing is sent or written, and the lock is free: a Complete that was
 *    sent, parts that are about to be stored and a disk are waited for no longer. A log
 *    on a disk that hangs keeps its lock until that call has settled. Only where there
 *    is no log the upload is aborted, which may take longer.
 * 4. Await `ending`: one of the ways in `Ending`. It never rejects, and when it
 *    has settled nothing of the run is left but its log.
 *
 * The first failure wins, stops the run, and aborts `signal` with itself.
 */
import { setMaxListeners } from 'node:events'
import { lostHold } from '../../checkpoint/checked-checkpoint.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { LogState } from '../../checkpoint/fold.js'
import type { Environment, Timer } from '../../environment.js'
import { CallbackError } from '../../errors.js'
import { asError } from '../../realm.js'
import { Deferred, followSignal, unlessAborted } from '../../signals.js'
import { Requests } from '../calls/requests.js'
import { PartSender } from '../calls/send.js'
import { type Progress, ProgressCounter } from '../options/progress.js'
import type { UploadResult } from '../../upload-result.js'
import {
  BeforeComplete,
  type Ending,
  PartTally,
  type RunContext,
  type UploadRunOptions,
} from './context.js'
import { isSuspension, suspended, withKept } from './errors.js'
import { UploadLog } from './log.js'
import { OpenRun } from './open-run.js'
import { prepare } from './open.js'
import { inScope } from './trace.js'

export class UploadRun {
  readonly #options: UploadRunOptions
  readonly #stop = new AbortController()
  readonly #stopComplete = new AbortController()
  readonly #ended = new Deferred<Ending>()
  /** How the run ended; never rejects. */
  readonly ending = this.#ended.promise
  readonly progress: ProgressCounter
  readonly #letGoOfSignal: () => void
  #opening: Promise<OpenRun> | undefined
  #open: OpenRun | undefined
  #checkpoint: Checkpoint | undefined
  #log: UploadLog | undefined
  #requests: Requests | undefined
  #sender: PartSender | undefined
  #failure: Error | undefined
  #result: UploadResult | undefined
  /** What the log says was handed out. */
  #handedOut: UploadResult | undefined
  /** The object is complete, but its callback failed. */
  #callbackFailed: CallbackError | undefined
  #isLogStuck = false
  #hasEnded = false

  constructor(options: UploadRunOptions) {
    this.#options = options
    const { settings, progress } = options
    const { key, size, signal, isLogged, environment } = settings
    const tell = (counts: Progress): void => this.emit('progress', counts)
    progress?.tell(tell)
    this.progress = progress ?? new ProgressCounter(size, tell, environment)
    this.#letGoOfSignal = followSignal(signal, (cause) => {
      const { uploadId } = this
      const fields = { key, uploadId, cause: cause ?? undefined, isLogged }
      void this.suspend(suspended(fields))
    })
    // They end all calls of the upload: many listeners are no leak.
    setMaxListeners(0, this.#stop.signal, this.#stopComplete.signal)
  }

  /** Aborted, with the reason, when the run has stopped. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** The upload on the server, once there is one. */
  get uploadId(): string | undefined {
    return this.#open?.upload.uploadId
  }

  /** What is known of its uploads, once the log was opened. */
  get known(): LogState | undefined {
    return this.#log?.state
  }

  /** Where the log is kept. */
  async place(): Promise<Checkpoint> {
    this.#checkpoint ??= await this.#options.checkpoint()
    return this.#checkpoint
  }

  /** The log did not answer within the time that a suspension has. */
  get isLogStuck(): boolean {
    return this.#isLogStuck
  }

  /** A failure, which need not end the run, that says what is kept. */
  withKept<Failure extends Error>(error: Failure): Failure {
    const [log, requests] = [this.#log, this.#requests]
    return withKept(error, this.#options.settings, { log, requests })
  }

  /** What a listener throws fails the run, or, when that is over, nobody's: uncaught. */
  readonly emit: RunContext['emit'] = (name, event) => {
    if (this.#hasEnded) return
    // `restarted` was said: what is counted until the next run begins is of neither.
    const isBetween = this.#open?.upload.over !== undefined
    if (name === 'progress' && isBetween) return
    try {
      this.#options.emit(name, event)
    } catch (error) {
      if (this.#result === undefined) this.fail(error)
      else this.#throwSoon(error)
    }
  }

  /** Rejects when the run is stopped, whatever it then still waits for. */
  open(): Promise<OpenRun> {
    this.#opening = inScope(this.#options.scope, () => this.#openAll())
    this.#opening.catch((error: unknown) => this.fail(error))
    return unlessAborted(this.#stop.signal, this.#opening)
  }

  async #openAll(): Promise<OpenRun> {
    const { progress } = this
    const { settings, file, known, scope, checkSource } = this.#options
    const { signal } = this.#stop
    const checkpoint = await this.place()
    signal.throwIfAborted()
    const log = await UploadLog.open(checkpoint, settings, {
      file,
      known,
    })
    if (signal.aborted) {
      // Who stopped the run may not have waited for this long.
      await checkpoint.close()
      signal.throwIfAborted()
    }
    this.#log = log
    checkpoint.lost?.addEventListener('abort', this.#onLost, { once: true })
    scope?.logOpened(log)
    await this.#options.opened?.(log)
    const { emit } = this
    const requests = new Requests(settings, signal, emit)
    this.#requests = requests
    const plan = await prepare({ settings, log, requests, emit })
    signal.throwIfAborted()
    const sender = new PartSender(settings, requests, progress)
    this.#sender = sender
    const context: RunContext = {
      settings,
      log,
      requests,
      sender,
      progress,
      emit,
      scope,
      signal,
      completeSignal: this.#stopComplete.signal,
      beforeComplete: new BeforeComplete(
        settings,
        signal,
        checkSource && (() => checkSource(() => open.takenParts())),
      ),
      tally: new PartTally(emit, progress, plan.mode !== 'create'),
      handsOut: (result) => {
        this.#handedOut = result
      },
      done: (result) => this.#done(result),
      fail: (error) => this.fail(error),
    }
    const open = new OpenRun(context, plan)
    scope?.planned(plan, open.sizes)
    this.#open = open
    return open
  }

  /** Ends requests, writes receipts in hand, lets go of the log. */
  suspend(reason: Error): Promise<Ending> {
    if (!this.#stop.signal.aborted && this.#result === undefined) {
      this.#leave(reason).then(
        () => this.#settle(reason),
        () => this.#settle(reason),
      )
    }
    return this.ending
  }

  /** Ends the run for a failure of its own, or of its source; the first one counts. */
  fail(error: unknown): void {
    // Told although the run was suspended: the object is there.
    if (error instanceof CallbackError) this.#callbackFailed = error
    if (this.#stop.signal.aborted) return
    this.#failure = asError(error)
    void this.suspend(this.#failure)
  }

  readonly #onLost = (): void => {
    const checkpoint = this.#checkpoint
    if (checkpoint !== undefined) this.fail(lostHold(checkpoint))
  }

  #done(result: UploadResult): void {
    if (this.#hasEnded) return
    this.#result = result
    try {
      this.progress.end()
    } catch (error) {
      // The object is complete: a listener's error is not the upload's.
      this.#throwSoon(error)
    }
    if (!this.#stop.signal.aborted) this.#settle()
  }

  /** Ends all that is under way, each as far as its bound lets it end. */
  async #leave(reason: Error): Promise<void> {
    const { scope, settings } = this.#options
    scope?.suspending(reason)
    this.#stop.abort(reason)
    const clock = new Deadline(settings.environment)
    await this.#leaveParts(clock)
    // A Complete that was sent is waited for: its answer decides what is true.
    await clock.until(bounds.complete, this.#open?.finishing)
    this.#stopComplete.abort(reason)
    await clock.until(bounds.work, this.#open?.settled())
    await clock.until(bounds.work, this.#open?.finishing)
    const isOpened = await clock.until(bounds.work, this.#opening)
    if (this.#log === undefined && !isOpened) {
      this.#isLogStuck = true
      // Lets go of what is waited for no more; it never rejects.
      void this.#checkpoint?.close()
    }
    if (this.#result === undefined) await this.#open?.abandon()
    if (this.#log === undefined || this.#result !== undefined) return
    await clock.until(bounds.receipts, this.#log.flush())
    const left = this.#log.leave(this.#failure ?? reason)
    this.#isLogStuck = !(await clock.until(bounds.log, left.free))
    scope?.logLeft(left.isKept)
    // No later run would claim the object, however slow the disk that was told.
    if (this.#handedOut !== undefined) this.#done(this.#handedOut)
  }

  /** Lets parts end that are nearly stored, where a later run has use for them. */
  async #leaveParts(clock: Deadline): Promise<void> {
    const wire = this.#sender?.wire
    if (wire === undefined) return
    const { isLogged } = this.#options.settings
    const isOfUse = isLogged && this.#open?.upload.over === undefined
    const wait = isOfUse ? wire.lastParts(bounds.parts) : 0
    if (wait > 0) await clock.until(wait, wire.settled())
    wire.cut()
  }

  #settle(reason?: Error): void {
    this.#letGoOfSignal()
    this.progress.rest()
    this.#sender?.leave()
    this.#checkpoint?.lost?.removeEventListener('abort', this.#onLost)
    const ending = this.#endingFor(reason)
    if (ending.how !== 'done') {
      const { error } = ending
      // The reason of who stopped it is not ours to change.
      const isOwn = error === this.#failure || isSuspension(error)
      if (isOwn) this.withKept(error)
    }
    this.#ended.resolve(ending)
    this.#hasEnded = true
  }

  #endingFor(reason: Error | undefined): Ending {
    const result = this.#result
    if (result !== undefined) return { how: 'done', result }
    const error = this.#callbackFailed ?? this.#failure
    if (error === undefined) {
      return { how: 'suspended', error: asError(reason) }
    }
    const over = this.#open?.upload.over
    return over === undefined
      ? { how: 'failed', error }
      : { how: 'begins-anew', error, reason: over }
  }

  #throwSoon(error: unknown): void {
    this.#options.settings.environment.soon(() => {
      throw error
    })
  }
}

/**
 * Up to when a suspension waits for something, ms from its start: a disk and a server
 * that hang at once take no more than the two seconds promised.
 */
const bounds = {
  parts: 1200,
  complete: 1200,
  work: 1500,
  receipts: 1700,
  log: 1900,
}

class Deadline {
  readonly #environment: Pick<Environment, 'monotonic' | 'timer'>
  readonly #start: number

  constructor(environment: Pick<Environment, 'monotonic' | 'timer'>) {
    this.#environment = environment
    this.#start = environment.monotonic()
  }

  /**
   * Waits for work to settle, however it does, up to so many ms from the start;
   * false when it has not.
   */
  async until(
    ms: number,
    work: Promise<unknown> | undefined,
  ): Promise<boolean> {
    if (work === undefined) return true
    const { monotonic, timer } = this.#environment
    const left = Math.max(0, this.#start + ms - monotonic())
    let ringing: Timer | undefined
    const bound = new Promise<false>((resolve) => {
      ringing = timer(left, () => resolve(false))
    })
    // Who started the work hears how it ended; here only that it did.
    const settled = work.then(
      () => true,
      () => true,
    )
    const isSettled = await Promise.race([settled, bound])
    ringing?.cancel()
    return isSettled
  }
}
