/**
 * Complete, what became of it, and what it has made (`rules/outcome`).
 *
 * After the first answer that leaves that open (`Doubt`), every later failure is
 * looked at before it is believed: whose the object under the key is, and whether the
 * upload is still listed.
 *
 * - Ours: success. Another's, and the answer is that it exists: that.
 * - Still listed: the same Complete goes out again.
 * - Neither: looked for again, for as long as a Complete that nobody answered may
 *   take; where this caller may not look, the repeated Complete is the question.
 *   Then `PAWL_COMPLETE_UNKNOWN`, and the log is kept.
 */
import { notAsSent, type PartCheck } from '../../checkpoint/record.js'
import { delay } from '../../environment.js'
import { UploadError, type UploadErrorFields } from '../../errors.js'
import type {
  Call,
  CompletedPart,
  ObjectHead,
  ObjectReceipt,
} from '../../store/object-store.js'
import { answerOf, type StoreError } from '../../store/store-error.js'
import {
  isRetained,
  listAllParts,
  lookAt,
  lookFor,
  saysStored,
  wantsNewUpload,
} from '../calls/look.js'
import {
  type Effort,
  isAmbiguous,
  isRefusedForGood,
  mayHaveHappened,
  type RequestContext,
  type Trial,
} from '../calls/requests.js'
import type { Listed } from '../rules/judge.js'
import { afterComplete, faultOf, madeObject } from '../rules/outcome.js'
import { type ExpectedObject, isOwn, type Seen } from '../rules/proof.js'
import {
  type AboutToComplete,
  type Doubt,
  isAlike,
} from '../rules/completing.js'
import type { RunContext } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import {
  completedByOther,
  completeRefused,
  inTheWay,
  notKnown,
  objectDamaged,
  partsReplaced,
} from './errors.js'
import { givenUp } from './log.js'

/** ms between looks for an object that is not there, at first and at most. */
const firstPause = 3400
const longestPause = 15_000
/** ms; looked for so long where the store has answered, if only with an error. */
const heardLimit = 60_000
/** What failed when nobody could see whether the object was made. */
const lookAfterComplete = 'HEAD, to see what became of Complete,'
/** How often a Complete goes out for an upload that is no longer listed. */
const mostRepeats = 2

export interface CompleteInput extends Omit<AboutToComplete, 'completing'> {
  upload: CurrentUpload
  uploadId: string
  parts: readonly (CompletedPart & { size: number })[]
  /** By which the object is known to be this upload's. */
  expected: ExpectedObject
}

export interface MadeObject {
  receipt: ObjectReceipt
  check: PartCheck
  /** Whether it is under the key; undefined where that is no question. */
  current: boolean | undefined
}

/** Rejects with an `UploadError`; what it means for the next run is in the log. */
export async function completeUpload(
  context: RunContext,
  input: CompleteInput,
): Promise<MadeObject> {
  const answer = await new Completing(context, input).run()
  const expected = await context.log.confirm().then(
    () => input.expected,
    () => withoutLog(input.expected),
  )
  return mustBeAsSent(context, { ...input, expected }, answer)
}

/**
 * What is expected while nobody says that the log is held: who has it may have sent
 * other parts to this upload and completed it, so that an answer in which nothing can be
 * compared is not known to be to this Complete.
 */
function withoutLog(expected: ExpectedObject): ExpectedObject {
  return { ...expected, isOnly: false, mayBeReplayed: true }
}

class Completing {
  readonly #context: RunContext
  readonly #input: CompleteInput
  readonly #request: RequestContext
  readonly #doubt: Doubt
  readonly #began: number
  /** Once a Complete of this run goes out. */
  #trial: Trial | undefined
  /** Nobody says any more that this run holds the log. */
  #hasLostLog = false
  /** Some Complete of this run was answered by the store. */
  #wasHeard = false
  /** Some Complete of this run may have happened, for all that was answered. */
  #wasLeftOpen = false
  #noSuchUpload = 0
  #repeated = 0

