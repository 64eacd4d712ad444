/**
 * Giving an upload up: `void` synced → Abort → list → Abort again, for parts
 * that arrived late → `closed` → log removed. A kill in between leaves a log
 * whose next run finishes the abort and starts over.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { UploadError } from '../errors.js'
import type { LogState } from '../checkpoint/fold.js'
import type { ObjectHead } from '../store/object-store.js'
import { headObject } from './complete.js'
import { sameEtag } from './etag.js'
import { listAllParts } from './list-parts.js'
import { abortOrphans } from './orphans.js'
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
    await abortOrphans({ settings, log, requests })
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
  const expected = expectedObject(state)
  if (expected === undefined) return
  const head = await headObject(requests, settings)
  if (head === undefined || !expected.is(head)) return
  throw new UploadError(
    'PAWL_INVALID_STATE',
    'the object is complete: there is no upload left to discard; run the same call again to have its result',
    { key: settings.key, uploadId: expected.uploadId, completed: true },
  )
}

/** What an earlier run was about to make, when it may have made it. */
function expectedObject(
  state: LogState | undefined,
):
  | { uploadId: string | undefined; is: (head: ObjectHead) => boolean }
  | undefined {
  const put = state?.put?.completing
  if (put !== undefined) {
    const { size, md5 } = put
    return {
      uploadId: undefined,
      is: (head) =>
        md5 !== undefined && head.size === size && sameEtag(head.etag, md5),
    }
  }
  const upload = state?.upload
  const completing = upload?.completing
  if (completing === undefined || upload?.voided !== undefined) return undefined
  return {
    uploadId: upload?.uploadId,
    is: (head) =>
      isThatObject(head, {
        size: completing.size,
        crc64: completing.crc64,
        etags: etagsOf(upload?.parts ?? new Map(), completing.parts),
      }),
  }
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
