/**
 * Giving an upload up: `void` synced → Abort → list → Abort again, for parts
 * that arrived late → `closed` → log removed. A kill in between leaves a log
 * whose next run finishes the abort and starts over.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { UploadError } from '../errors.js'
import { headObject } from './calls/look.js'
import { Requests } from './calls/requests.js'
import type { UploadSettings } from './options/settings.js'
import { expectedObject } from './rules/proof.js'
import { abortForGood, abortOrphans } from './run/clean-up.js'
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
    const current = log.state.upload
    if (current !== undefined && current.voided === undefined) {
      const { uploadId } = current
      await log.append(log.header, {
        type: 'void',
        uploadId,
        reason: 'discard',
      })
    }
    for (const uploadId of log.state.unclosed) {
      await abortForGood(settings, requests, uploadId)
      await log.append({ type: 'closed', uploadId, by: 'abort' })
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