  constructor(context: RunContext, input: CompleteInput) {
    this.#context = context
    this.#input = input
    this.#doubt = input.doubt
    const { settings, completeSignal: signal } = context
    this.#request = {
      what: 'Complete',
      uploadId: input.uploadId,
      signal,
      headersTimeout: settings.timeout.complete,
      isStoring: true,
    }
    this.#began = settings.environment.monotonic()
  }

  async run(): Promise<ObjectReceipt> {
    const { settings, requests } = this.#context
    if (settings.object.forbidOverwrite === true) {
      const made = await this.#mustNotExist()
      if (made !== undefined) return made
    }
    const receipt = await requests
      .sendAnd<ObjectReceipt>(
        this.#request,
        (call, trial) => this.#send(call, trial),
        (error, trial) => this.#afterFailure(error, trial),
      )
      .catch((error: unknown) => this.#unlessLost(error))
    const { callbackFailed, etag } = receipt
    if (callbackFailed === undefined || etag !== '') return receipt
    return this.#afterCallback(receipt, callbackFailed)
  }

  /**
   * Some servers ignore the condition on Complete (Ceph, OSS with versions) and would
   * replace the object. What an earlier run's Complete has made by now is our own.
   */
  async #mustNotExist(): Promise<ObjectReceipt | undefined> {
    const { is, found } = await this.#look()
    if (typeof found !== 'object') return undefined
    if (isAlike(this.#input.sentBefore) && is === 'ours') return found
    throw this.#inTheWay()
  }

  /** A run that slept may have lost its log: then it sends nothing more. */
  async #send(call: Call, trial: Trial): Promise<ObjectReceipt> {
    const { upload, uploadId, parts, expected } = this.#input
    const { log, settings } = this.#context
    const { store, key, object } = settings
    this.#trial = trial
    this.#hasLostLog = true
    await log.confirm()
    this.#hasLostLog = false
    upload.isCompleting = true
    const { size, crc64 } = expected
    const request = { key, uploadId, parts, object, size, crc64 }
    return store.completeUpload(request, call)
  }

  /** Whoever has a log that was lost may have completed this very upload. */
  async #unlessLost(error: unknown): Promise<ObjectReceipt> {
    if (!this.#hasLostLog) throw error
    const expected = withoutLog(this.#input.expected)
    const seen = await this.#look(expected).catch(() => undefined)
    const isOurs = seen?.is === 'ours' && !this.#isSentOtherwise
    if (isOurs) return seen.found
    throw error
  }

  /** An error that does not say what was stored: the object does. */
  async #afterCallback(
    receipt: ObjectReceipt,
    callbackFailed: StoreError,
  ): Promise<ObjectReceipt> {
    const { is, found } = await this.#look()
    if (is === 'ours') return { ...found, callbackFailed }
    if (saysStored(callbackFailed)) return receipt
    throw this.#unknown(callbackFailed, await this.#list())
  }

  /** What became of a Complete that failed: the object, `again`, or an error. */
  async #afterFailure(
    error: StoreError,
    trial: Trial,
  ): Promise<ObjectReceipt | 'again'> {
    const { kind } = error
    const { upload } = this.#input
    trial.stepAside()
    const isFirstGone = kind === 'no-upload' && !this.#wasLeftOpen
    this.#hear(error)
    if (!this.#doubt.isOpen) {
      // Nothing of it is under way: an upload without a log can be ended.
      upload.isCompleting = false
      return this.#believe(error, trial)
    }
    const seen = await this.#look()
    const isOurs = seen.is === 'ours'
    const { isUnsure } = this.#doubt
    // No earlier answer leaves it open: it was refused, whatever may be looked at.
    const isRefused = kind === 'exists' && !isUnsure && !isOurs
    if (isRefused) upload.isCompleting = false
    // Some servers list completed uploads: the first answer says that it is gone.
    const isGone = isOurs || isFirstGone
    const listed = isGone ? 'gone' : await this.#list()
    const { forbidOverwrite: forbidsOverwrite = false } =
      this.#context.settings.object
    const failure = {
      kind,
      isFinal: isFinal(error),
      isFirstGone,
      isUnsure,
      forbidsOverwrite,
    }
    const come = afterComplete(failure, seen, listed, this.#input)
    switch (come) {
      case 'refused':
        throw await this.#refused(error)
      case 'unknown':
        throw this.#unknown(error, listed)
      case 'theirs':
        throw this.#described(error)
      case 'seek':
        return this.#seek(error, seen)
      case 'believe':
        return this.#believe(error, trial)
      case 'exists':
        throw this.#inTheWay(error)
      case 'again':
        if (await repeats(error, trial)) return 'again'
        throw this.#unknown(error, listed)
      default:
        return this.#claim(come)
    }
  }

  #hear(error: StoreError): void {
    const { kind, status } = error
    // By the store, that is, and not by a balancer.
    const isHeard = status !== undefined && status !== 502 && status !== 504
    if (isHeard) this.#wasHeard = true
    if (kind === 'no-upload') this.#noSuchUpload++
    if (mayHaveHappened(error)) this.#wasLeftOpen = true
    this.#doubt.hear(kind, mayHaveHappened(error))
  }

  /** A certain refusal; some are put right by asking again, as after a renewal. */
  async #believe(error: StoreError, trial: Trial): Promise<'again'> {
    const isPassing = error.kind !== 'conflict' && (await repeats(error, trial))
    if (isPassing) return 'again'
    throw await this.#refused(error)
  }

  /** The upload is not listed, and the object is not known to be ours. */
  async #seek(
    error: StoreError,
    { is }: Seen,
  ): Promise<ObjectReceipt | 'again'> {
    const { settings, completeSignal } = this.#context
    const { environment, timeout } = settings
    const limit = Math.min(
      this.#wasHeard ? heardLimit : Infinity,
      timeout.complete,
    )
    const first = Math.min(firstPause, timeout.complete / 3)
    for (let looks = 1; ; looks++) {
      const passed = environment.monotonic() - this.#began
      if (looks > 3 && passed >= limit) throw this.#unknown(error, 'gone')
      const pause = Math.min(first * 1.5 ** (looks - 1), longestPause)
      await delay(environment, pause, completeSignal)
      // Some servers answer a repeated Complete while the object is there.
      const canRepeat = this.#repeated < mostRepeats && this.#noSuchUpload < 2
      if (is === 'unknown' && canRepeat) {
        this.#repeated++
        return 'again'
      }
      const next = await this.#look()
      if (isOwn(next, { isListed: false })) return this.#claim(next.found)
    }
  }

  /**
   * The upload's object after an answer that left it open. An earlier Complete, with
   * another ACL or callback, may have made it: then it is not this call's.
   */
  async #claim(found: ObjectHead): Promise<ObjectReceipt> {
    if (!this.#isSentOtherwise) return found
    const { log, settings } = this.#context
    const { uploadId } = this.#input
    await log.append(...givenUp(uploadId, 'contended', 'object'))
    throw completedByOther(settings.key, uploadId)
  }

  get #isSentOtherwise(): boolean {
    return this.#input.sentBefore === 'otherwise'
  }

  #look(expected = this.#input.expected): Promise<Seen> {
    const { requests, settings, completeSignal: signal } = this.#context
    const { uploadId } = this.#input
    // Where there is no log the error is all that names the upload.
    const more = this.#doubt.isOpen ? { what: lookAfterComplete, uploadId } : {}
    return lookFor(requests, settings, expected, { signal, ...more })
  }

  #list(): Promise<Listed | 'gone'> {
    const { requests, settings, completeSignal: signal } = this.#context
    return listAllParts(requests, settings, this.#input.uploadId, { signal })
  }

  /** Of a Complete that was refused for certain: the log has the cure before that is told. */
  async #refused(cause: StoreError): Promise<UploadError> {
    const { kind } = cause
    const { upload, uploadId, parts } = this.#input
    const { log, settings } = this.#context
    const isGone = kind === 'no-upload' || wantsNewUpload(cause)
    if (isGone) return upload.lose(uploadId, cause)
    const isForParts = kind === 'invalid-part' || kind === 'too-small'
    if (!isForParts) {
      await this.#noteRefused(cause)
      return this.#described(cause)
    }
    const listed = kind === 'too-small' ? 'refused' : await this.#list()
    const before = log.state.upload
    const wasDropped = (partNumber: number): boolean =>
      before?.uploadId === uploadId &&
      before.drops.get(partNumber) === notAsSent
    const fault = faultOf(kind, parts, listed, wasDropped)
    const fields = this.#fieldsOf(cause)
    if (typeof fault === 'string') {
      await log.append({ type: 'void', uploadId, reason: fault })
      return completeRefused(fault, cause, fields, settings.isLogged)
    }
    const isAgain = fault.some(wasDropped)
    await log.append(
      ...fault.map((number) => ({
        type: 'drop' as const,
        number,
        reason: notAsSent,
      })),
    )
    return partsReplaced(fault, fields, { isAgain })
  }

  /**
   * The log forgets a Complete that has come to nothing, so that a call with other
   * options has no doubt of whose its object is. Not where an earlier Complete is in
   * doubt, of this run or of another: that may be the one which the answer speaks of.
   */
  async #noteRefused(cause: StoreError): Promise<void> {
    const { log, settings } = this.#context
    if (this.#doubt.isOpen || !isRefusedForGood(cause)) return
    const { sent: sentDigest } = settings.digests
    try {
      await log.append({ type: 'refused', sentDigest })
    } catch (error) {
      // What it cannot be told a later run sends anew; the refusal is what ends this one.
      if (!(error instanceof UploadError)) throw error
    }
  }

  get #effort(): Effort {
    return this.#trial?.effort ?? { attempts: 0, elapsed: 0 }
  }

  #described(error: StoreError): UploadError {
    const { requests } = this.#context
    return requests.describe(error, this.#request, this.#effort)
  }

  #inTheWay(cause?: StoreError): UploadError {
    const { uploadId } = this.#input
    const { key } = this.#context.settings
    return inTheWay(key, uploadId, cause)
  }

  /** `listed`: its parts, at the last look. */
  #unknown(cause: StoreError, listed: Listed | 'gone'): UploadError {
    const { isLogged } = this.#context.settings
    return notKnown(cause, listed, this.#fieldsOf(cause), isLogged)
  }

  #fieldsOf(cause: StoreError): UploadErrorFields {
    const { key } = this.#context.settings
    const { uploadId } = this.#input
    return { ...answerOf(cause), ...this.#effort, key, uploadId }
  }
}

