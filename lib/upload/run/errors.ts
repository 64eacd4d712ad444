/** What ends a run, in words, and what is told with a failure where its run, or its call, ends. */
import {
  equalParts,
  type PartSizes,
  roomIn,
  sizesText,
} from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import {
  CallbackError,
  type ErrorCode,
  UploadError,
  type UploadErrorFields,
} from '../../errors.js'
import { codeOf } from '../../store/cause.js'
import type { ObjectReceipt } from '../../store/object-store.js'
import { answerOf, type StoreError } from '../../store/store-error.js'
import type { UploadResult } from '../../upload-result.js'
import { kindOf, type Requests } from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import { type Candidate, hasChanged, type Listed } from '../rules/judge.js'
import { keptAfter } from '../rules/kept.js'
import type { VoidReason } from '../rules/outcome.js'
import type { ExpectedObject, Found } from '../rules/proof.js'
import type { Piece } from '../source/part-content.js'
import type { UploadLog } from './log.js'

/** A failure at a part, in words of it: of its number, and with its bytes. */
function atPart(
  code: ErrorCode,
  text: (part: string, withBytes: string) => string,
  { transient = false } = {},
) {
  return (
    { partNumber, offset, size }: Piece,
    { cause, key, uploadId }: UploadErrorFields,
  ): UploadError => {
    const part = `part ${partNumber}`
    const bytes = `bytes ${offset} to ${offset + size - 1}`
    const fields = { cause, key, uploadId, partNumber, offset, transient }
    return new UploadError(code, text(part, `${part} (${bytes})`), fields)
  }
}

/** A failure of an upload as a whole. */
function ofUpload(
  code: ErrorCode,
  text: (uploadId: string) => string,
  fields: UploadErrorFields = {},
) {
  return (key: string, uploadId?: string): UploadError =>
    new UploadError(code, text(uploadId ?? ''), { ...fields, key, uploadId })
}

const partChanged = atPart(
  'PAWL_SOURCE_CHANGED',
  (_, part) =>
    `${part} is not what an earlier run stored, and onSourceChange is 'fail'`,
)

/** For a sequential upload. */
export const partTaken = atPart(
  'PAWL_SOURCE_CHANGED',
  (_, part) =>
    `${part} is not what is stored of it, and a sequential upload takes no part twice; run the same call again to upload everything anew`,
  { transient: true },
)

/** For a sequential upload with a hole that no run of ours has made. */
export const outOfSequence = atPart(
  'PAWL_UPLOAD_CONTENDED',
  (part) =>
    `${part} does not follow what is stored: somebody else sends parts to the same upload, and a sequential one cannot be put right; run the same call again to upload everything anew`,
  { transient: true },
)

/** A part of an object that may be complete already would be replaced. */
export const mayBeNamed = atPart(
  'PAWL_SOURCE_CHANGED',
  (part) =>
    `${part} differs from what an earlier run has stored and completed with, which cannot be told from this run's by its digests here; run the same call again to upload everything anew`,
  { transient: true },
)

/** Throws `PAWL_SOURCE_CHANGED` for a part that must not differ, and does. */
export function mustBeAsStored(
  { onSourceChange, key }: Pick<UploadSettings, 'onSourceChange' | 'key'>,
  record: PartRecord | undefined,
  candidate: Candidate,
  uploadId: string | undefined,
): void {
  if (onSourceChange !== 'fail' || !hasChanged(record, candidate)) return
  const { number: partNumber, offset, size } = record
  throw partChanged({ partNumber, offset, size }, { key, uploadId })
}

/** `last`: the short part behind which the source turned out to go on. */
export function sourceGrew(
  last: number,
  fields: { key: string; uploadId: string | undefined; offset: number },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `the source goes on behind byte ${fields.offset}, where an earlier run's ended within part ${last}; that part counts no more: run the same call again, and it is sent anew`,
    { ...fields, partNumber: last, transient: true },
  )
}

export function uploadGone(fields: UploadErrorFields): UploadError {
  return new UploadError(
    'PAWL_UPLOAD_GONE',
    'the upload is no longer on the server (aborted by somebody else, or by a lifecycle rule), and the source cannot be read again; run the same call again to start over',
    { ...fields },
  )
}

export function tooManyParts(
  { partNumber, offset }: Piece,
  sizes: PartSizes,
  { key, maxParts }: { key: string; maxParts: number },
): UploadError {
  return new UploadError(
    'PAWL_TOO_MANY_PARTS',
    `the source is longer than ${roomIn(sizes, maxParts)} bytes, which is all that ${maxParts} parts have room for (${sizesText(sizes)}); run it again with a larger partSize, or with its size`,
    { key, partNumber, offset },
  )
}

