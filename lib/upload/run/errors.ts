/** Parts that an upload cannot take, in words. */
import type { EventEmitter } from 'node:events'
import {
  CallbackError,
  UploadError,
  type UploadErrorFields,
} from '../../errors.js'
import { answerOf, type StoreError } from '../../store/store-error.js'
import { type PartSizes, roomIn } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import type { UploadResult } from '../../upload-result.js'
import type { UploadSettings } from '../options/settings.js'
import { codeOf } from '../../store/cause.js'
import { kindOf } from '../calls/requests.js'
import { type Candidate, hasChanged } from '../rules/judge.js'
import { keptAfter } from '../rules/kept.js'
import type { UploadLog } from './log.js'
import type { Piece } from '../source/part-content.js'

function partChanged(
  { partNumber, offset, size }: Piece,
  fields: { key: string; uploadId: string | undefined },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `part ${partNumber} (bytes ${offset} to ${offset + size - 1}) is not what an earlier run stored, and onSourceChange is 'fail'`,
    { ...fields, partNumber, offset },
  )
}

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

/** For a sequential upload. */
export function partTaken(
  { partNumber, offset, size }: Piece,
  fields: { key: string; uploadId: string; cause: UploadError },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `part ${partNumber} (bytes ${offset} to ${offset + size - 1}) is not what is stored of it, and a sequential upload takes no part twice; run the same call again to upload everything anew`,
    { ...fields, partNumber, offset, transient: true },
  )
}

/** For a sequential upload with a hole that no run of ours has made. */
export function outOfSequence(
  { partNumber, offset }: Piece,
  cause: UploadError,
): UploadError {
  const { key, uploadId } = cause
  return new UploadError(
    'PAWL_UPLOAD_CONTENDED',
    `part ${partNumber} does not follow what is stored: somebody else sends parts to the same upload, and a sequential one cannot be put right; run the same call again to upload everything anew`,
    { cause, key, uploadId, partNumber, offset, transient: true },
  )
}

/** A part of an object that may be complete already would be replaced. */
export function mayBeNamed(
  { partNumber, offset }: Piece,
  fields: { key: string; uploadId: string | undefined },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    `part ${partNumber} differs from what an earlier run has stored and completed with, which cannot be told from this run's by its digests here; run the same call again to upload everything anew`,
    { ...fields, partNumber, offset, transient: true },
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

/** Such as `8388608 bytes, of 33554432 from part 1001 on`. */
export function sizesText({ partSize, growth = [] }: PartSizes): string {
  const steps = growth.map(
    (step) => `, of ${step.partSize} from part ${step.from} on`,
  )
  return `${partSize} bytes${steps.join('')}`
}

/**
 * Complete was refused although all parts are as they were sent, and they grow: the
 * log says so, and the next run's do not. Without a log nobody would know.
 */
export function refusedUnequal(
  cause: StoreError,
  fields: UploadErrorFields,
  isLogged: boolean,
): UploadError {
  const next = isLogged
    ? 'run the same call again: it uploads everything anew, in parts of one size'
    : 'give partSize, which all parts then have'
  return new UploadError(
    'PAWL_COMPLETE_REFUSED',
    `the server refused to complete the upload: ${cause.message}; its parts are as they were sent, but not of one size, which some servers want: ${next}; equalParts, an option of s3Store, says it from the start`,
    { ...fields, transient: isLogged },
  )
}

export function claimBroken(key: string): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    'an earlier run completed the object, and the source is no longer its bytes; run the same call again to upload the source as it is now',
    { key, transient: true },
  )
}

/** The object of a ticket's upload is there, and is of other parts than these. */
export function claimOfOthers(
  key: string,
  { uploadId }: { uploadId: string },
): UploadError {
  return new UploadError(
    'PAWL_SOURCE_CHANGED',
    'the upload was completed with other parts than these receipts are of; nothing was sent, and the object is as it was',
    { key, uploadId },
  )
}

/** The object is complete all the same: what the run would have resolved to is told. */
export function callbackFailed(
  result: UploadResult,
  cause: StoreError,
): CallbackError {
  return new CallbackError(result, cause.message, answerOf(cause))
}