/** Whether the same Complete is sent again; after a pause, then. */
async function repeats(error: StoreError, trial: Trial): Promise<boolean> {
  // The object was looked for: what could not be understood is asked again.
  if (error.kind === 'response') trial.forget()
  return trial.again(error)
}

/** No later Complete of the same upload could be answered otherwise. */
function isFinal(error: StoreError): boolean {
  if (error.kind === 'conflict') {
    return isRetained(error) || wantsNewUpload(error)
  }
  return !isAmbiguous(error.kind) || error.kind === 'exists'
}

/**
 * Rejects when what is there is not what was sent, or is another run's of the same
 * upload. The log then says that the upload is an object, and the next run begins anew.
 */
async function mustBeAsSent(
  { settings, requests, log, completeSignal: signal }: RunContext,
  { uploadId, expected }: CompleteInput,
  answer: ObjectReceipt,
): Promise<MadeObject> {
  const { key, facts } = settings
  const store = {
    ordersByInitiate: settings.store.precedence === 'initiate',
    dropsMarks: facts.dropsMarks,
  }
  let made = madeObject(answer, undefined, expected, store)
  for (let looks = 0; made.needsLook && looks < 2; looks++) {
    if (looks > 0) await delay(settings.environment, firstPause, signal)
    const found = await lookAt(requests, settings, { signal })
    made = madeObject(answer, found, expected, store)
  }
  const { receipt, check, current } = made
  if (made.dropsMarks) facts.dropsMarks = true
  if (check === 'others') {
    await log.append(...givenUp(uploadId, 'contended', 'object'))
    throw completedByOther(key, uploadId)
  }
  if (check !== 'wrong') return { receipt, check, current }
  await log.append(...givenUp(uploadId, 'object-damaged', 'object'))
  throw objectDamaged(receipt, expected, { key, uploadId })
}
