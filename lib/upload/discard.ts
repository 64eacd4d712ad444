/**
 * Giving an upload up: `void` synced → Abort → list → Abort again, for parts
 * that arrived late → `closed` → log removed. A kill in between leaves a log
 * whose next run finishes the abort and starts over.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import type { LogState } from '../checkpoint/fold.js'
import { UploadError } from '../errors.js'
import { listAllParts, lookFor } from './calls/look.js'
import { Requests } from './calls/requests.js'
import type { UploadSettings } from './options/settings.js'
import { ownUpload } from './rules/plan.js'
import {
  expectedDone,
  expectedOf,
  expectedPut,
  type ExpectedObject,
  isOwn,
  type KnownStore,
} from './rules/proof.js'
import { abortForGood, abortOrphans } from './run/clean-up.js'
import { UploadLog } from './run/log.js'
import { withKept } from './run/errors.js'

/** Rejects, and keeps the log, when the server cannot be reached. */
export async function discardUpload(
  settings: UploadSettings,
  checkpoint: Checkpoint,
): Promise<void> {
  let log: UploadLog | undefined
  const { signal } = new AbortController()
  const requests = new Requests(settings, signal, () => undefined)
  try {
    log = await UploadLog.open(checkpoint, settings)
    await discardLogged(settings, log, requests)
  } catch (error) {
    throw withKept(error, settings, { log, requests })
  } finally {
    await log?.checkpoint.close()
  }
}

async function discardLogged(
  settings: UploadSettings,
  log: UploadLog,
  requests: Requests,
): Promise<void> {
  await mustNotBeComplete(settings, log, requests)
  const current = log.state.upload
  if (current !== undefined && current.voided === undefined) {
    const { uploadId } = current
    await log.append(log.header, { type: 'void', uploadId, reason: 'discard' })
  }
  for (const uploadId of log.state.unclosed) {
    await abortForGood(settings, requests, uploadId)
    await log.append({ type: 'closed', uploadId, by: 'abort' })
  }
  await abortOrphans({ settings, log, requests })
  await log.checkpoint.remove()
}

/** A Complete or PutObject that an earlier run has sent may have taken effect. */
async function mustNotBeComplete(
  settings: UploadSettings,
  { state }: UploadLog,
  requests: Requests,
): Promise<void> {
  const { key } = settings
  const expected = expectedIn(state, settings.facts)
  if (expected === undefined) return
  const isPut = state.put !== undefined
  const uploadId = isPut ? undefined : state.upload?.uploadId
  const seen = await lookFor(requests, settings, expected)
  if (seen.is === 'other') return
  const listed =
    seen.is === 'ours' || uploadId === undefined
      ? 'gone'
      : await listAllParts(requests, settings, uploadId)
  if (isOwn(seen, { isListed: listed !== 'gone' })) {
    throw new UploadError(
      'PAWL_INVALID_STATE',
      'the object is complete: there is no upload left to discard; run the same call again to have its result',
      { key, uploadId, completed: true },
    )
  }
  // An Abort after a Complete breaks the object on some servers.
  if (listed !== 'gone' && listed !== 'refused') return
  throw new UploadError(
    'PAWL_ACCESS_DENIED',
    `a ${isPut ? 'PutObject' : 'Complete'} was sent, and this caller may not look whether the object is there (HEAD, which needs GetObject); nothing was discarded`,
    { key, uploadId },
  )
}

/** What would be under the key; undefined when nothing can be of this log. */
function expectedIn(
  state: LogState,
  { hasMd5Etags: isBinding }: KnownStore,
): ExpectedObject | undefined {
  const { put } = state
  // Once its result was handed out, an object is no longer its log's.
  if (put !== undefined) {
    const { completing, done, isTold } = put
    if (isTold) return undefined
    if (completing !== undefined) return expectedPut(completing, { isBinding })
    return done && expectedDone(done)
  }
  const upload = ownUpload(state)
  if (upload === undefined) return undefined
  const { completing, done } = upload
  if (completing !== undefined) return expectedOf(upload, completing)
  return done && expectedDone(done, upload)
}
