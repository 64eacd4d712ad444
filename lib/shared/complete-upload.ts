/**
 * The last of the three calls: makes the object of the parts that receipts are of.
 * No byte of the source is read. Called again, it claims what it has made: by its
 * log while there is one, then by the object, which has to be these parts.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { invalidOption, UploadError } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { ownSignal } from '../signals.js'
import { lookAt } from '../upload/calls/look.js'
import { Requests } from '../upload/calls/requests.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../upload/options/environment.js'
import {
  checkObjectOptions,
  checkRequestOptions,
} from '../upload/options/option-names.js'
import type { UploadOptions } from '../upload/options/options.js'
import type { UploadResult } from '../upload-result.js'
import {
  readSettings,
  type UploadSettings,
} from '../upload/options/settings.js'
import { unknownOf } from '../upload/rules/judge.js'
import { ownUpload } from '../upload/rules/plan.js'
import {
  combinedCrc64,
  confirmedBy,
  expectedEtag,
  type Found,
  whose,
} from '../upload/rules/proof.js'
import type { UploadLog } from '../upload/run/log.js'
import type { OpenRun } from '../upload/run/open-run.js'
import { withKept } from '../upload/run/errors.js'
import {
  checkSharedLog,
  claimedResult,
  onRun,
  type Outcome,
  refuseLateParts,
} from './on-run.js'
import {
  checkTicket,
  mustBeTicket,
  type PartReceipt,
  receiptsByPart,
  recordOf,
  sourceDigest,
  type Ticket,
} from './ticket.js'
import { sameEtag } from '../store/etag.js'

/** What `completeUpload` completes with. */
export interface CompleteUploadOptions extends Pick<
  UploadOptions,
  | 'store'
  | 'object'
  | 'verify'
  | 'beforeComplete'
  | 'requestPayer'
  | 'trustLog'
  | 'fence'
  | 'retry'
  | 'timeout'
  | 'signal'
> {
  /** The log, as `beginUpload` was given it. */
  checkpoint: string | Checkpoint
  /** Of all parts, in any order; what `uploadParts` has resolved to. */
  receipts: readonly PartReceipt[]
  /** Of the keys that tickets may name here. Default: any. */
  prefix?: string
}

const names: NamesOf<CompleteUploadOptions> = {
  beforeComplete: true,
  checkpoint: true,
  fence: true,
  object: true,
  prefix: true,
  receipts: true,
  requestPayer: true,
  retry: true,
  signal: true,
  store: true,
  timeout: true,
  trustLog: true,
  verify: true,
}

/**
 * Makes the object that a ticket is for, of the parts that `receipts` are of: all
 * of them, of the ticket's upload, and of the right sizes. The CRC-64 of the whole
 * is joined from theirs and compared. Of `object` only what goes with Complete
 * counts: an ACL, a callback, `forbidOverwrite`; the rest is `beginUpload`'s.
 *
 * Called again after success it resolves to the same result, also when its log is
 * gone, if the object under the key is of these parts. Whoever completes an upload has
 * to say the same `object`: a look at what is there does not say which ACL it was made
 * with, so that without the log's word another's of these parts is taken for this
 * call's. Rejects with an `UploadError`: `PAWL_INVALID_STATE` when a part has no receipt,
 * `PAWL_COMPLETE_REFUSED` when parts on the server are others (send them again by
 * `uploadParts`), `PAWL_UPLOAD_GONE` when the upload is over and the object is not
 * this one.
 *
 * @example
 * const result = await completeUpload(ticket, { store, checkpoint, receipts })
 */
export function completeUpload(
  ticket: Ticket,
  options: CompleteUploadOptions,
): Promise<UploadResult> {
  return completeUploadOn(ticket, options)
}

/** `completeUpload`, with the clock, the timers and the randomness given. */
export async function completeUploadOn(
  ticket: Ticket,
  options: CompleteUploadOptions,
  environment: UploadEnvironment = realUploadEnvironment,
): Promise<UploadResult> {
  const { checkpoint, store, prefix } = options
  const of = 'completeUpload'
  checkKnownOptions(options, { of, names: Object.keys(names) })
  checkRequestOptions(options)
  checkObjectOptions(options)
  checkSharedLog(checkpoint)
  mustBeTicket(ticket)
  const { key, size, partSize } = ticket
  const settings: UploadSettings = {
    ...readSettings({ ...options, key, size, partSize }, environment),
    sourceDigest: sourceDigest(ticket),
    // `beginUpload` has said them.
    unsaid: 'fixed',
  }
  checkTicket(ticket, { store, prefix })
  refuseLateParts(settings)
  const receipts = receiptsByPart(options.receipts, ticket)
  try {
    return await onRun<never>({
      settings,
      checkpoint,
      opened: (log) => takeFrom(log, ticket, receipts),
      work: (open, log) => join(open, log, ticket, receipts),
    })
  } catch (error) {
    if (!(error instanceof NotInLog)) throw error
    const { checkpointLeft } = error
    return claim(ticket, receipts, { settings, checkpointLeft })
  }
}