/** Made by a run's own caller: what is true of it is worked out like a failure. */
class Suspension extends UploadError {}

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

/**
 * Says of a failure of ours what is kept and whether to repeat the call; `log`:
 * the one that was opened, if any; `hasAnswered`: the store has, in this run.
 */
export function tellKept(
  error: Error,
  settings: Pick<UploadSettings, 'isResumable' | 'environment' | 'store'>,
  {
    log,
    hasAnswered,
  }: {
    log?: Pick<UploadLog, 'isResumable' | 'endedSoBefore'> | undefined
    hasAnswered: boolean
  },
): void {
  if (!(error instanceof UploadError)) return
  const { code, status, serverCode, resumable, transient, cause } = error
  const failure = {
    code,
    kind: kindOf(error),
    status,
    serverCode,
    systemCode: systemCodeOf(cause),
    resumable,
    transient: transient || isTransient(cause),
  }
  const { isResumable, environment, store } = settings
  const kept = keptAfter(failure, {
    isKept: isResumable && log?.isResumable === true,
    hasAnswered: environment.facts.of(store).hasAnswered,
    hasAnsweredNow: hasAnswered,
    isSecond: log?.endedSoBefore(code) === true,
  })
  for (const [name, value] of Object.entries(kept)) {
    Object.defineProperty(error, name, { value, enumerable: true })
  }
}

/** Whether what ended a run is its own: a failure of it, or its suspension. */
export function isOwn(error: Error, failure: Error | undefined): boolean {
  return error === failure || error instanceof Suspension
}

/** The system's own code at the bottom of what our errors stand on. */
function systemCodeOf(cause: unknown): string {
  return cause instanceof UploadError
    ? systemCodeOf(cause.cause)
    : (codeOf(cause) ?? '')
}

/** What `beforeComplete` has thrown may say so of itself. */
function isTransient(cause: unknown): boolean {
  if (cause instanceof UploadError) return false
  return (
    typeof cause === 'object' &&
    cause !== null &&
    'transient' in cause &&
    cause.transient === true
  )
}

/** What to do when nothing shows whether the object was made. */
export function whatNext(isLogged: boolean): string {
  return isLogged
    ? 'the log is kept, and the same call looks again'
    : 'without a log the same call starts over, so look at the object first'
}

/** Nothing shows whether an earlier run's object is there, and it may not be made twice. */
export function mayNotLook(key: string, uploadId: string): UploadError {
  return new UploadError(
    'PAWL_COMPLETE_UNKNOWN',
    `an earlier run has sent a Complete of upload ${uploadId}, which is no longer listed; this caller may not look whether the object is there (HEAD, which needs GetObject), and forbidOverwrite is set; nothing was sent, and the log is kept: grant the permission, and the same call looks again`,
    { key, uploadId },
  )
}

/**
 * What may not be overwritten is there; `by`: an earlier run of this log has made
 * it, of what is not known to be the same.
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

/** Another run has completed this very upload, with other parts. */
export function completedByOther(key: string, uploadId: string): UploadError {
  return new UploadError(
    'PAWL_UPLOAD_CONTENDED',
    'another run has completed this upload with other parts, perhaps from a copy of the same log; let one of them finish, then run the same call again: it uploads everything anew',
    { key, uploadId, transient: true },
  )
}

/** For a `discard()` whose log cannot be opened: its disk does not answer. */
export function logStuck(key: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    'the log does not answer, so nothing was discarded; discard again when its disk is back',
    { key },
  )
}

/** For a `discard()` that came too late. */
export function alreadyComplete(key: string): UploadError {
  return new UploadError(
    'PAWL_INVALID_STATE',
    'the object is complete: there is no upload left to discard',
    { key, completed: true },
  )
}

/** For an end that the caller asked for by name; `result` says it too. */
export function beQuiet(stream: EventEmitter): void {
  // Once: it may be asked for again and again.
  stream.off('error', ignoreError).on('error', ignoreError)
}

function ignoreError(): void {
  // Without a listener the stream's error would end the process.
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
