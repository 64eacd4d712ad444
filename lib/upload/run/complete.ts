/**
 * Complete, and finding out what became of it.
 *
 * A lost answer, a time-out, a 5xx, `NoSuchUpload` or a conflict says nothing of
 * whether the object is there. After the first such answer, of this run or of an
 * earlier one, every later failure is looked at before it is believed: whose the
 * object under the key is, and whether the upload is still listed.
 *
 * - Ours: success. Another's, and the answer is that it exists: that.
 * - Still listed: the same Complete goes out again.
 * - Neither: looked for again, for as long as a Complete that nobody answered may
 *   take; where this caller may not look, the repeated Complete is the question.
 *   Then `PAWL_COMPLETE_UNKNOWN`, and the log is kept.
 */
import { areUnequal, equalParts } from '../../checkpoint/growth.js'
import { delay } from '../../environment.js'
import { UploadError } from '../../errors.js'
import type {
  CompletedPart,
  ObjectHead,
  ObjectReceipt,
} from '../../store/object-store.js'
import { answerOf, StoreError } from '../../store/store-error.js'
import {
  isRetained,
  listAllParts,
  lookAt,
  saysStored,
  wantsNewUpload,
} from '../calls/look.js'
import {
  type Effort,
  isAmbiguous,
  mayHaveHappened,
  type RequestContext,
  type Trial,
} from '../calls/requests.js'
import type { Listed } from '../rules/judge.js'
import {
  checkObject,
  type ExpectedObject,
  type Found,
  notAsSent,
  sameEtag,
  type Whose,
  whose,
} from '../rules/proof.js'
import type { RunContext } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import { refusedUnequal, whatNext } from './errors.js'

/** ms between looks for an object that is not there, at first and at most. */
const firstPause = 3400
const longestPause = 15_000
/** ms; looked for so long where the store has answered, if only with an error. */
const heardLimit = 60_000
/** What failed when nobody could see whether the object was made. */
const lookAfterComplete = 'HEAD, to see what became of Complete,'
/** How often a Complete goes out for an upload that is no longer listed. */
const mostRepeats = 2

export interface CompleteInput {
  upload: CurrentUpload
  uploadId: string
  parts: readonly (CompletedPart & { size: number })[]
  size: number
  /** Of the whole object, when this run knows it. */
  crc64: string | undefined
  /** By which the object is known to be this upload's. */
  expected: ExpectedObject
  /**
   * An earlier run has sent a Complete, which may still be under way: with what
   * goes with this one, such as the ACL, or with something else.
   */
  sentBefore: 'alike' | 'otherwise' | undefined
}

/** Rejects with an `UploadError`; what it means for the next run is in the log. */
export async function completeUpload(
  context: RunContext,
  input: CompleteInput,
): Promise<ObjectReceipt> {
  return new Completing(context, input).run()
}

class Completing {
  readonly #context: RunContext
  readonly #input: CompleteInput
  readonly #request: RequestContext
  readonly #trial: Trial
  readonly #began: number
  /** The object may be there, whatever the next answer says. */
  #isOpen: boolean
  /** A Complete may take effect still, or has: its answer was lost, or says nothing. */
  #isUnsure: boolean
  /** Some Complete of this run was answered by the store. */
  #wasHeard = false
  /** Some Complete of this run may have happened, for all that was answered. */
  #wasLeftOpen = false
  #noSuchUpload = 0
  #repeated = 0

