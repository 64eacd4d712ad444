/**
 * Ending uploads on the server that are no longer used: those that the log has
 * given up, and those whose ID was never heard. An upload is aborted only when
 * the log says that it is ours, or by the rule in `rules/orphan`.
 */
import type { LogState } from '../../checkpoint/fold.js'
import { UploadError } from '../../errors.js'
import { listAllParts } from '../calls/look.js'
import type { Requests } from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import { canBeOrphan, mayHaveOrphans } from '../rules/orphan.js'
import type { UploadLog } from './log.js'
import type { Preparation } from './open.js'

const mostRounds = 5

export async function abortForGood(
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

/** Of one key: more than that is not this log's doing. */
const mostPages = 10

/** Aborts what is left of lost Initiates. What cannot be asked is left alone. */
export async function abortOrphans({
  settings,
  log,
  requests,
}: {
  settings: Pick<UploadSettings, 'store' | 'key' | 'environment'>
  log: Pick<UploadLog, 'state'>
  requests: Requests
}): Promise<void> {
  if (!mayHaveOrphans(log.state)) return
  const { store, key } = settings
  try {
    for (const uploadId of await findCandidates(
      settings,
      log.state,
      requests,
    )) {
      const listed = await listAllParts(requests, settings, uploadId)
      if (listed === 'gone' || listed === 'refused' || listed.size > 0) continue
      await requests.send({ what: 'Abort', uploadId, attempts: 2 }, (call) =>
        store.abortUpload({ key, uploadId }, call),
      )
    }
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
  }
}

async function findCandidates(
  {
    store,
    key,
    environment,
  }: Pick<UploadSettings, 'store' | 'key' | 'environment'>,
  { intents, uploadIds }: Pick<LogState, 'intents' | 'uploadIds'>,
  requests: Requests,
): Promise<string[]> {
  const found: string[] = []
  const begun = { key, intents, uploadIds }
  let markers = {}
  for (let page = 1; page <= mostPages; page++) {
    const { answer } = await requests.send(
      { what: 'the list of uploads', attempts: 2 },
      (call) => store.listUploads({ prefix: key, ...markers }, call),
    )
    const { uploads, next, date } = answer
    // Without the server's clock there is nothing to hold its times against.
    if (date === undefined) return found
    const clocks = { ours: environment.now(), servers: date }
    for (const upload of uploads) {
      if (canBeOrphan(upload, begun, clocks)) found.push(upload.uploadId)
    }
    // In order of keys: what begins with ours and is longer comes after it.
    const isOver = uploads.some((upload) => upload.key !== key)
    if (next === undefined || isOver) return found
    markers = next
  }
  return found
}

/**
 * Aborts uploads that the log has given up, once each: what cannot be aborted
 * now stays in the log for the next time. `isLast`: there may be none.
 */
export async function closeOldUploads(
  { settings, log, requests }: Omit<Preparation, 'emit'>,
  isLast = false,
): Promise<void> {
  const { store, key } = settings
  for (const uploadId of log.state.unclosed) {
    const isClosed = await requests
      .send(
        { what: 'Abort', uploadId, ...(isLast ? {} : { attempts: 2 }) },
        (call) => store.abortUpload({ key, uploadId }, call),
      )
      .then(
        () => true,
        (error: unknown) => {
          if (error instanceof UploadError) return false
          throw error
        },
      )
    if (isClosed) await log.append({ type: 'closed', uploadId, by: 'abort' })
  }
}
