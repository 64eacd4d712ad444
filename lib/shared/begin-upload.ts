/** The first of the three calls: begins an upload that several machines share. */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { invalidOption } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
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
  wholeNumber,
} from '../upload/options/settings.js'
import { ownUpload } from '../upload/rules/plan.js'
import { confirmedBy, expectedOf } from '../upload/rules/proof.js'
import type { ClaimedObject } from '../upload/rules/claim.js'
import { givenUp, type UploadLog } from '../upload/run/log.js'
import type { OpenRun } from '../upload/run/open-run.js'
import {
  checkSharedLog,
  claimedResult,
  onRun,
  type Outcome,
  refuseLateParts,
} from './on-run.js'
import { digestOfId, sourceDigest, type Ticket } from './ticket.js'

/** What `beginUpload` begins, and where its log is. */
export interface BeginUploadOptions extends Pick<
  UploadOptions,
  | 'store'
  | 'key'
  | 'partSize'
  | 'object'
  | 'mark'
  | 'requestPayer'
  | 'trustLog'
  | 'fence'
  | 'retry'
  | 'timeout'
  | 'signal'
> {
  /** Bytes of the object, at least one. */
  size: number
  /**
   * The log: a path, a directory or a `Checkpoint`, which `completeUpload` is given
   * as well. Workers need none.
   */
  checkpoint: string | Checkpoint
  /**
   * A string that changes when the source changes, by which every machine says
   * that its source is this one. Default: the size alone.
   */
  sourceId?: string
}

/** An upload whose object is there already. */
export interface DoneUpload {
  /** What `completeUpload` would have resolved to. */
  done: UploadResult
}

/** A ticket, or the result when the object is there already. */
export type BegunUpload = Ticket | DoneUpload

const names: NamesOf<BeginUploadOptions> = {
  checkpoint: true,
  fence: true,
  key: true,
  mark: true,
  object: true,
  partSize: true,
  requestPayer: true,
  retry: true,
  signal: true,
  size: true,
  sourceId: true,
  store: true,
  timeout: true,
  trustLog: true,
}

/**
 * Begins an upload whose parts are sent by `uploadParts`, on any machine, and
 * resolves to its ticket. The same call gives the same ticket, as often as it is
 * made, until the upload is complete: then `{ done }` with its result, if its log
 * is still there. Of another size or `sourceId` it is another upload, and the one
 * before is aborted.
 *
 * Rejects with an `UploadError`, as `uploadFile` does. `PAWL_INVALID_OPTION` also
 * on OpenStack Swift, where a late part breaks a finished object.
 *
 * @example
 * const ticket = await beginUpload({ store, key: 'db.dump', size, checkpoint })
 * if ('done' in ticket) console.log(ticket.done.etag)
 */
export function beginUpload(options: BeginUploadOptions): Promise<BegunUpload> {
  return beginUploadOn(options)
}

/** `beginUpload`, with the clock, the timers and the randomness given. */
export async function beginUploadOn(
  options: BeginUploadOptions,
  environment: UploadEnvironment = realUploadEnvironment,
): Promise<BegunUpload> {
  const { checkpoint } = options
  checkKnownOptions(options, { of: 'beginUpload', names: Object.keys(names) })
  checkRequestOptions(options)
  checkObjectOptions(options)
  checkSharedLog(checkpoint)
  wholeNumber('size', options.size, 1)
  const { size } = options
  const sourceId = digestOfId(options.sourceId)
  const settings: UploadSettings = {
    ...readSettings(options, environment),
    sourceDigest: sourceDigest({ size, sourceId }),
    // `completeUpload` says them.
    unsaid: 'sent',
  }
  mustFit(settings, size)
  refuseLateParts(settings)
  const begun = await onRun<BegunUpload>({
    settings,
    checkpoint,
    opened: (log) => giveUpOther(log, settings),
    work: (open, log) => ticketOf(open, log, { settings, sourceId }),
  })
  if ('pawl' in begun || 'done' in begun) return begun
  throw new Error('a run that only begins has completed')
}

function mustFit({ partSize, store }: UploadSettings, size: number): void {
  const { maxParts } = store.limits
  if (size <= partSize * maxParts) return
  invalidOption(`size ${size} does not fit into ${maxParts} parts`)
}

/** An upload of another source is not gone on with: its parts may come late. */
async function giveUpOther(
  log: UploadLog,
  { sourceDigest: source }: UploadSettings,
): Promise<void> {
  const upload = ownUpload(log.state)
  if (upload === undefined) return
  const { header } = log.state
  const isOther = header.sourceDigest !== source
  if (!isOther && upload.growth === undefined) return
  const reason = isOther ? 'source-changed' : 'part-size'
  const closed = upload.done && 'object'
  await log.append(log.header, ...givenUp(upload.uploadId, reason, closed))
}

async function ticketOf(
  open: OpenRun,
  log: UploadLog,
  { settings, sourceId }: { settings: UploadSettings; sourceId: string },
): Promise<Outcome<BegunUpload>> {
  const { claimed } = open
  if (claimed !== undefined) return { leave: { done: made(claimed, settings) } }
  const uploadId = await open.upload.id()
  try {
    refuseLateParts(settings)
  } catch (error) {
    await open.upload.giveUp('upload-gone')
    throw error
  }
  const { store, key, size = 0 } = settings
  const { partSize } = open.sizes
  const mark = log.state.upload?.mark
  const ticket: Ticket = {
    pawl: 1,
    store: store.identity,
    key,
    uploadId,
    ...(mark === undefined ? {} : { mark }),
    size,
    partSize,
    parts: Math.ceil(size / partSize),
    sourceId,
  }
  return { leave: ticket }
}

/** The object that was found to be this upload's. */
function made(
  { upload, completing, head }: ClaimedObject,
  settings: UploadSettings,
): UploadResult {
  const { parts, size, crc64 } = completing
  const { uploadId } = upload
  const checks = [confirmedBy(head, expectedOf(upload, completing))]
  const known = { size, parts, crc64, uploadId, checks }
  return claimedResult(head, settings, known, { checkpointLeft: true })
}