  constructor(context: RunContext, input: CompleteInput) {
    this.#context = context
    this.#input = input
    this.#isOpen = input.sentBefore !== undefined
    this.#isUnsure = this.#isOpen
    const { settings, requests, completeSignal: signal } = context
    this.#request = {
      what: 'Complete',
      uploadId: input.uploadId,
      signal,
      headersTimeout: settings.timeout.complete,
      isStoring: true,
    }
    this.#trial = requests.begin(this.#request)
    this.#began = settings.environment.monotonic()
  }

  async run(): Promise<ObjectReceipt> {
    try {
      return await this.#complete()
    } finally {
      this.#trial.end()
    }
  }

  async #complete(): Promise<ObjectReceipt> {
    const { settings, completeSignal } = this.#context
    if (settings.object.forbidOverwrite === true) {
      const made = await this.#mustNotExist()
      if (made !== undefined) return made
    }
    for (;;) {
      try {
        return await this.#send()
      } catch (error) {
        completeSignal.throwIfAborted()
        if (!(error instanceof StoreError)) throw error
        const found = await this.#afterFailure(error)
        if (found !== 'again') return found
      }
    }
  }

  async #send(): Promise<ObjectReceipt> {
    const { uploadId, parts, size, crc64 } = this.#input
    const { store, key, object } = this.#context.settings
    const request = { key, uploadId, parts, object, size, crc64 }
    const made = await this.#mustHoldLog()
    if (made !== undefined) return made
    this.#input.upload.isCompleting = true
    const receipt = await this.#trial.attempt((call) =>
      store.completeUpload(request, call),
    )
    const { callbackFailed } = receipt
    if (callbackFailed === undefined || receipt.etag !== '') return receipt
    // An error that does not say what was stored: the object does.
    const { found, is } = await this.#look()
    if (isObject(found) && is === 'ours') return { ...found, callbackFailed }
    if (saysStored(callbackFailed)) return receipt
    throw this.#unknown(callbackFailed, await this.#list())
  }

  /**
   * A run that slept may have lost its log to another: then it sends nothing more.
   * Who has it may have completed this very upload with these very parts.
   */
  async #mustHoldLog(): Promise<ObjectReceipt | undefined> {
    try {
      await this.#context.log.confirm()
      return undefined
    } catch (error) {
      const seen = await this.#look().catch(() => undefined)
      if (seen?.is === 'ours' && isObject(seen.found)) return seen.found
      throw error
    }
  }

  /** What became of a Complete that failed: the object, `again`, or an error. */
  async #afterFailure(error: StoreError): Promise<ObjectReceipt | 'again'> {
    const { kind } = error
    this.#trial.stepAside()
    if (wasAnswered(error)) this.#wasHeard = true
    const wasLeftOpen = this.#wasLeftOpen
    if (kind === 'no-upload') this.#noSuchUpload++
    if (mayHaveHappened(error)) this.#isOpen = true
    if (mayHaveHappened(error)) this.#wasLeftOpen = true
    if (this.#isOpen && kind !== 'exists') this.#isUnsure = true
    if (!this.#isOpen) {
      // Nothing of it is under way: an upload without a log can be ended.
      this.#input.upload.isCompleting = false
      return this.#believe(error)
    }
    const { found, is } = await this.#look()
    const isFirst = kind === 'no-upload' && !wasLeftOpen
    if (isObject(found) && is === 'ours') {
      if (!isFirst || this.#mayHaveMade(found)) return found
    }
    // Some servers list completed uploads: the first answer says that it is gone.
    if (isFirst) {
      if (isObject(found) && is === 'equal') return found
      throw await this.#refused(error)
    }
    const listed = await this.#list()
    if (listed === 'gone') {
      if (isObject(found) && is === 'equal') return found
      return this.#findGone(error, found, is)
    }
    const isOthers = kind === 'exists' && is === 'other' && isObject(found)
    // No earlier answer leaves it open: it was refused, whatever may be looked at.
    const isRefused = kind === 'exists' && !this.#isUnsure
    if (isRefused) this.#input.upload.isCompleting = false
    if (isOthers) throw this.#described(error)
    // The object is not seen to be another's, nor our Complete known to have failed.
    const isOpen =
      kind === 'exists' && this.#isUnsure && typeof listed !== 'object'
    if (isFinal(error) && !isOpen) return this.#believe(error)
    // Where the server ignores the condition the next one would replace it.
    const { forbidOverwrite } = this.#context.settings.object
    if (forbidOverwrite === true && is === 'other' && isObject(found)) {
      throw this.#alreadyThere(error)
    }
    if (await this.#repeats(error)) return 'again'
    throw this.#unknown(error, listed)
  }

  /**
   * Whether an object with our mark can be what this run's Complete was to make,
   * when that was answered that there is no such upload. An earlier run's has made
   * it, perhaps with another ACL; or nobody of this log has sent one, and then its
   * bytes must show it: a run with a copy of the log may have completed the upload.
   */
  #mayHaveMade(found: ObjectHead): boolean {
    const { sentBefore, expected } = this.#input
    if (sentBefore !== undefined) return sentBefore === 'alike'
    return checkObject(found, expected) !== 'none'
  }

  /** A certain refusal; some are put right by asking again, as after a renewal. */
  async #believe(error: StoreError): Promise<'again'> {
    const isPassing = error.kind !== 'conflict' && (await this.#repeats(error))
    if (isPassing) return 'again'
    throw await this.#refused(error)
  }

  /** The upload is not listed, and the object is not known to be ours. */
  async #findGone(
    error: StoreError,
    found: Found,
    is: Whose,
  ): Promise<ObjectReceipt | 'again'> {
    const { kind } = error
    if (kind === 'exists' && is === 'other' && isObject(found)) {
      throw this.#described(error)
    }
    const { settings, completeSignal } = this.#context
    const { environment, timeout } = settings
    const limit = this.#wasHeard
      ? Math.min(heardLimit, timeout.complete)
      : timeout.complete
    const first = Math.min(firstPause, timeout.complete / 3)
    for (let looks = 1; ; looks++) {
      const passed = environment.monotonic() - this.#began
      if (looks > 3 && passed >= limit) throw this.#unknown(error, 'gone')
      const pause = Math.min(first * 1.5 ** (looks - 1), longestPause)
      await delay(environment, pause, completeSignal)
      // Some servers answer a repeated Complete while the object is there.
      if (is === 'unknown' && this.#canRepeat()) {
        this.#repeated++
        return 'again'
      }
      const next = await this.#look()
      if (!isObject(next.found)) continue
      if (next.is === 'ours' || next.is === 'equal') return next.found
    }
  }

  #canRepeat(): boolean {
    return this.#repeated < mostRepeats && this.#noSuchUpload < 2
  }

  /** Whether the same Complete is sent again; after a pause, then. */
  async #repeats(error: StoreError): Promise<boolean> {
    // The object was looked for: what could not be understood is asked again.
    if (error.kind === 'response') this.#trial.forget()
    return this.#trial.again(error)
  }

  async #look(): Promise<{ found: Found; is: Whose }> {
    const { requests, settings, completeSignal: signal } = this.#context
    const { uploadId } = this.#input
    // Where there is no log the error is all that names the upload.
    const more = this.#isOpen ? { what: lookAfterComplete, uploadId } : {}
    const found = await lookAt(requests, settings, { signal, ...more })
    const { environment, store } = settings
    const facts = environment.facts.of(store)
    return { found, is: whose(found, this.#input.expected, facts) }
  }

  #list(): Promise<Listed | 'gone'> {
    const { requests, settings, completeSignal: signal } = this.#context
    return listAllParts(requests, settings, this.#input.uploadId, { signal })
  }

  /**
   * Some servers ignore the condition on Complete (Ceph, OSS with versions) and
   * would replace the object. Between this look and Complete only the server can
   * keep it. What an earlier run's Complete has made by now is this upload's own.
   */
  async #mustNotExist(): Promise<ObjectReceipt | undefined> {
    const { found, is } = await this.#look()
    if (!isObject(found)) return undefined
    const { sentBefore } = this.#input
    if (sentBefore === 'alike' && is === 'ours') return found
    throw this.#alreadyThere()
  }

  #alreadyThere(cause?: StoreError): UploadError {
    const { key } = this.#context.settings
    const { uploadId } = this.#input
    return new UploadError(
      'PAWL_ALREADY_EXISTS',
      `there is an object ${JSON.stringify(key)} already, and forbidOverwrite is set, so the upload was not completed; its parts are kept`,
      { ...(cause === undefined ? {} : answerOf(cause)), key, uploadId },
    )
  }

  #described(error: StoreError): UploadError {
    const { requests } = this.#context
    return requests.describe(error, this.#request, this.#trial.effort)
  }

  #refused(error: StoreError): Promise<UploadError> {
    return refused(this.#context, this.#input, error, this.#trial.effort)
  }

  /** `listed`: its parts, at the last look. */
  #unknown(cause: StoreError, listed: Listed | 'gone'): UploadError {
    const { key, isResumable } = this.#context.settings
    return new UploadError(
      'PAWL_COMPLETE_UNKNOWN',
      `it is not known whether the object was completed: the last answer was "${cause.message}", ${whereabouts(listed)}, and what is under the key is not provably this upload's; ${whatNext(isResumable)}`,
      {
        ...answerOf(cause),
        key,
        uploadId: this.#input.uploadId,
        ...this.#trial.effort,
        resumable: typeof listed === 'object',
        transient: true,
      },
    )
  }
}

