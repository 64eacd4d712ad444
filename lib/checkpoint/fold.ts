/**
 * From records to what they add up to. Pure.
 *
 * Records are folded in the order of their numbers. One whose numbers do not
 * fit what came before it (a part that is not where its number says) is refused
 * and changes nothing; a record of an upload that is not the current one
 * never gets here, its hash would not have verified.
 */
import {
  equalParts,
  type GrowthStep,
  largestOf,
  offsetAt,
  partSizeAt,
} from './growth.js'
import {
  type CompletingPutRecord,
  type CompletingUploadRecord,
  type DoneRecord,
  type DropRecord,
  type HeaderRecord,
  type IntentRecord,
  type LogRecord,
  notAsSent,
  type PartRecord,
  type RefusedRecord,
  type UploadRecord,
  type VoidRecord,
} from './record.js'

/** The current upload: the one that the last `upload` record names. */
export interface UploadState {
  uploadId: string
  partSize: number
  optionsDigest: string
  /** ms since 1970 */
  time: number
  /** The server's clock when it answered Initiate. */
  serverDate: number | undefined
  /** What its object will carry. */
  mark: string | undefined
  /** Where its parts become larger. */
  growth: readonly GrowthStep[] | undefined
  /** Why it is no longer to be used; undefined while it is. */
  voided: string | undefined
  /** What is stored of it, by part number; the last record of a part counts. */
  parts: Map<number, PartRecord>
  /** Why parts were dropped, by part number; the last reason counts. */
  drops: Map<number, string>
  /** The last Complete that was about to be sent. */
  completing: CompletingUploadRecord | undefined
  /** It may have made the object: nothing behind it says that it was refused. */
  mayBeComplete: boolean
  /** The ETags that each Complete named, as digests, with the bytes of its object. */
  etagsDigests: Map<string, number>
  /**
   * What went with the Completes that were about to be sent, as digests, and how many
   * of each may have made the object: none of those that were refused for certain.
   */
  sentDigests: Map<string, number>
  done: DoneRecord | undefined
  /** The result was handed out: its object is not claimed any more. */
  isTold: boolean
}

/** A PutObject that was about to be sent, and nothing was stored after it. */
export interface PutState {
  completing: CompletingPutRecord | undefined
  done: DoneRecord | undefined
  /** As of an upload. */
  isTold: boolean
}

/** What a log says. */
export interface LogState {
  /** The last header. */
  header: HeaderRecord
  /** Headers by run: what each run said of its source. */
  runs: Map<number, HeaderRecord>
  /** The highest run number that any record names. */
  maxRun: number
  /** Every Initiate that was about to be sent, oldest first. */
  intents: IntentRecord[]
  /** The current upload, voided or not; undefined before the first. */
  upload: UploadState | undefined
  put: PutState | undefined
  /** Uploads voided or left behind whose abort has not been confirmed. */
  unclosed: Set<string>
  /** Those of them whose Complete may still be under way, with their marks. */
  rivals: Map<string, string | undefined>
  /** The mark of each unclosed upload, where it is known. */
  marks: Map<string, string | undefined>
  /** The run in which each unclosed upload was voided or left behind. */
  voidedIn: Map<string, number>
  /** Why the last upload that was voided was. */
  lastVoid: string | undefined
  /** Every upload ID that the log names. */
  uploadIds: Set<string>
  /**
   * The server takes parts of one size: bytes of the largest that an upload had
   * which it refused for that.
   */
  equalParts: number | undefined
}

/** A log that says only whose it is. */
export function emptyState(header: HeaderRecord): LogState {
  return {
    header,
    runs: new Map(),
    maxRun: 0,
    intents: [],
    upload: undefined,
    put: undefined,
    unclosed: new Set(),
    rivals: new Map(),
    marks: new Map(),
    voidedIn: new Map(),
    lastVoid: undefined,
    uploadIds: new Set(),
    equalParts: undefined,
  }
}

/** Whether some Initiate of ours may have begun an upload that we know nothing of. */
export function mayHaveOrphans({
  intents,
  uploadIds,
}: {
  intents: readonly unknown[]
  uploadIds: ReadonlySet<string>
}): boolean {
  return intents.length > uploadIds.size
}

/** Adds one record; false when it does not fit and nothing was changed. */
export function applyRecord(state: LogState, record: LogRecord): boolean {
  switch (record.type) {
    case 'log':
      return applyHeader(state, record)
    case 'upload':
      return applyUpload(state, record)
    case 'part':
      return applyPart(state, record)
    case 'drop':
      return applyDrop(state, record)
    case 'completing':
      return applyCompleting(state, record)
    case 'refused':
      return applyRefused(state, record)
    case 'done':
      return applyDone(state, record)
    case 'intent':
      state.intents.push(record)
      break
    case 'void':
      applyVoid(state, record)
      break
    case 'closed':
      state.uploadIds.add(record.uploadId)
      state.unclosed.delete(record.uploadId)
      state.rivals.delete(record.uploadId)
      state.marks.delete(record.uploadId)
      state.voidedIn.delete(record.uploadId)
      break
    case 'told':
      if (state.upload?.done !== undefined) state.upload.isTold = true
      if (state.put?.done !== undefined) state.put.isTold = true
      break
  }
  return true
}

