/**
 * The end of an upload: Complete or PutObject, in the order that makes a kill at
 * any point harmless.
 *
 * `completing` synced → request → look → compared → `done` synced → uploads left
 * behind aborted → log removed. Whatever can be checked before the request is
 * checked before it, since OSS reports a wrong object only after it has replaced
 * the old one.
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
  checkObject,
  combinedCrc64,
  etagsDigest,
  expectedEtag,
  expectedOf,
  unquoted,
} from '../rules/proof.js'
import {
  abortOrphans,
  closeOldUploads,
  endRivals,
  sightBefore,
} from './clean-up.js'
import { completeUpload } from './complete.js'
import type { EndedSource, RunContext } from './context.js'
import type { CurrentUpload } from './current-upload.js'
import { callbackFailed, mustBeAsStored } from './errors.js'
import { givenUp } from './log.js'
import { mustBeAsSent } from './made.js'
import { putWholeObject } from './put-object.js'
import { receiptsInOrder, weakest } from './receipts.js'
import { MemoryContent, type PartContent } from '../source/part-content.js'

/** xxh64 of no bytes. */
const hashOfNothing = 'ef46db3751d8e999'

/** The log's upload, when the source turns out to be all one body. */
interface ReplacedUpload {
  uploadId: string
  /** It has become an object. */
  isCompleted: boolean
}

/** Completes an upload whose parts are all stored. */
export async function finishUpload(
  context: RunContext,
  uploadId: string,
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
  const earlier = log.state.upload?.completing
  const sentDigest = settings.digests.sent
  const isAlike = (earlier?.sentDigest ?? sentDigest) === sentDigest
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
  const expected = {
    ...expectedOf(state, completing),
    etag: expectedEtag(parts),
  }
  const answer = await completeUpload(context, {
    upload,
    uploadId,
    parts,
    size,
    crc64,
    expected,
    sentBefore: earlier && (isAlike ? 'alike' : 'otherwise'),
  })
  const { receipt, check, current } = await mustBeAsSent(
    context,
    answer,
    expected,
    uploadId,
  )
  return conclude(context, receipt, {
    uploadId,
    size,
    crc64,
    parts: parts.length,
    verified: weakest([check, ...parts.map((part) => part.check)]),
    current,
  })
}

/**
 * Puts a source that is all one body. An upload that it takes the place of is
 * given up only when the object is there: until then its parts may be wanted.
 */
async function finishWithPut(
  context: RunContext,
  content: PartContent,
  replaced?: ReplacedUpload,
): Promise<UploadResult> {
  const { settings } = context
  if (hasMd5()) content.expect('md5')
  const crc64 = settings.crc.isWanted
    ? await content.digest(settings.crc.variant)
    : undefined
  const { size } = content
  await context.beforeComplete.ask({ size, crc64 })
  if (replaced !== undefined) {
    context.emit('restarted', { reason: 'source-changed' })
  }
  await endRivals(context, { isLast: true })
  const { receipt, check } = await putWholeObject(context, content)
  return conclude(context, receipt, {
    uploadId: undefined,
    size,
    crc64,
    parts: 0,
    verified: check,
    replaced,
  })
}

/** The object was there all along, and the source was its bytes. */
export async function finishClaim(
  context: RunContext,
  { upload, completing, head, checks }: Claim,
): Promise<UploadResult> {
  const { size, crc64 } = completing
  await context.beforeComplete.ask({ size, crc64 })
  const check = checkObject(head, expectedOf(upload, completing))
  const isKnown = check !== 'wrong' && check !== 'none'
  return conclude(context, head, {
    uploadId: upload.uploadId,
    size,
    crc64,
    parts: completing.parts,
    verified: isKnown ? weakest([check, ...checks]) : 'none',
  })
}

interface Finished {
  uploadId: string | undefined
  size: number
  crc64: string | undefined
  parts: number
  verified: UploadResult['verified']
  replaced?: ReplacedUpload | undefined
  current?: boolean | undefined
}

async function conclude(
  context: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
): Promise<UploadResult> {
  const isRemoved = await removeLog(context, receipt, finished)
  const result = resultOf(context, receipt, finished, isRemoved)
  if (receipt.callbackFailed === undefined) return result
  throw callbackFailed(result, receipt.callbackFailed)
}

function resultOf(
  { settings, log, reuse }: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
  isRemoved: boolean,
): UploadResult {
  const uploadsLeft = [...log.state.unclosed]
  return {
    bucket: settings.store.bucket,
    key: settings.key,
    etag: unquoted(receipt.etag),
    crc64: receipt.crc64 ?? finished.crc64,
    versionId: receipt.versionId,
    size: finished.size,
    parts: finished.parts,
    partsReused: reuse.parts,
    bytesReused: reuse.bytes,
    uploadId: finished.uploadId,
    resumed: reuse.resumed,
    verified: finished.verified,
    checkpointLeft: !isRemoved,
    ...(uploadsLeft.length === 0 ? {} : { uploadsLeft }),
    ...(finished.current === undefined ? {} : { current: finished.current }),
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
 * False when the log is still there: it could not be removed, or an upload that it
 * names is not aborted yet, for which a later run needs it. The object is
 * complete: nothing that happens to the log can make this a failure. It says
 * `told` before the result is handed out, so that no later run claims the object
 * for another source; from then on it is handed out, though a suspension waits no
 * longer for the disk.
 */
async function removeLog(
  context: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
): Promise<boolean> {
  const { log } = context
  if (!log.isKept) return true
  const { size, crc64, parts, replaced } = finished
  const done: DoneRecord = {
    type: 'done',
    put: parts === 0 ? true : undefined,
    etag: unquoted(receipt.etag),
    size,
    crc64,
    versionId: receipt.versionId,
  }
  const isDone = await quietly(context, async () => {
    await log.append(done, ...leftBehind(replaced))
  })
  if (!isDone) return false
  if (!context.isSuspending()) {
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
    context.tells(resultOf(context, receipt, finished, false))
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

function leftBehind(replaced: ReplacedUpload | undefined): LogRecord[] {
  if (replaced === undefined) return []
  return givenUp(
    replaced.uploadId,
    'source-changed',
    replaced.isCompleted ? 'object' : undefined,
  )
}

/**
 * Puts a source that is less than a part in one request, whatever was begun for
 * it. With `onSourceChange: 'fail'` its part 1 has to be what was stored of it.
 */
export async function putInstead(
  context: RunContext,
  { whole }: EndedSource,
  upload: CurrentUpload,
  claimed?: UploadState,
): Promise<UploadResult> {
  const { settings } = context
  const { digests } = settings.environment
  const content = whole ?? new MemoryContent([], hashOfNothing, digests)
  const { uploadId } = upload
  if (settings.onSourceChange === 'fail') {
    const stored = claimed?.parts.get(1) ?? upload.recordOf(1)
    const hash = await content.digest(settings.proof)
    const candidate = { size: content.size, hash }
    mustBeAsStored(settings, stored, candidate, uploadId)
  }
  context.reuse.resumed = false
  const replaced =
    uploadId === undefined
      ? undefined
      : { uploadId, isCompleted: claimed !== undefined }
  const result = await finishWithPut(context, content, replaced)
  upload.forget()
  return result
}