/**
 * Complete was refused for certain, and the upload is void. `isLogged`: a log says
 * why, so that the next run does better.
 */
export function completeRefused(
  why: VoidReason,
  cause: StoreError,
  fields: UploadErrorFields,
  isLogged: boolean,
): UploadError {
  const refused = 'the server refused to complete the upload'
  const next = isLogged
    ? 'run the same call again: it uploads everything anew, in parts of one size'
    : 'give partSize, which all parts then have'
  const texts = {
    'part-size': `${refused}, since a part is too small for it: ${cause.message}; run the same call again with larger parts`,
    'complete-refused': `${refused}: ${cause.message}; what is stored cannot be told apart from what was sent, so the next run starts over`,
    [equalParts]: `${refused}: ${cause.message}; its parts are as they were sent, but not of one size, which some servers want: ${next}; equalParts, an option of s3Store, says it from the start`,
  }
  const transient = why === equalParts && isLogged
  return new UploadError('PAWL_COMPLETE_REFUSED', texts[why], {
    ...fields,
    transient,
  })
}

/** The log says that they are to be sent again. `isAgain`: it has said so before. */
export function partsReplaced(
  partNumbers: readonly number[],
  fields: UploadErrorFields,
  { isAgain }: { isAgain: boolean },
): UploadError {
  const parts = `parts ${partNumbers.join(', ')}`
  return isAgain
    ? new UploadError(
        'PAWL_UPLOAD_CONTENDED',
        `${parts} were replaced on the server again: somebody else sends parts to the same upload, perhaps from a copy of the same checkpoint; let one of them finish, or discard()`,
        fields,
      )
    : new UploadError(
        'PAWL_COMPLETE_REFUSED',
        `${parts} on the server are not the ones that were sent; run the same call again to send them once more`,
        fields,
      )
}

/** Nothing shows whether Complete was carried out. `listed`: its parts, at the last look. */
export function notKnown(
  { message }: StoreError,
  listed: Listed | 'gone',
  fields: UploadErrorFields,
  isLogged: boolean,
): UploadError {
  const where =
    listed === 'gone'
      ? 'the upload is no longer listed'
      : listed === 'refused'
        ? 'this caller may not list its parts'
        : 'the upload is still there and does not complete'
  return new UploadError(
    'PAWL_COMPLETE_UNKNOWN',
    `it is not known whether the object was completed: the last answer was "${message}", ${where}, and what is under the key is not provably this upload's; ${whatNext(isLogged)}`,
    { ...fields, resumable: typeof listed === 'object', transient: true },
  )
}

/** PutObject was refused for an object that may be the one of an attempt before. */
export function putNotKnown(
  cause: UploadError,
  { key, isLogged }: Pick<UploadSettings, 'key' | 'isLogged'>,
): UploadError {
  const { status, serverCode, requestId, attempts, elapsed } = cause
  const answer = { status, serverCode, requestId, attempts, elapsed }
  return new UploadError(
    'PAWL_COMPLETE_UNKNOWN',
    `it is not known whether the object was put: the last answer was "${cause.message}", and the object under the key could not be looked at; ${whatNext(isLogged)}`,
    { ...answer, key, cause, transient: true },
  )
}

/** Looking again would show the same. */
export function putUndecided(
  key: string,
  found: Found,
  cause?: UploadError,
): UploadError {
  const etag = typeof found === 'object' ? found.etag : ''
  const { attempts, elapsed } = cause ?? {}
  return new UploadError(
    'PAWL_COMPLETE_UNKNOWN',
    `it is not known whether the object under the key is the one that was put: it has this upload's mark and size, but its ETag ${etag} is not the MD5 of these bytes, and nothing shows whether this store's ETags are MD5s; where they are none, verify: false takes it by its mark, otherwise it was rewritten since`,
    { key, attempts, elapsed, cause },
  )
}

export function inTheWay(
  key: string,
  uploadId: string,
  cause: StoreError | undefined,
): UploadError {
  return new UploadError(
    'PAWL_ALREADY_EXISTS',
    `there is an object ${JSON.stringify(key)} already, and forbidOverwrite is set, so the upload was not completed; its parts are kept`,
    { ...(cause === undefined ? {} : answerOf(cause)), key, uploadId },
  )
}

