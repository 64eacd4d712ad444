/**
 * What happens before the source is taken: what the log says is held against what the
 * store says, and a plan comes of it. In this order: a Complete that may have happened
 * is looked for before any other request to that upload; then all pages of ListParts;
 * then earlier uploads of the log are ended, and what may not be replaced is not there.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import type { CompletingUploadRecord } from '../../checkpoint/record.js'
import type { ObjectStore } from '../../store/object-store.js'
import { listAllParts, lookAt } from '../calls/look.js'
import type { RestartReason, ResumedEvent } from '../options/events.js'
import type { UploadSettings } from '../options/settings.js'
import type { ClaimedObject } from '../rules/claim.js'
import { storedRun } from '../rules/judge.js'
import {
  firstStep,
  type Plan,
  unheardPut,
  whyNotContinued,
} from '../rules/plan.js'
import {
  carriesMark,
  expectedOf,
  type Found,
  isOwn,
  lostComplete,
  partsNow,
  whose,
} from '../rules/proof.js'
import { wasSentOtherwise } from '../rules/completing.js'
import { beginLog, closeOldUploads, endRivals } from './clean-up.js'
import type { RunContext } from './context.js'
import {
  alreadyThere,
  mayNotLook,
  mayNotLookAgain,
  mustMayReplace,
} from './errors.js'
import { completeUnknown, givenUp } from './log.js'

export type Preparation = Pick<
  RunContext,
  'settings' | 'log' | 'requests' | 'emit'
>

export async function prepare(preparation: Preparation): Promise<Plan> {
  const { settings, log, emit } = preparation
  const isUnread = !log.isKept && log.isNew
  const isNew = isUnread && settings.object.forbidOverwrite !== true
  if (isNew) return { mode: 'create', unheard: undefined }
  const step = firstStep(log.state, settings)
  await beginLog(preparation)
  if (log.setAside !== undefined) emit('restarted', { reason: 'log-damaged' })
  const plan = await planFor(preparation, step)
  if (plan.mode === 'claim') return plan
  // A claim that failed has been looked for: now nothing may be there.
  if (settings.object.forbidOverwrite === true) {
    const late = await mustNotExist(preparation, plan)
    if (late !== undefined) return late
  }
  await endRivals(preparation)
  if (plan.mode !== 'create') return plan
  await closeOldUploads(preparation)
  return { mode: 'create', unheard: unheardPut(log.state, settings) }
}

async function planFor(
  preparation: Preparation,
  step: ReturnType<typeof firstStep>,
): Promise<Plan> {
  switch (step.do) {
    case 'create':
      return { mode: 'create' }
    case 'restart':
      return restart(preparation, step.upload, step.reason)
    case 'look':
      return look(preparation, step.upload, step.completing)
    case 'list':
      return list(preparation, step.upload)
  }
}

async function look(
  preparation: Preparation,
  upload: UploadState,
  completing: CompletingUploadRecord,
): Promise<Plan> {
  const { settings, requests } = preparation
  const found = await lookAt(requests, settings)
  const made = await madeBy(preparation, upload, completing, found)
  if (made !== undefined) return made
  const { uploadId } = upload
  if (upload.done !== undefined) {
    if (isHidden(found, settings)) throw mayNotLookAgain(settings.key, uploadId)
    // Its object was replaced or removed since then.
    return restart(preparation, upload, 'upload-gone', 'object')
  }
  // Completed, with other parts, by another run: some list it all the same, and a part
  // that was sent to it would break that object.
  if (carriesMark(found, upload.mark)) {
    mustMayReplace(settings, upload)
    return restart(preparation, upload, 'upload-gone', 'object')
  }
  const reason = whyNotContinued(upload, settings)
  if (reason !== undefined) return restart(preparation, upload, reason)
  if (isHidden(found, settings)) {
    const listed = await listAllParts(requests, settings, uploadId)
    if (typeof listed === 'string') throw mayNotLook(settings.key, uploadId)
  }
  return list(preparation, upload)
}

/** What cannot be seen may be the upload's object, and would be taken for another's. */
function isHidden(found: Found, { object }: UploadSettings): boolean {
  return found === 'refused' && object.forbidOverwrite === true
}

/** What comes of the upload's own object, if that is what was found. */
async function madeBy(
  preparation: Preparation,
  upload: UploadState,
  completing: CompletingUploadRecord,
  found: Found,
): Promise<Plan | undefined> {
  const { settings, requests } = preparation
  const expected = expectedOf(upload, completing)
  const seen = whose(found, expected, settings.facts)
  const isListed =
    seen.is === 'equal' &&
    (await listAllParts(requests, settings, upload.uploadId)) !== 'gone'
  if (!isOwn(seen, { isListed })) return undefined
  const reason = whyNotClaimed(upload, completing, settings)
  if (reason === undefined) {
    return claim(preparation, { upload, completing, head: seen.found })
  }
  // The log is left as it is, for the call whose object it is.
  mustMayReplace(settings, upload)
  return restart(preparation, upload, reason, 'object')
}