/** The log does not have the ticket's upload, or not any more. */
class NotInLog extends Error {
  /** It is of other uploads. */
  readonly checkpointLeft: boolean

  constructor({ isNew }: UploadLog) {
    super()
    this.checkpointLeft = !isNew
  }
}

/**
 * The ticket's upload has to be the log's. Where that has no word of a Complete, a
 * failover may have lost it, and the records of the parts with it: they are written
 * before anything is asked, since by them the object is known again.
 */
async function takeFrom(
  log: UploadLog,
  ticket: Ticket,
  receipts: PartReceipt[][],
): Promise<void> {
  const { header } = log.state
  const upload = ownUpload(log.state)
  if (upload?.uploadId !== ticket.uploadId) throw new NotInLog(log)
  const isIts =
    upload.partSize === ticket.partSize &&
    upload.mark === ticket.mark &&
    header.sourceDigest === sourceDigest(ticket)
  if (!isIts) {
    invalidOption(`the ticket is not the one in ${log.checkpoint.name}`)
  }
  if (upload.completing !== undefined) return
  const records = receipts.map((ofPart) =>
    recordOf(chosen(ofPart, undefined), log.run),
  )
  const unknown = unknownOf(records, upload.parts)
  if (unknown.length > 0) await log.append(log.header, ...unknown)
}

async function join(
  open: OpenRun,
  log: UploadLog,
  ticket: Ticket,
  receipts: PartReceipt[][],
): Promise<Outcome<never>> {
  // It was found gone: the object may be there all the same.
  if (open.upload.uploadId !== ticket.uploadId) throw new NotInLog(log)
  const records = receipts.map((ofPart, index) => {
    const { there } = open.upload.earlier(index + 1)
    const etag = typeof there === 'object' ? there.etag : undefined
    return recordOf(chosen(ofPart, etag), log.run)
  })
  await open.join(records)
  return { complete: true }
}

/** A part that was sent by several machines has a receipt of each: the stored one's. */
function chosen(
  receipts: readonly PartReceipt[],
  etag: string | undefined,
): PartReceipt {
  const stored =
    etag === undefined
      ? undefined
      : receipts.findLast((receipt) => sameEtag(receipt.etag, etag))
  const receipt = stored ?? receipts.at(-1)
  if (receipt === undefined) throw new Error('a part without a receipt')
  return receipt
}

/**
 * The log is gone, as after success: the object itself has to show that it is this
 * upload's. The ticket's mark is input and proves nothing alone; with it, the size
 * and the digest of the parts do.
 */
async function claim(
  ticket: Ticket,
  receipts: PartReceipt[][],
  {
    settings,
    checkpointLeft,
  }: { settings: UploadSettings; checkpointLeft: boolean },
): Promise<UploadResult> {
  const { signal, letGo } = ownSignal(settings.signal)
  const requests = new Requests(settings, signal, () => undefined)
  try {
    const found = await lookAt(requests, settings)
    const parts = receipts.map((ofPart) => chosen(ofPart, undefined))
    const result = claimed(found, ticket, parts, { settings, checkpointLeft })
    if (result !== undefined) return result
    throw gone(ticket, found)
  } catch (error) {
    const isOver =
      error instanceof UploadError && error.code === 'PAWL_UPLOAD_GONE'
    throw isOver ? error : withKept(error, settings, { requests })
  } finally {
    letGo()
  }
}

function claimed(
  found: Found,
  { size, mark, uploadId }: Ticket,
  parts: readonly PartReceipt[],
  {
    settings,
    checkpointLeft,
  }: { settings: UploadSettings; checkpointLeft: boolean },
): UploadResult | undefined {
  if (typeof found !== 'object') return undefined
  const { crc, facts } = settings
  const crc64 = combinedCrc64(crc.variant, parts)
  const expected = {
    size,
    crc64,
    etag: expectedEtag(parts),
    mark,
    // Others may have sent parts to it.
    isOnly: false,
    mayBeReplayed: false,
    begun: undefined,
    before: undefined,
  }
  if (whose(found, expected, facts).is !== 'ours') return undefined
  const checks = parts.map(({ check }) => check)
  checks.push(confirmedBy(found, expected))
  const known = { size, parts: parts.length, crc64, uploadId, checks }
  return claimedResult(found, settings, known, { checkpointLeft })
}

function gone({ key, uploadId }: Ticket, found: Found): UploadError {
  const what =
    found === 'absent'
      ? 'there is no object under the key'
      : found === 'refused'
        ? 'this caller may not look at the object (HEAD, which needs GetObject)'
        : 'the object under the key is not known to be of these parts'
  return new UploadError(
    'PAWL_UPLOAD_GONE',
    `the log has no upload ${uploadId} that could be completed, and ${what}; nothing was sent: begin it again with beginUpload()`,
    { key, uploadId },
  )
}