export function objectDamaged(
  { crc64 = 'nothing', etag }: ObjectReceipt,
  expected: ExpectedObject,
  fields: { key: string; uploadId: string },
): UploadError {
  const { crc64: ownCrc64 = 'unknown', etag: own } = expected
  return new UploadError(
    'PAWL_VERIFY_FAILED',
    `the object was completed, but is not what was sent: the server says CRC-64 ${crc64} and ETag ${etag}, expected CRC-64 ${ownCrc64} and ETag ${own?.value ?? 'unknown'}; run the same call again to upload everything anew`,
    { ...fields, completed: true },
  )
}

export const claimBroken = ofUpload(
  'PAWL_SOURCE_CHANGED',
  () =>
    'an earlier run completed the object, and the source is no longer its bytes; run the same call again to upload the source as it is now',
  { transient: true },
)

/** The object of a ticket's upload is there, and is of other parts than these. */
export const claimOfOthers = ofUpload(
  'PAWL_SOURCE_CHANGED',
  () =>
    'the upload was completed with other parts than these receipts are of; nothing was sent, and the object is as it was',
)

/** Another run has completed this very upload, with other parts. */
export const completedByOther = ofUpload(
  'PAWL_UPLOAD_CONTENDED',
  () =>
    'another run has completed this upload with other parts or options, or nothing shows that it has not, perhaps from a copy of the same log; let one of them finish, then run the same call again: it uploads everything anew',
  { transient: true },
)

/** Nothing shows whether an earlier run's object is there, and it may not be made twice. */
export const mayNotLook = ofUpload('PAWL_COMPLETE_UNKNOWN', (uploadId) =>
  hidden(`sent a Complete of upload ${uploadId}, which is no longer listed`),
)

/** The same of an object that was made for certain: it may be gone since then. */
export const mayNotLookAgain = ofUpload('PAWL_COMPLETE_UNKNOWN', (uploadId) =>
  hidden(`completed upload ${uploadId}, and could not tell of it`),
)

function hidden(what: string): string {
  return `an earlier run has ${what}; this caller may not look whether the object is there (HEAD, which needs GetObject), and forbidOverwrite is set; nothing was sent, and the log is kept: grant the permission, and the same call looks again`
}

/** For a `discard()` whose log cannot be opened: its disk does not answer. */
export const logStuck = ofUpload(
  'PAWL_CHECKPOINT_IO',
  () =>
    'the log does not answer, so nothing was discarded; discard again when its disk is back',
)

/** For a `discard()` that came too late. */
export const alreadyComplete = ofUpload(
  'PAWL_INVALID_STATE',
  () => 'the object is complete: there is no upload left to discard',
  { completed: true },
)

/** The object is complete all the same: what the run would have resolved to is told. */
export function callbackFailed(
  result: UploadResult,
  cause: StoreError,
): CallbackError {
  return new CallbackError(result, cause.message, answerOf(cause))
}

/** Made by a run's own caller: what is true of it is worked out like a failure. */
class Suspension extends UploadError {
  /** Printed as what callers know. */
  static override readonly name = 'UploadError'

  /** It came when all was done but the removal of the log. */
  sayComplete(): void {
    const { message, stack } = this
    this.message =
      'the upload was suspended when its object was complete and its log was about to be removed; the same call, made again, finds the object by that log, or uploads anew if it is gone'
    this.stack = stack?.replace(message, () => this.message) ?? this.message
    Object.defineProperty(this, 'completed', { value: true, enumerable: true })
  }
}

/** `isLogged`: there is a log to go on from. */
export function suspended({
  isLogged,
  ...fields
}: UploadErrorFields & { isLogged: boolean }): UploadError {
  return new Suspension(
    'PAWL_SUSPENDED',
    isLogged
      ? 'the upload was suspended; the same call, made again, goes on from here'
      : 'the upload was stopped; without a checkpoint the same call, made again, starts over',
    fields,
  )
}

/** Whether it was made by `suspended`. */
export function isSuspension(error: unknown): error is Suspension {
  return error instanceof Suspension
}

/** What to do when nothing shows whether the object was made. */
function whatNext(isLogged: boolean): string {
  return isLogged
    ? 'the log is kept, and the same call looks again'
    : 'without a log the same call starts over, so look at the object first'
}

/**
 * Where nothing may be overwritten: what is there, `by` an earlier run of this log, of
 * what is not known to be the same, or by another.
 */
