/**
 * The end of an upload: Complete or PutObject, in the order that makes a kill at
 * any point harmless: `completing` synced → request → look → compared → `done` synced →
 * uploads left behind aborted → log removed. What can be checked is checked before the
 * request, since OSS reports a wrong object only after it has replaced the old one.
 */
import { hasMd5, md5Hex } from '../../hash/md5.js'
import type { UploadState } from '../../checkpoint/fold.js'
import type { DoneRecord, LogRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import type { UploadResult } from '../../upload-result.js'
import type { Claim } from '../rules/claim.js'
import { aboutToComplete, partsToName } from '../rules/completing.js'
import { type KnownObject, toldOf, type ToldObject } from '../rules/outcome.js'
import { confirmedBy, expectedOf } from '../rules/proof.js'
import { clearTheWay, endLeftovers, endRivals } from './clean-up.js'
import { completeUpload } from './complete.js'
import type { RunContext } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import { callbackFailed, mustBeAsStored } from './errors.js'
import { givenUp } from './log.js'
import { putWholeObject } from './put-object.js'
import type { PartContent } from '../source/part-content.js'

/** Completes an upload whose parts are all stored. */
export async function finishUpload(
  context: RunContext,
  upload: CurrentUpload,
  source: { parts: number; size: number },
): Promise<UploadResult> {
  const { settings, log } = context
  const named = partsToName(upload.receipts, source, settings.crc)
  const { parts, size, crc64 } = named
  await context.beforeComplete.ask({ size, crc64 })
  const state = log.state.upload
  if (state === undefined) throw new Error('a Complete without an upload')
  const { uploadId } = state
  const before = await clearTheWay(context, state.mark)
  const { sent } = settings.digests
  const { completing, ...earlier } = aboutToComplete(named, state, sent, before)
  await log.append(completing)
  context.signal.throwIfAborted()
  const { receipt, check, current } = await completeUpload(context, {
    upload,
    uploadId,
    parts,
    expected: expectedOf(state, completing, parts),
    ...earlier,
  })
  return conclude(context, receipt, {
    uploadId,
    size,
    crc64,
    parts: parts.length,
    checks: [check, ...parts.map((part) => part.check)],
    current,
  })
}

/** The object was there all along, and the source was its bytes. */
export async function finishClaim(
  context: RunContext,
  { upload, completing, head, checks }: Claim,
): Promise<UploadResult> {
  const { size, crc64 } = completing
  await context.beforeComplete.ask({ size, crc64 })
  const check = confirmedBy(head, expectedOf(upload, completing))
  return conclude(context, head, {
    uploadId: upload.uploadId,
    size,
    crc64,
    parts: completing.parts,
    checks: [check, ...checks],
  })
}

interface Finished extends KnownObject {
  current?: boolean | undefined
  /** What the log says of an upload whose place the object has taken. */
  replaced?: LogRecord[]
}

async function conclude(
  context: RunContext,
  answer: ObjectReceipt,
  finished: Finished,
): Promise<UploadResult> {
  const object = toldOf(answer, finished, context.settings)
  const failure = answer.callbackFailed
  const isRemoved = await removeLog(context, object, finished, failure)
  const result = resultOf(context, object, finished, isRemoved)
  if (failure !== undefined) throw callbackFailed(result, failure)
  if (!isRemoved) await context.log.close()
  return result
}

function resultOf(
  { log, tally }: RunContext,
  object: ToldObject,
  { current }: Finished,
  isRemoved: boolean,
): UploadResult {
  const uploadsLeft = [...log.state.unclosed]
  const { bucket, key, etag, crc64, versionId, size, parts } = object
  const { uploadId, verified, callbackBody, callback } = object
  // Each by its name: behind a spread, V8 makes a hidden class of every name each time.
  return {
    bucket,
    key,
    etag,
    crc64,
    versionId,
    size,
    parts,
    uploadId,
    verified,
    partsReused: tally.parts,
    bytesReused: tally.bytes,
    resumed: tally.resumed,
    checkpointLeft: !isRemoved,
    ...(uploadsLeft.length === 0 ? {} : { uploadsLeft }),
    ...(current === undefined ? {} : { current }),
    ...(callbackBody === undefined ? {} : { callbackBody }),
    ...(callback === undefined ? {} : { callback }),
  }
}

/**
 * False when the log is still there: it could not be removed, or names an upload that a
 * later run has to abort. The object is complete, so nothing here is a failure. The log
 * says `told` before the result is handed out, so that no later run claims the object
 * for another source; from then on it is handed out, whatever the disk does.
 */
async function removeLog(
  context: RunContext,
  object: ToldObject,
  finished: Finished,
  failure: StoreError | undefined,
): Promise<boolean> {
  const { log } = context
  const { crc64, replaced = [] } = finished
  const { etag, versionId, size, parts } = object
  const put = parts === 0 ? true : undefined
  const done: DoneRecord = { type: 'done', put, etag, size, crc64, versionId }
  if (!(await quietly(context, () => log.append(done, ...replaced)))) {
    return false
  }
  const isStopped = context.signal.aborted
  if (!isStopped) await quietly(context, () => endLeftovers(context))
  if (!log.isKept) return true
  const isOver = !isStopped && log.state.unclosed.size === 0
  if (isOver && (await quietly(context, () => log.remove()))) return true
  if (failure === undefined) {
    context.handsOut(resultOf(context, object, finished, false))
  }
  await quietly(context, () => log.append({ type: 'told' }))
  return false
}

/** False when it failed, or says so: what is left of it the next run does. */
async function quietly(
  { settings, signal }: RunContext,
  work: () => Promise<boolean | void>,
): Promise<boolean> {
  try {
    return (await work()) !== false
  } catch (error) {
    const isOurs = error instanceof UploadError || error instanceof StoreError
    // What a listener has thrown is not the upload's failure.
    if (!isOurs && !signal.aborted) {
      settings.environment.soon(() => {
        throw error
      })
    }
    return false
  }
}

/**
 * Puts a source that is less than a part in one request, whatever was begun for it.
 * That upload is given up only when the object is there: its parts may be wanted.
 */
export async function putInstead(
  context: RunContext,
  content: PartContent,
  upload: CurrentUpload,
  claimed?: UploadState,
): Promise<UploadResult> {
  const { settings } = context
  const { crc } = settings
  const { uploadId } = upload
  const needsMd5 = hasMd5() && isToldByMd5(context, content)
  if (settings.onSourceChange === 'fail') {
    const stored = claimed?.parts.get(1) ?? upload.earlier(1).record
    const hash = await content.digest(settings.proof)
    const candidate = { size: content.size, hash }
    mustBeAsStored(settings, stored, candidate, uploadId)
  }
  if (needsMd5) content.expect('md5')
  const { size } = content
  const crc64 = crc.isWanted ? await content.digest(crc.variant) : undefined
  await context.beforeComplete.ask({ size, crc64 })
  if (uploadId !== undefined) context.tally.restarted('source-changed')
  await endRivals(context, { isLast: true })
  const md5 = needsMd5 ? md5Hex(await content.digest('md5')) : undefined
  const bytes = { size, crc64, md5 }
  const { receipt, check } = await putWholeObject(context, content, bytes)
  const closed = claimed && 'object'
  const result = await conclude(context, receipt, {
    uploadId: undefined,
    size,
    crc64,
    parts: 0,
    checks: [check],
    replaced:
      uploadId === undefined ? [] : givenUp(uploadId, 'source-changed', closed),
  })
  upload.forget()
  return result
}

/**
 * Whether the MD5 of a PutObject tells anybody anything: bytes that were damaged on their
 * way are refused by it, unless the caller asked for no comparison; or a later run is to
 * know the object by it, or this one, where no mark shows whose it is; or nobody else's
 * may be replaced; or the bytes are read as they go out, when the source was looked at
 * for the last time: they must be those that it had then.
 */
function isToldByMd5(
  { settings, log }: RunContext,
  { isReadAnew = false }: PartContent,
): boolean {
  const { isUnchecked, object, mark, facts } = settings
  const isMarked = mark && !facts.dropsMarks
  const isOnce = object.forbidOverwrite === true
  return !isUnchecked || log.isKept || !isMarked || isOnce || isReadAnew
}