function applyHeader(state: LogState, record: HeaderRecord): boolean {
  const { header } = state
  if (
    record.logId !== header.logId ||
    record.store !== header.store ||
    record.bucket !== header.bucket ||
    record.key !== header.key
  ) {
    return false
  }
  state.header = record
  state.runs.set(record.run, record)
  state.maxRun = Math.max(state.maxRun, record.run)
  return true
}

function applyUpload(state: LogState, record: UploadRecord): boolean {
  const old = state.upload
  if (old?.uploadId === record.uploadId) return true
  // A voided upload is in `unclosed` already, unless it is closed.
  if (old && old.voided === undefined && old.done === undefined) {
    leaveBehind(state, old)
  }
  const { uploadId, partSize, optionsDigest, time, serverDate, mark, growth } =
    record
  state.unclosed.delete(uploadId)
  state.uploadIds.add(uploadId)
  state.put = undefined
  state.upload = {
    uploadId,
    partSize,
    optionsDigest,
    time,
    serverDate,
    mark,
    growth,
    voided: undefined,
    parts: new Map(),
    drops: new Map(),
    completing: undefined,
    mayBeComplete: false,
    etagsDigests: new Map(),
    sentDigests: new Map(),
    done: undefined,
    isTold: false,
  }
  return true
}

function applyVoid(state: LogState, record: VoidRecord): void {
  const { upload } = state
  const isCurrent = upload?.uploadId === record.uploadId
  state.lastVoid = record.reason
  state.uploadIds.add(record.uploadId)
  if (!isCurrent) {
    state.unclosed.add(record.uploadId)
    state.voidedIn.set(record.uploadId, state.header.run)
    return
  }
  upload.voided = record.reason
  if (record.reason === equalParts) state.equalParts = largestOf(upload)
  // Aborting a completed upload can break the object on some servers.
  if (upload.done === undefined) leaveBehind(state, upload)
}

/**
 * No request is sent to this upload any more; those of earlier runs may still
 * arrive.
 */
function leaveBehind(
  { unclosed, rivals, marks, voidedIn, header }: LogState,
  { uploadId, completing, mark }: UploadState,
): void {
  unclosed.add(uploadId)
  marks.set(uploadId, mark)
  voidedIn.set(uploadId, header.run)
  if (completing !== undefined) rivals.set(uploadId, mark)
}

function applyPart(state: LogState, record: PartRecord): boolean {
  const { upload } = state
  if (
    upload === undefined ||
    record.offset !== offsetAt(upload, record.number) ||
    record.size > partSizeAt(upload, record.number)
  ) {
    return false
  }
  state.put = undefined
  state.maxRun = Math.max(state.maxRun, record.run)
  upload.parts.set(record.number, record)
  return true
}

function applyDrop({ upload }: LogState, record: DropRecord): boolean {
  if (upload === undefined) return false
  upload.parts.delete(record.number)
  upload.drops.set(record.number, record.reason)
  if (record.reason === notAsSent) upload.mayBeComplete = false
  return true
}

function applyCompleting(
  state: LogState,
  record: CompletingUploadRecord | CompletingPutRecord,
): boolean {
  if ('put' in record) {
    state.put = { completing: record, done: undefined, isTold: false }
    return true
  }
  const { upload } = state
  if (upload === undefined) return false
  const last = offsetAt(upload, record.parts)
  const most = last + partSizeAt(upload, record.parts)
  if (record.size <= last || record.size > most) return false
  state.put = undefined
  upload.completing = record
  upload.mayBeComplete = true
  upload.etagsDigests.set(record.etagsDigest, record.size)
  const { sentDigest } = record
  if (sentDigest !== undefined) countSent(upload, sentDigest, 1)
  return true
}

function applyRefused({ upload }: LogState, record: RefusedRecord): boolean {
  if (upload === undefined) return false
  countSent(upload, record.sentDigest, -1)
  const inDoubt = [...upload.sentDigests.values()].some((count) => count > 0)
  if (!inDoubt) upload.mayBeComplete = false
  return true
}

/** `by`: 1 for a Complete that is about to be sent, -1 for one that was refused. */
function countSent(
  { sentDigests }: UploadState,
  sentDigest: string,
  by: 1 | -1,
): void {
  const count = (sentDigests.get(sentDigest) ?? 0) + by
  sentDigests.set(sentDigest, Math.max(0, count))
}

function applyDone(state: LogState, record: DoneRecord): boolean {
  if (record.put === true) {
    const { completing } = state.put ?? {}
    state.put = { completing, done: record, isTold: false }
    return true
  }
  if (state.upload === undefined) return false
  state.upload.done = record
  state.unclosed.delete(state.upload.uploadId)
  state.rivals.delete(state.upload.uploadId)
  return true
}