export function alreadyThere(
  key: string,
  by: { uploadId: string } | 'another',
): UploadError {
  const name = JSON.stringify(key)
  const isAnother = by === 'another'
  const what = isAnother
    ? `there is an object ${name} already`
    : `an earlier run of this log has made the object ${name}, and nothing proves that it is this call's: of the same bytes, with the same options`
  return new UploadError(
    'PAWL_ALREADY_EXISTS',
    `${what}; forbidOverwrite is set, and nothing was sent`,
    { key, uploadId: isAnother ? undefined : by.uploadId },
  )
}

/** Throws `alreadyThere` unless this call may overwrite. */
export function mustMayReplace(
  { key, object }: Pick<UploadSettings, 'key' | 'object'>,
  by: Parameters<typeof alreadyThere>[1],
): void {
  if (object.forbidOverwrite === true) throw alreadyThere(key, by)
}

export function discarded(fields: UploadErrorFields): UploadError {
  return new UploadError('PAWL_DISCARDED', 'the upload was discarded', fields)
}

/** An earlier upload of this log may still become the object. */
export function contended(
  uploadId: string,
  cause: UploadError,
  {
    key,
    isRefused,
    mayComplete,
    retryAfter,
  }: {
    key: string
    isRefused: boolean
    /** Its Complete may be under way by what the log says, and not only by what it may have lost. */
    mayComplete: boolean
    /** ms until it needs no Abort. */
    retryAfter: number | undefined
  },
): UploadError {
  const sent = mayComplete ? 'has sent' : 'may have sent'
  const why = isRefused
    ? 'this caller may not abort it (AbortMultipartUpload is needed)'
    : 'it could not be aborted now'
  return new UploadError(
    'PAWL_UPLOAD_CONTENDED',
    `an earlier run of this log ${sent} a Complete of upload ${uploadId}, which may still take effect, and ${why}; nothing was sent`,
    {
      cause,
      key,
      uploadId,
      transient: !isRefused || retryAfter !== undefined,
      retryAfter,
    },
  )
}

/** `found` bytes so far, or in all; never as many as the caller had said. */
export function sizeMismatch(
  expected: number,
  found: number,
  key: string,
): UploadError {
  const least = found > expected ? 'at least ' : ''
  return new UploadError(
    'PAWL_SIZE_MISMATCH',
    `the source gave ${least}${found} bytes, expected ${expected} (the option size); nothing was completed`,
    { key },
  )
}

/** Of parts without an object, nothing is complete. */
type KeptLog = Pick<UploadLog, 'isResumable' | 'endedSoBefore'> &
  Partial<Pick<UploadLog, 'isComplete'>>

/** Whether the store has answered, in this run. */
type Asked = Pick<Requests, 'hasAnswered'>

/**
 * A failure that, if it is one of ours, says what is kept and whether to repeat the
 * call; `log`: the one that was opened, `requests`: those of the run, if there are any.
 */
export function withKept<Failure>(
  error: Failure,
  { isLogged, facts }: Pick<UploadSettings, 'isLogged' | 'facts'>,
  {
    log,
    requests,
  }: { log?: KeptLog | undefined; requests?: Asked | undefined },
): Failure {
  if (!(error instanceof UploadError)) return error
  if (log?.isComplete === true && isSuspension(error)) error.sayComplete()
  const { code, status, serverCode, resumable, transient } = error
  const { systemCode, isTransient } = causeOf(error)
  const failure = {
    code,
    kind: kindOf(error),
    status,
    serverCode,
    systemCode,
    resumable,
    transient: transient || isTransient,
  }
  const kept = keptAfter(failure, {
    isKept: isLogged && log?.isResumable === true,
    hasAnswered: facts.hasAnswered,
    hasAnsweredNow: requests?.hasAnswered === true,
    isSecond: log?.endedSoBefore(code) === true,
  })
  for (const [name, value] of Object.entries(kept)) {
    Object.defineProperty(error, name, { value, enumerable: true })
  }
  return error
}

/**
 * What an error of ours stands on: the system's own code at the bottom, and whether it
 * says of itself that the call may be repeated, as what `beforeComplete` throws may.
 */
function causeOf({ cause }: UploadError): {
  systemCode: string
  isTransient: boolean
} {
  if (cause instanceof UploadError) {
    return { systemCode: causeOf(cause).systemCode, isTransient: false }
  }
  const isTransient =
    typeof cause === 'object' &&
    cause !== null &&
    'transient' in cause &&
    cause.transient === true
  return { systemCode: codeOf(cause) ?? '', isTransient }
}