/** Why the object of an upload is not what this call is to make, if it is not. */
function whyNotClaimed(
  upload: UploadState,
  completing: CompletingUploadRecord,
  { digests, unsaid, size = completing.size }: UploadSettings,
): RestartReason | undefined {
  const isOfOtherOptions =
    (unsaid !== 'fixed' && upload.optionsDigest !== digests.options) ||
    (unsaid !== 'sent' && wasSentOtherwise(upload, digests.sent))
  if (isOfOtherOptions) {
    return 'options-changed'
  }
  const canClaim = partsNow(upload, completing) !== 'replaced'
  return canClaim && size === completing.size ? undefined : 'source-changed'
}

function claim({ emit }: Preparation, claimed: ClaimedObject): Plan {
  const { upload, completing } = claimed
  const { uploadId } = upload
  const { size: offset, parts } = completing
  emit('resumed', { uploadId, offset, parts, ...sizesTold(upload) })
  const stored = storedRun(upload, 'refused', false)
  return { mode: 'claim', stored, ...claimed }
}

async function list(
  preparation: Preparation,
  upload: UploadState,
): Promise<Plan> {
  const { settings, requests, emit } = preparation
  const { uploadId, partSize, growth } = upload
  const listed = await listAllParts(requests, settings, uploadId)
  if (listed === 'gone') return findGone(preparation, upload)
  if ([...upload.parts.values()].some(({ check }) => check === 'md5')) {
    settings.facts.hasMd5Etags = true
  }
  const stored = storedRun(upload, listed, settings.verify)
  const { wantedPartSize } = settings
  const isAsAsked = wantedPartSize === partSize && growth === undefined
  emit('resumed', {
    uploadId,
    offset: stored.reduce((sum, { size }) => sum + size, 0),
    parts: listed === 'refused' ? upload.parts.size : listed.size,
    ...sizesTold(upload),
    ...(wantedPartSize === undefined || isAsAsked
      ? {}
      : { partSizeAsked: wantedPartSize }),
    ...((await isSuperseded(preparation, upload)) ? { newerObject: true } : {}),
  })
  return { mode: 'resume', upload, listed, stored }
}

function sizesTold({
  partSize,
  growth,
}: UploadState): Pick<ResumedEvent, 'partSize' | 'growth'> {
  return growth === undefined ? { partSize } : { partSize, growth }
}

/** Where the store orders by Initiate: whether an object is newer than that. */
async function isSuperseded(
  { settings, requests }: Preparation,
  { serverDate }: UploadState,
): Promise<boolean> {
  if (settings.store.precedence !== 'initiate') return false
  const found = await lookAt(requests, settings)
  if (typeof found !== 'object' || serverDate === undefined) return false
  return found.lastModified !== undefined && found.lastModified > serverDate
}

/**
 * The upload is not on the server. Its Complete may have taken effect since it was
 * looked for, or be lost with the log's last bytes: an object with its mark says so,
 * where it also shows what was asked for.
 */
async function findGone(
  preparation: Preparation,
  upload: UploadState,
): Promise<Plan> {
  const { settings, requests } = preparation
  if (upload.completing !== undefined) {
    const found = await lookAt(requests, settings)
    const made = await madeBy(preparation, upload, upload.completing, found)
    if (made !== undefined) return made
    if (isHidden(found, settings)) {
      throw mayNotLook(settings.key, upload.uploadId)
    }
  } else if (upload.mark !== undefined && isFixedByThen(settings)) {
    const found = await lookAt(requests, settings)
    const completing = lostComplete(found, upload)
    if (completing !== undefined && typeof found === 'object') {
      return claim(preparation, { upload, completing, head: found })
    }
  }
  return restart(preparation, upload, 'upload-gone')
}

/**
 * Whether a Complete whose record is lost cannot have given its object anything that
 * was not fixed when its upload began: where the ACL goes with Complete nobody can say
 * which it was. Those who share an upload complete it alike.
 */
function isFixedByThen({ store, unsaid }: UploadSettings): boolean {
  return unsaid !== undefined || !sendsAclLate(store)
}

function sendsAclLate(store: ObjectStore): boolean {
  try {
    const sent = store.sentHeaders?.({ acl: 'private' }) ?? {}
    return Object.keys(sent).length > 0
  } catch {
    // It takes no ACL at all.
    return false
  }
}

/** The claim of a Complete that has taken effect since it was looked for. */
async function mustNotExist(
  preparation: Preparation,
  plan: Plan,
): Promise<Plan | undefined> {
  const { settings, requests, log } = preparation
  const found: Found = await lookAt(requests, settings)
  if (typeof found !== 'object') return undefined
  const { put, upload } = log.state
  if (plan.mode === 'resume' && plan.upload.completing !== undefined) {
    const { completing } = plan.upload
    const made = await madeBy(preparation, plan.upload, completing, found)
    if (made !== undefined) return made
  }
  // An earlier run's own PutObject: the bytes decide, when they are known.
  if (put !== undefined && put.completing?.mark === found.mark) return undefined
  const isEarlier = upload !== undefined && carriesMark(found, upload.mark)
  throw alreadyThere(settings.key, isEarlier ? upload : 'another')
}

async function restart(
  preparation: Preparation,
  upload: UploadState,
  reason: RestartReason,
  closed: 'object' | undefined = upload.done && 'object',
): Promise<Plan> {
  const { log, emit } = preparation
  const isUnknown = reason === 'upload-gone' && upload.completing !== undefined
  const why = isUnknown ? completeUnknown : reason
  await log.append(...givenUp(upload.uploadId, why, closed))
  emit('restarted', { reason })
  return { mode: 'create' }
}
