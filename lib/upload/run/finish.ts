/**
 * The end of an upload: Complete or PutObject, in the order that makes a kill at
 * any point harmless: `completing` synced → request → look → compared → `done` synced →
 * uploads left behind aborted → log removed. What can be checked is checked before the
 * request, since OSS reports a wrong object only after it has replaced the old one.
 */
import { hasMd5 } from '../../hash/md5.js'
import type { UploadState } from '../../checkpoint/fold.js'
import type { DoneRecord, LogRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { ObjectOptions, ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import type { UploadResult } from '../../upload-result.js'
import type { Claim } from '../rules/claim.js'
import {
  combinedCrc64,
  confirmedBy,
  etagsDigest,
  expectedOf,
  md5Hex,
  unquoted,
  weakest,
} from '../rules/proof.js'
import { sentBefore } from '../rules/sent-before.js'
import {
  abortOrphans,
  closeOldUploads,
  endRivals,
  sightBefore,
} from './clean-up.js'
import { completeUpload } from './complete.js'
import type { EndedSource, RunContext } from './context.js'
import { type CurrentUpload, receiptsInOrder } from './current-upload.js'
import { callbackFailed, mustBeAsStored } from './errors.js'
import { givenUp } from './log.js'
import { putWholeObject } from './put-object.js'
import { MemoryContent } from '../source/part-content.js'

/** xxh64 of no bytes. */
const hashOfNothing = 'ef46db3751d8e999'

/** Completes an upload whose parts are all stored. */
export async function finishUpload(
  context: RunContext,
  upload: CurrentUpload,
  source: { parts: number; size: number },
): Promise<UploadResult> {
  const { settings, log } = context
  const parts = receiptsInOrder(upload.receipts, source.parts, source.size)
  const { size } = source
  const crc64 = settings.crc.isWanted
    ? combinedCrc64(settings.crc.variant, parts)
    : undefined
  await context.beforeComplete.ask({ size, crc64 })
  await endRivals(context, { isLast: true })
  const sentDigest = settings.digests.sent
  const earlier = sentBefore(log.state.upload, sentDigest)
  const before = await sightBefore(context, log.state.upload?.mark)
  const completing = {
    type: 'completing' as const,
    parts: parts.length,
    size,
    crc64,
    etagsDigest: etagsDigest(parts.map(({ etag }) => etag)),
    sentDigest,
    before,
  }
  await log.append(completing)
  context.signal.throwIfAborted()
  const state = log.state.upload
  if (state === undefined) throw new Error('a Complete without an upload')
  const { uploadId } = state
  const { receipt, check, current } = await completeUpload(context, {
    upload,
    uploadId,
    parts,
    expected: expectedOf(state, completing, parts),
    sentBefore: earlier,
  })
  return conclude(context, receipt, {
    uploadId,
    size,
    crc64,
    parts: parts.length,
    verified: weakest([check, ...parts.map((part) => part.check)]),
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
    verified: weakest([check, ...checks]),
  })
}

interface Finished extends Pick<
  UploadResult,
  'uploadId' | 'size' | 'crc64' | 'parts' | 'verified' | 'current'
> {
  /** What the log says of an upload whose place the object has taken. */
  replaced?: LogRecord[]
}

async function conclude(
  context: RunContext,
  answer: ObjectReceipt,
  finished: Finished,
): Promise<UploadResult> {
  const receipt = { ...answer, etag: unquoted(answer.etag) }
  const isRemoved = await removeLog(context, receipt, finished)
  const result = resultOf(context, receipt, finished, isRemoved)
  if (receipt.callbackFailed === undefined) return result
  throw callbackFailed(result, receipt.callbackFailed)
}

function resultOf(
  { settings, log, tally }: RunContext,
  receipt: ObjectReceipt,
  { current, uploadId, size, crc64, parts, verified }: Finished,
  isRemoved: boolean,
): UploadResult {
  const uploadsLeft = [...log.state.unclosed]
  return {
    bucket: settings.store.bucket,
    key: settings.key,
    etag: receipt.etag,
    crc64: receipt.crc64 ?? crc64,
    versionId: receipt.versionId,
    size,
    parts,
    partsReused: tally.parts,
    bytesReused: tally.bytes,
    uploadId,
    resumed: tally.resumed,
    verified,
    checkpointLeft: !isRemoved,
    ...(uploadsLeft.length === 0 ? {} : { uploadsLeft }),
    ...(current === undefined ? {} : { current }),
    ...calledBack(settings.object, receipt),
  }
}

/** What an answer has said of the callback; a look at the object says nothing. */
function calledBack(
  { callback }: ObjectOptions,
  { callbackBody, callbackFailed }: ObjectReceipt,
): Pick<UploadResult, 'callbackBody' | 'callback'> {
  if (callbackBody !== undefined) return { callbackBody }
  const isUnknown = callback !== undefined && callbackFailed === undefined
  return isUnknown ? { callback: 'unknown' } : {}
}

/**
 * False when the log is still there: it could not be removed, or names an upload that a
 * later run has to abort. The object is complete, so nothing here is a failure. The log
 * says `told` before the result is handed out, so that no later run claims the object
 * for another source; from then on it is handed out, whatever the disk does.
 */
async function removeLog(
  context: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
): Promise<boolean> {
  const { log } = context
  if (!log.isKept) return true
  const { size, crc64, parts, replaced = [] } = finished
  const put = parts === 0 ? true : undefined
  const { etag, versionId } = receipt
  const done: DoneRecord = { type: 'done', put, etag, size, crc64, versionId }
  if (!(await quietly(context, () => log.append(done, ...replaced)))) {
    return false
  }
  if (!context.signal.aborted) {
    await quietly(context, async () => {
      await closeOldUploads(context, { isMade: true })
      await abortOrphans(context)
    })
    if (log.state.unclosed.size === 0) {
      let isRemoved = false
      await quietly(context, async () => {
        isRemoved = await log.remove()
      })
      if (isRemoved) return true
    }
  }
  if (receipt.callbackFailed === undefined) {
    context.handsOut(resultOf(context, receipt, finished, false))
  }
  await quietly(context, () => log.append({ type: 'told' }))
  return false
}

/** False when it failed: what is left of it the next run does. */
async function quietly(
  { settings, signal }: RunContext,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work()
    return true
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
  { whole }: EndedSource,
  upload: CurrentUpload,
  claimed?: UploadState,
): Promise<UploadResult> {
  const { settings } = context
  const { crc, environment } = settings
  const { digests } = environment
  const content = whole ?? new MemoryContent([], hashOfNothing, digests)
  const { uploadId } = upload
  if (settings.onSourceChange === 'fail') {
    const stored = claimed?.parts.get(1) ?? upload.earlier(1).record
    const hash = await content.digest(settings.proof)
    const candidate = { size: content.size, hash }
    mustBeAsStored(settings, stored, candidate, uploadId)
  }
  if (hasMd5()) content.expect('md5')
  const { size } = content
  const crc64 = crc.isWanted ? await content.digest(crc.variant) : undefined
  await context.beforeComplete.ask({ size, crc64 })
  if (uploadId !== undefined) context.tally.restarted('source-changed')
  await endRivals(context, { isLast: true })
  const md5 = hasMd5() ? md5Hex(await content.digest('md5')) : undefined
  const bytes = { size, crc64, md5 }
  const { receipt, check } = await putWholeObject(context, content, bytes)
  const closed = claimed && 'object'
  const result = await conclude(context, receipt, {
    uploadId: undefined,
    size,
    crc64,
    parts: 0,
    verified: check,
    replaced:
      uploadId === undefined ? [] : givenUp(uploadId, 'source-changed', closed),
  })
  upload.forget()
  return result
}
