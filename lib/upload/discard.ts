/**
 * Giving an upload up: `void` synced → Abort → list → Abort again, for parts
 * that arrived late → `closed` → log removed. A kill in between leaves a log
 * whose next run finishes the abort and starts over.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { UploadError } from '../errors.js'
import { headObject } from './complete.js'
import { listAllParts } from './list-parts.js'
import { Requests } from './requests.js'
import { etagsOf, isThatObject } from './resume-plan.js'
import type { UploadSettings } from './settings.js'
import { UploadLog } from './upload-log.js'

/** Rejects, and keeps the log, when the server cannot be reached. */
export async function discardUpload(
  settings: UploadSettings,
  checkpoint: Checkpoint,
): Promise<void> {
  const log = await UploadLog.open(checkpoint, settings)
  try {
    const { signal } = new AbortController()
    const requests = new Requests(settings, signal, () => undefined)
    await mustNotBeComplete(settings, log, requests)
    const current = log.state?.upload
    if (current !== undefined && current.voided === undefined) {
      const { uploadId } = current
      await log.append(log.header, {
        type: 'void',
        uploadId,
        reason: 'discard',
      })
    }
    for (const uploadId of log.unclosed) {
      await abortForGood(settings, requests, uploadId)
      await log.append({ type: 'closed', uploadId })
    }
    await checkpoint.remove()
  } finally {
    await checkpoint.close()
  }
}

async function mustNotBeComplete(
  settings: UploadSettings,
  { state }: UploadLog,
  requests: Requests,
): Promise<void> {
  const upload = state?.upload
  if (upload === undefined || upload.voided !== undefined) return
  const { completing } = upload
  if (completing === undefined) return
  const head = await headObject(requests, settings)
  const expected = {
    size: completing.size,
    crc64: completing.crc64,
    etags: etagsOf(upload.parts, completing.parts),
  }
  if (head === undefined || !isThatObject(head, expected)) return
  throw new UploadError(
    'PAWL_INVALID_STATE',
    'the object is complete: there is no upload left to discard; run the same call again to have its result',
    { key: settings.key, uploadId: upload.uploadId, completed: true },
  )
}

const mostRounds = 5

async function abortForGood(
  settings: UploadSettings,
  requests: Requests,
  uploadId: string,
): Promise<void> {
  const { key, store } = settings
  for (let round = 1; ; round++) {
    await requests.send({ what: 'Abort', uploadId }, (call) =>
      store.abortUpload({ key, uploadId }, call),
    )
    const left = await listAllParts(requests, settings, uploadId)
    if (left === 'gone' || left === 'refused' || left.size === 0) return
    if (round === mostRounds) {
      throw new UploadError(
        'PAWL_SERVER',
        `the server still lists ${left.size} parts after ${round} aborts; the log is kept, discard again later`,
        { key, uploadId, resumable: true },
      )
    }
  }
}
