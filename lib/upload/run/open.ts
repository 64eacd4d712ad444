/**
 * Everything that happens before the source is taken: what the log says is held
 * against what the store says, and a plan comes of it.
 *
 * Order: the log is open and locked; a Complete that may have happened is looked
 * for before any other request to that upload; then all pages of ListParts.
 */
import type { UploadState } from '../../checkpoint/fold.js'
import type { CompletingUploadRecord } from '../../checkpoint/record.js'
import { headObject, listAllParts } from '../calls/look.js'
import type { Requests } from '../calls/requests.js'
import type { Emit, RestartReason } from '../options/events.js'
import type { UploadSettings } from '../options/settings.js'
import { storedRun } from '../rules/judge.js'
import { firstStep, type Plan, whyNotContinued } from '../rules/plan.js'
import { etagsOf, isThatObject, partsNow } from '../rules/proof.js'
import { closeOldUploads } from './clean-up.js'
import { givenUp, type UploadLog } from './log.js'

export interface Preparation {
  settings: UploadSettings
  log: UploadLog
  requests: Requests
  emit: Emit
}

export async function prepare(preparation: Preparation): Promise<Plan> {
  const { settings, log, emit } = preparation
  const step = firstStep(log.state, settings)
  await log.append(log.header)
  if (log.setAside !== undefined) emit('restarted', { reason: 'log-damaged' })
  switch (step.do) {
    case 'create':
      await closeOldUploads(preparation)
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
  const { settings, requests, emit } = preparation
  const head = await headObject(requests, settings)
  const expected = {
    size: completing.size,
    crc64: completing.crc64,
    etags: etagsOf(upload.parts, completing.parts),
  }
  // Parts that were replaced since cannot show that the source is that object.
  const canClaim = partsNow(upload, completing) !== 'replaced'
  if (canClaim && head !== undefined && isThatObject(head, expected)) {
    const { size = completing.size } = settings
    if (size !== completing.size) {
      return restart(preparation, upload, 'source-changed', true)
    }
    emit('resumed', {
      uploadId: upload.uploadId,
      offset: completing.size,
      parts: completing.parts,
    })
    return { mode: 'claim', upload, completing, head }
  }
  // It was completed, and its object replaced or removed since then.
  if (upload.done !== undefined) {
    return restart(preparation, upload, 'upload-gone')
  }
  const reason = whyNotContinued(upload, settings)
  if (reason !== undefined) return restart(preparation, upload, reason)
  return list(preparation, upload)
}

async function list(
  preparation: Preparation,
  upload: UploadState,
): Promise<Plan> {
  const { settings, requests, emit } = preparation
  const listed = await listAllParts(requests, settings, upload.uploadId)
  if (listed === 'gone') return restart(preparation, upload, 'upload-gone')
  const run = storedRun(upload, listed, settings.verify)
  emit('resumed', {
    uploadId: upload.uploadId,
    offset: run.reduce((sum, { size }) => sum + size, 0),
    parts: listed === 'refused' ? upload.parts.size : listed.size,
  })
  return { mode: 'resume', upload, listed }
}

async function restart(
  preparation: Preparation,
  upload: UploadState,
  reason: RestartReason,
  isCompleted = upload.done !== undefined,
): Promise<Plan> {
  const { log, emit } = preparation
  const { uploadId } = upload
  const closed = isCompleted
    ? 'object'
    : reason === 'upload-gone'
      ? 'gone'
      : undefined
  await log.append(...givenUp(uploadId, reason, closed))
  emit('restarted', { reason })
  await closeOldUploads(preparation)
  return { mode: 'create' }
}
