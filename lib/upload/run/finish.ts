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
import type { ObjectHead, ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { lookAt } from '../calls/look.js'
import type { UploadResult } from '../options/result.js'
import type { Claim } from '../rules/claim.js'
import {
  checkObject,
  combinedCrc64,
  type ExpectedObject,
  etagsDigest,
  expectedEtag,
  expectedOf,
  hasOtherParts,
  isOfOtherParts,
  sameEtag,
  unquoted,
  whose,
} from '../rules/proof.js'
import {
  abortOrphans,
  closeOldUploads,
  endRivals,
  sightBefore,
} from './clean-up.js'
import { completeUpload } from './complete.js'
import type { EndedSource, RunContext } from './context.js'
import { type CurrentUpload, weakest } from './current-upload.js'
import { CallbackError, completedByOther, mustBeAsStored } from './errors.js'
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
  const { settings, log } = context
  const parts = upload.receipts.inOrder(source.parts, source.size)
  const { size } = source
  const crc64 = settings.crc.isWanted
    ? combinedCrc64(settings.crc.variant, parts)
    : undefined
  await context.beforeComplete.ask({ size, crc64 })
  await endRivals(context)
  const wasSent = log.state.upload?.completing !== undefined
  const before = await sightBefore(context, log.state.upload?.mark)
  const completing = {
    type: 'completing' as const,
    parts: parts.length,
    size,
    crc64,
    etagsDigest: etagsDigest(parts.map(({ etag }) => etag)),
    sentDigest: settings.sentDigest,
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
  let receipt = await completeUpload(context, {
    upload,
    uploadId,
    parts,
    size,
    crc64,
    expected,
    wasSent,
  })
  // There another object may take precedence although the answer was 200.
  const mayBeSuperseded = settings.store.precedence === 'initiate'
  // A server that replays an earlier Complete of the same upload, with other parts.
  const isReplay = hasOtherParts(receipt.etag, expected.etag)
  let there: Afterwards = 'ours'
  if (receipt.etag === '' || mayBeSuperseded || isReplay) {
    const looked = await lookAfter(context, receipt, expected)
    receipt = looked.receipt
    there = looked.there
  }
  const isOthers =
    there === 'other-parts' ||
    (isReplay && there === 'replaced') ||
    (there !== 'damaged' && isOfOtherParts(receipt, expected.etag))
  if (isOthers) {
    await log.append(...givenUp(uploadId, 'contended', 'object'))
    throw completedByOther(settings.key, uploadId)
  }
  const objectCheck =
    there === 'damaged' ? 'wrong' : checkObject(receipt, expected)
  if (objectCheck === 'wrong') {
    await log.append(...givenUp(uploadId, 'object-damaged', 'object'))
    throw new UploadError(
      'PAWL_VERIFY_FAILED',
      `the object was completed, but is not what was sent: the server says CRC-64 ${receipt.crc64 ?? 'nothing'} and ETag ${receipt.etag}, expected CRC-64 ${crc64 ?? 'unknown'} and ETag ${expected.etag?.value ?? 'unknown'}; run the same call again to upload everything anew`,
      { key: settings.key, uploadId, completed: true },
    )
  }
  return conclude(context, receipt, {
    uploadId,
    size,
    crc64,
    parts: parts.length,
    reuse,
    verified: weakest([objectCheck, ...parts.map(({ check }) => check)]),
    current:
      mayBeSuperseded && there !== 'unknown' ? there === 'ours' : undefined,
  })
}

/**
 * What is under the key after a certain 200: our object; the same of other bytes;
 * another's in its place; the object of this very upload, which another run completed
 * with other parts; or nobody knows, since this caller may not look.
 */
type Afterwards = 'ours' | 'damaged' | 'replaced' | 'other-parts' | 'unknown'

/**
 * HEAD after a certain 200: its answer had no ETag, or the store orders by
 * Initiate, and another object may have taken precedence.
 */
async function lookAfter(
  { requests, settings, completeSignal: signal }: RunContext,
  receipt: ObjectReceipt,
  expected: ExpectedObject,
): Promise<{
  receipt: ObjectReceipt
  there: Afterwards
}> {
  const { environment, store } = settings
  const facts = environment.facts.of(store)
  const found = await lookAt(requests, settings, { signal })
  if (found === 'refused') return { receipt, there: 'unknown' }
  // Equal bytes without a mark may be another's, which the answer's ETag shows.
  const isAnother =
    typeof found === 'object' &&
    !hasOtherParts(receipt.etag, expected.etag) &&
    isAnotherThan(receipt, found)
  if (typeof found === 'object' && expected.mark !== undefined && !isAnother) {
    const isWrong = checkObject(found, expected) === 'wrong'
    if (found.mark === undefined && !isWrong) facts.dropsMarks = true
  }
  const is = isAnother ? 'other' : whose(found, expected, facts)
  if (typeof found !== 'object' || (is !== 'ours' && is !== 'equal')) {
    // Replaced since: what ours was is known where ETags are MD5s.
    const etag = expected.etag?.isBinding === true ? expected.etag.value : ''
    const told = { ...receipt, etag: receipt.etag === '' ? etag : receipt.etag }
    const isOfUpload =
      typeof found === 'object' &&
      expected.mark !== undefined &&
      found.mark === expected.mark
    if (!isOfUpload) return { receipt: told, there: 'replaced' }
    const isSame =
      expected.etag !== undefined && sameEtag(found.etag, expected.etag.value)
    return { receipt: told, there: isSame ? 'damaged' : 'other-parts' }
  }
  // What was looked at says more than an answer that may have been changed.
  const told = { ...receipt, ...definedOf(found) }
  return { receipt: told, there: 'ours' }
}

/** Whether an object is not the one that an answer to Complete speaks of. */
function isAnotherThan(receipt: ObjectReceipt, found: ObjectHead): boolean {
  const isEmpty = receipt.etag === '' || found.etag === ''
  return !isEmpty && !sameEtag(receipt.etag, found.etag)
}

/** What an answer has said; an empty ETag is none. */
function definedOf({
  etag,
  crc64,
  versionId,
}: ObjectReceipt): Partial<ObjectReceipt> {
  const said = Object.entries({ etag, crc64, versionId }).filter(
    ([, value]) => value !== undefined && value !== '',
  )
  return Object.fromEntries(said)
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
  if (hasMd5()) content.expect('md5')
  const crc64 = settings.crc.isWanted
    ? await content.digest(settings.crc.variant)
    : undefined
  const { size } = content
  await context.beforeComplete.ask({ size, crc64 })
  if (replaced !== undefined) {
    context.emit('restarted', { reason: 'source-changed' })
  }
  await endRivals(context)
  const { receipt, check } = await putWholeObject(context, content)
  return conclude(context, receipt, {
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
  { upload, completing, head, checks }: Claim,
  reuse: Reuse,
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
    reuse,
    verified: isKnown ? weakest([check, ...checks]) : 'none',
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
  current?: boolean | undefined
}

async function conclude(
  context: RunContext,
  receipt: ObjectReceipt,
  finished: Finished,
): Promise<UploadResult> {
  const { settings, log } = context
  const isRemoved = await removeLog(context, receipt, finished)
  const uploadsLeft = [...log.state.unclosed]
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
    checkpointLeft: !isRemoved,
    ...(uploadsLeft.length === 0 ? {} : { uploadsLeft }),
    ...(finished.current === undefined ? {} : { current: finished.current }),
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
 * False when the log is still there: it could not be removed, or an upload that it
 * names is not aborted yet, for which a later run needs it. The object is
 * complete: nothing that happens to the log can make this a failure. It says
 * `told` before the result is handed out, so that no later run claims the object
 * for another source.
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
  const isDone = await quietly(context, async () => {
    await log.append(done, ...leftBehind(replaced))
  })
  if (!isDone) return false
  if (!context.isSuspending()) {
    await quietly(context, async () => {
      await closeOldUploads(context)
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
    // A listener's: it is not the upload's failure.
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
  reuse: Reuse,
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
  reuse.resumed = false
  const replaced =
    uploadId === undefined
      ? undefined
      : { uploadId, isCompleted: claimed !== undefined }
  const result = await finishWithPut(context, content, reuse, replaced)
  upload.forget()
  return result
}