function isObject(found: Found): found is ObjectHead {
  return typeof found === 'object'
}

function whereabouts(listed: Listed | 'gone'): string {
  switch (listed) {
    case 'gone':
      return 'the upload is no longer listed'
    case 'refused':
      return 'this caller may not list its parts'
    default:
      return 'the upload is still there and does not complete'
  }
}

/** Whether it was the store that answered, and not nobody or a balancer. */
function wasAnswered({ status }: StoreError): boolean {
  return status !== undefined && status !== 502 && status !== 504
}

/** No later Complete of the same upload could be answered otherwise. */
function isFinal(error: StoreError): boolean {
  if (error.kind === 'conflict') {
    return isRetained(error) || wantsNewUpload(error)
  }
  return !isAmbiguous(error.kind) || error.kind === 'exists'
}

/**
 * The error of a Complete that was refused for certain. Its cure goes into the log
 * before that is told, so that no log fails for ever.
 */
async function refused(
  context: RunContext,
  { upload, uploadId, parts }: CompleteInput,
  cause: StoreError,
  effort: Effort,
): Promise<UploadError> {
  const { log, settings, requests, completeSignal } = context
  const { key, isResumable } = settings
  const fields = { ...answerOf(cause), ...effort, key, uploadId }
  const isGone = cause.kind === 'no-upload' || wantsNewUpload(cause)
  if (isGone) return upload.lose(uploadId, cause)
  if (cause.kind !== 'invalid-part' && cause.kind !== 'too-small') {
    return requests.describe(cause, { what: 'Complete', uploadId }, effort)
  }
  if (cause.kind === 'too-small') {
    await log.append({ type: 'void', uploadId, reason: 'part-size' })
    return new UploadError(
      'PAWL_COMPLETE_REFUSED',
      `the server refused to complete the upload, since a part is too small for it: ${cause.message}; run the same call again with larger parts`,
      fields,
    )
  }
  const listed = await listAllParts(requests, settings, uploadId, {
    signal: completeSignal,
  })
  const wrong =
    listed === 'gone' || listed === 'refused'
      ? []
      : parts.filter(({ partNumber, etag, size }) => {
          const there = listed.get(partNumber)
          return (
            there === undefined ||
            there.size !== size ||
            !sameEtag(there.etag, etag)
          )
        })
  // Some servers refuse a Complete that leaves parts out, which others have sent.
  const hasMore = typeof listed === 'object' && listed.size > parts.length
  if (wrong.length === 0 && !hasMore && areUnequal(parts)) {
    await log.append({ type: 'void', uploadId, reason: equalParts })
    return refusedUnequal(cause, fields, isResumable)
  }
  if (wrong.length === 0) {
    await log.append({ type: 'void', uploadId, reason: 'complete-refused' })
    return new UploadError(
      'PAWL_COMPLETE_REFUSED',
      `the server refused to complete the upload: ${cause.message}; what is stored cannot be told apart from what was sent, so the next run starts over`,
      fields,
    )
  }
  const before = log.state.upload
  const isContended =
    before?.uploadId === uploadId &&
    wrong.some(({ partNumber }) => before.drops.get(partNumber) === notAsSent)
  await log.append(
    ...wrong.map(({ partNumber: number }) => ({
      type: 'drop' as const,
      number,
      reason: notAsSent,
    })),
  )
  const numbers = wrong.map(({ partNumber }) => partNumber).join(', ')
  return isContended
    ? new UploadError(
        'PAWL_UPLOAD_CONTENDED',
        `parts ${numbers} were replaced on the server again: somebody else sends parts to the same upload, perhaps from a copy of the same checkpoint; let one of them finish, or discard()`,
        fields,
      )
    : new UploadError(
        'PAWL_COMPLETE_REFUSED',
        `parts ${numbers} on the server are not the ones that were sent; run the same call again to send them once more`,
        fields,
      )
}
