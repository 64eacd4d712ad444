/**
 * The end of an upload: Complete or PutObject, in the order that makes a kill at
 * any point harmless.
 *
 * `completing` synced → request → look → compared → `done` synced → uploads left
 * behind aborted → log removed. Whatever can be checked before the request is
 * checked before it, since OSS reports a wrong object only after it has replaced
 * the old one.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import type { DoneRecord, LogRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { headObject } from '../calls/look.js'
import type { UploadResult } from '../options/result.js'
import type { Claim } from '../rules/claim.js'
import {
  checkObject,
  combinedCrc64,
  etagsDigest,
  isThatObject,
  unquoted,
} from '../rules/proof.js'
import { abortOrphans, closeOldUploads } from './clean-up.js'
import { CompleteRefusal, completeUpload, refusedComplete } from './complete.js'
import type { EndedSource, RunContext } from './context.js'
import { type CurrentUpload, weakest } from './current-upload.js'
import { CallbackError, mustBeAsStored } from './errors.js'
import { givenUp } from './log.js'
import { putWholeObject } from './put-object.js'
import type { Reuse } from './reuse.js'
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
  reuse: Reuse,
): Promise<UploadResult> {
  const { settings, requests, log } = context
  const parts = upload.receipts.inOrder(source.parts, source.size)
  const { size } = source
  const crc64 = settings.crc.isWanted
    ? combinedCrc64(settings.crc.variant, parts)
    : undefined
  await context.beforeComplete.ask({ size, crc64 })
  const etags = parts.map(({ etag }) => etag)
  await log.append({
    type: 'completing',
    parts: parts.length,
    size,
    crc64,
    etagsDigest: etagsDigest(etags),
  })
  context.signal.throwIfAborted()
  const signal = context.completeSignal
  let receipt: ObjectReceipt
  try {
    receipt = await completeUpload({
      settings,
      requests,
      uploadId,
      parts,
      size,
      crc64,
      signal,
    })
  } catch (error) {
    if (!(error instanceof CompleteRefusal)) throw error
    throw await refusedComplete(context, upload, uploadId, parts, error)
  }
  if (receipt.etag === '') {
    const head = await headObject(requests, settings, signal)
    receipt = { ...receipt, etag: head?.etag ?? '' }
    if (head !== undefined && isThatObject(head, { size, crc64, etags })) {
      receipt.crc64 ??= head.crc64
      receipt.versionId ??= head.versionId
    }
  }
  const objectCheck = checkObject(receipt, { etags, crc64 })
  if (objectCheck === 'wrong') {
    await log.append(...givenUp(uploadId, 'object-damaged', 'object'))
    throw new UploadError(
      'PAWL_VERIFY_FAILED',
      `the object was completed, but is not what was sent: the server says CRC-64 ${receipt.crc64 ?? 'nothing'} and ETag ${receipt.etag}, expected CRC-64 ${crc64 ?? 'unknown'}; run the same call again to upload everything anew`,
      { key: settings.key, uploadId, resumable: true, completed: true },
    )
  }
  return close(context, receipt, {
    uploadId,
    size,
    crc64,
    parts: parts.length,
    reuse,
    verified: weakest([objectCheck, ...parts.map(({ check }) => check)]),
  })
}

/**
 * Puts a source that is all one body. An upload that it takes the place of is
 * given up only when the object is there: until then its parts may be wanted.
 */
async function finishWithPut(
  context: RunContext,
  content: PartContent,
  reuse: Reuse,
  replaced?: ReplacedUpload,
): Promise<UploadResult> {
  const { settings } = context
  content.expect('md5')
  const crc64 = settings.crc.isWanted
    ? await content.digest(settings.crc.variant)
    : undefined
  const { size } = content
  await context.beforeComplete.ask({ size, crc64 })
  if (replaced !== undefined) {
    context.emit('restarted', { reason: 'source-changed' })
  }
  const { receipt, check } = await putWholeObject(context, content)
  return close(context, receipt, {
    uploadId: undefined,
    size,
    crc64,
    parts: 0,
    reuse,
    verified: check,
    replaced,
  })
}

/** The object was there all along, and the source was its bytes. */
export async function finishClaim(
  context: RunContext,
  { upload, completing, head }: Claim,
  reuse: Reuse,
): Promise<UploadResult> {
  const { size, crc64 } = completing
  await context.beforeComplete.ask({ size, crc64 })
  const isCrcEqual = head.crc64 !== undefined && head.crc64 === crc64
  return close(context, head, {
    uploadId: upload.uploadId,
    size,
    crc64,
    parts: completing.parts,
    reuse,
    verified: isCrcEqual ? 'crc64' : 'md5',
  })
}

interface Finished {
  uploadId: string | undefined
  size: number
  crc64: string | undefined
  parts: number
  reuse: Reuse
  verified: UploadResult['verified']
  replaced?: ReplacedUpload | undefined
}

async function close(
  context: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
): Promise<UploadResult> {
  const { settings } = context
  const result: UploadResult = {
    bucket: settings.store.bucket,
    key: settings.key,
    etag: unquoted(receipt.etag),
    crc64: receipt.crc64 ?? finished.crc64,
    versionId: receipt.versionId,
    size: finished.size,
    parts: finished.parts,
    partsReused: finished.reuse.parts,
    bytesReused: finished.reuse.bytes,
    uploadId: finished.uploadId,
    resumed: finished.reuse.resumed,
    verified: finished.verified,
    checkpointLeft: !(await removeLog(context, receipt, finished)),
    ...(receipt.callbackBody === undefined
      ? {}
      : { callbackBody: receipt.callbackBody }),
  }
  if (receipt.callbackFailed !== undefined) {
    throw new CallbackError(result, receipt.callbackFailed)
  }
  return result
}

/**
 * False when the log is still there. The object is complete: nothing that
 * happens to the log can make this a failure, and a log that is left says
 * `done`, or `completing`, from which the next run finds the object.
 */
async function removeLog(
  context: RunContext,
  receipt: ObjectReceipt,
  { size, crc64, parts, replaced }: Finished,
): Promise<boolean> {
  const { log } = context
  const done: DoneRecord = {
    type: 'done',
    put: parts === 0 ? true : undefined,
    etag: unquoted(receipt.etag),
    size,
    crc64,
    versionId: receipt.versionId,
  }
  try {
    await log.append(done, ...leftBehind(replaced))
    if (context.isSuspending()) return false
    await closeOldUploads(context, true)
    await abortOrphans(context)
    return await log.remove()
  } catch (error) {
    if (error instanceof UploadError || error instanceof StoreError) {
      return false
    }
    // A listener's: it is not the upload's failure.
    if (!context.signal.aborted) {
      context.settings.environment.soon(() => {
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
  reuse: Reuse,
  claimed?: UploadState,
): Promise<UploadResult> {
  const { settings } = context
  const { digests } = settings.environment
  const content =
    whole ?? new MemoryContent(new Uint8Array(0), hashOfNothing, digests)
  const { uploadId } = upload
  if (settings.onSourceChange === 'fail') {
    const stored = claimed?.parts.get(1) ?? upload.recordOf(1)
    const hash = await content.digest(settings.proof)
    const candidate = { size: content.size, hash }
    mustBeAsStored(settings, stored, candidate, uploadId)
  }
  reuse.resumed = false
  const replaced =
    uploadId === undefined
      ? undefined
      : { uploadId, isCompleted: claimed !== undefined }
  const result = await finishWithPut(context, content, reuse, replaced)
  upload.forget()
  return result
}
