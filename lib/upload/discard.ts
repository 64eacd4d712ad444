/**
 * Giving an upload up: `void` synced → Abort → list → Abort again, for parts
 * that arrived late → `closed` → log removed. A kill in between leaves a log
 * whose next run finishes the abort and starts over.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { UploadError } from '../errors.js'
import type { LogState } from '../checkpoint/fold.js'
import type { CompletingPutRecord, DoneRecord } from '../checkpoint/record.js'
import type { ObjectHead } from '../store/object-store.js'
import { headObject } from './run/complete.js'
import { sameEtag } from './rules/proof.js'
import { listAllParts } from './calls/look.js'
import { abortOrphans } from './rules/orphan.js'
import { Requests } from './calls/requests.js'
import { etagsOf, isThatObject } from './rules/plan.js'
import type { UploadSettings } from './options/settings.js'
import { UploadLog } from './run/log.js'

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

/** What an earlier run was about to make, or made, when it may be there. */
function expectedObject(
  state: LogState | undefined,
):
  | { uploadId: string | undefined; is: (head: ObjectHead) => boolean }
  | undefined {
  const { put, upload } = state ?? {}
  if (put !== undefined) {
    const { completing, done } = put
    return {
      uploadId: undefined,
      is: (head) => isPut(head, completing) || isDone(head, done),
    }
  }
  if (upload === undefined || upload.voided !== undefined) return undefined
  const { uploadId, parts, completing, done } = upload
  if (completing === undefined && done === undefined) return undefined
  const isCompleted = (head: ObjectHead): boolean =>
    completing !== undefined &&
    isThatObject(head, {
      size: completing.size,
      crc64: completing.crc64,
      etags: etagsOf(parts, completing.parts),
    })
  return { uploadId, is: (head) => isCompleted(head) || isDone(head, done) }
}

function isPut(
  head: ObjectHead,
  completing: CompletingPutRecord | undefined,
): boolean {
  if (completing?.md5 === undefined) return false
  return head.size === completing.size && sameEtag(head.etag, completing.md5)
}

/** What `done` alone says, should the `completing` before it be damaged. */
function isDone(head: ObjectHead, done: DoneRecord | undefined): boolean {
  return (
    done !== undefined &&
    head.size === done.size &&
    sameEtag(head.etag, done.etag)
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
