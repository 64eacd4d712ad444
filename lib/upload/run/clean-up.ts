/**
 * Ending uploads on the server that are no longer used: those that the log has
 * given up, and those whose ID was never heard. An upload is aborted only when
 * the log says that it is ours, or by the rule in `rules/left-behind`.
 */
import { mayHaveOrphans } from '../../checkpoint/fold.js'
import type { ObjectSight } from '../../checkpoint/record.js'
import { delay } from '../../environment.js'
import { UploadError } from '../../errors.js'
import type { StoreError } from '../../store/store-error.js'
import {
  abortUpload,
  isRefusedLook,
  listAllParts,
  lookAt,
} from '../calls/look.js'
import { Requests } from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import {
  canBeOrphan,
  type Rival,
  rivalsOf,
  untilFenced,
  untilSure,
} from '../rules/left-behind.js'
import { carriesMark } from '../rules/proof.js'
import type { RunContext } from './context.js'
import { contended } from './errors.js'

type Means = Pick<RunContext, 'settings' | 'log' | 'requests'>

/** What a call may take on whose success nothing depends: attempts, and ms each. */
const brief = { attempts: 2, headersTimeout: 10_000 }

const mostRounds = 5

/** Aborts until the server lists no part; rejects when it cannot be reached. */
export async function abortForGood(
  settings: UploadSettings,
  requests: Requests,
  uploadId: string,
): Promise<void> {
  const { key } = settings
  for (let round = 1; ; round++) {
    await abortUpload(requests, settings, uploadId)
    const left = await listAllParts(requests, settings, uploadId)
    if (left === 'gone' || left === 'refused' || left.size === 0) return
    if (round === mostRounds) {
      throw new UploadError(
        'PAWL_SERVER',
        `the server still lists ${left.size} parts after ${round} aborts; the log is kept, discard again later`,
        { key, uploadId, transient: true },
      )
    }
  }
}

/**
 * Makes sure that no earlier upload of this log can still become the object, by a
 * Complete that a paused or killed run has sent. Each is aborted and seen gone, or
 * aborted twice, or its mark is seen under the key; else `PAWL_UPLOAD_CONTENDED`.
 *
 * Under a lease, whose holder may wake at any time, gone is looked at a second time, a
 * while later. `isLast`: the object is about to be made, so that this is waited for.
 */
export async function endRivals(
  context: Means,
  { isLast = false } = {},
): Promise<void> {
  const { log, settings, requests } = context
  const { monotonic } = settings.environment
  const { isLeased = false } = log.checkpoint
  for (const rival of rivalsOf(log.state, log.checkpoint)) {
    const { uploadId } = rival
    for (;;) {
      const first = log.goneAt.get(uploadId)
      const wait = first === undefined ? 0 : untilSure(first, monotonic())
      if (wait > 0 && !isLast) break
      if (wait > 0) await delay(settings.environment, wait, requests.signal)
      const by = await endRival(context, rival)
      if (by === 'lease') break
      if (!isLeased || by === 'object' || first !== undefined) {
        await log.append({ type: 'closed', uploadId, by })
        break
      }
      log.goneAt.set(uploadId, monotonic())
      if (!isLast) break
    }
  }
}

/** Before a Complete: no earlier upload is alive, and what is under the key is known. */
export async function clearTheWay(
  context: Means,
  mark: string | undefined,
): Promise<ObjectSight | undefined> {
  const { unclosed } = context.log.state
  if (unclosed.size > 0) await endRivals(context, { isLast: true })
  return sightBefore(context, mark)
}

/** How an earlier upload has ended: `lease`, it has not, and its run has. */
async function endRival(
  { log, settings, requests }: Means,
  { uploadId, mark, mayComplete }: Rival,
): Promise<'abort' | 'gone' | 'object' | 'lease'> {
  const isObject = async (): Promise<boolean> =>
    carriesMark(await lookAt(requests, settings), mark)
  const failure = await abortFailure({ settings, requests }, uploadId)
  if (failure === undefined) {
    const left = await listAllParts(requests, settings, uploadId)
    if (left === 'gone' || left === 'refused') return 'abort'
    // Some servers list completed uploads.
    if (await isObject()) return 'object'
    // What it lists may be old, or parts that came late: done twice, it is dead.
    await abortUpload(requests, settings, uploadId)
    return 'abort'
  }
  if (await isObject()) return 'object'
  // NoSuchUpload: a Complete of it that is late finds nothing either.
  const left = await listAllParts(requests, settings, uploadId)
  if (left === 'gone') return 'gone'
  const isRefused = isRefusedLook(failure)
  const { key, fence, timeout } = settings
  const { freeFor } = log
  const retryAfter = isRefused
    ? untilFenced({ fence, freeFor, longest: timeout.complete })
    : undefined
  if (retryAfter === 0) return 'lease'
  const rest = { isRefused, mayComplete, retryAfter }
  throw contended(uploadId, failure, { key, ...rest })
}

/** What an Abort was given up with, if it was; what stops the run is no answer to it. */
async function abortFailure(
  { settings, requests }: Pick<Means, 'settings' | 'requests'>,
  uploadId: string,
  more: Parameters<typeof abortUpload>[3] = {},
): Promise<UploadError | undefined> {
  try {
    await abortUpload(requests, settings, uploadId, more)
    return undefined
  } catch (error) {
    requests.throwIfStopped()
    if (error instanceof UploadError) return error
    throw error
  }
}

/**
 * Aborts all uploads of a run that keeps no log: those that it has given up, and its
 * current one, unless a Complete of that was sent and may have taken effect.
 */
export async function abortUnlogged(
  { settings, log }: Pick<Means, 'settings' | 'log'>,
  {
    uploadId,
    isCompleting,
  }: { uploadId: string | undefined; isCompleting: boolean },
): Promise<void> {
  const left = new Set(log.state.unclosed)
  if (uploadId !== undefined) left.add(uploadId)
  if (uploadId !== undefined && isCompleting) left.delete(uploadId)
  const { signal } = new AbortController()
  const requests = new Requests(settings, signal, () => undefined)
  const means = { settings, requests }
  await Promise.all([...left].map((id) => abortUnnamed(means, id)))
}

/**
 * Aborts an upload that no log names. If one has taken its ID all the same, a later run
 * finds the upload gone. What cannot be aborted is an orphan, or the lifecycle rule's.
 */
export async function abortUnnamed(
  means: Pick<Means, 'settings' | 'requests'>,
  uploadId: string,
): Promise<void> {
  await abortFailure(means, uploadId, brief)
}

/** Uploads that an emptied log cannot name again are ended: no other run knows them. */
export async function beginLog({ log, ...means }: Means): Promise<void> {
  try {
    await log.begin()
  } catch (error) {
    const left = [...log.namedByNone]
    await Promise.all(left.map((id) => abortUnnamed(means, id)))
    throw error
  }
}

/** Of one key: more than that is not this log's doing. */
const mostPages = 10

/** Aborts what is left of lost Initiates. What cannot be asked is left alone. */
export async function abortOrphans(means: Means): Promise<void> {
  const { settings, log, requests } = means
  if (!mayHaveOrphans(log.state)) return
  try {
    for (const uploadId of await findCandidates(means)) {
      const listed = await listAllParts(requests, settings, uploadId, brief)
      if (typeof listed === 'string' || listed.size > 0) continue
      await abortUpload(requests, settings, uploadId, brief)
    }
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
  }
}

async function findCandidates({
  settings: { store, key, environment },
  log,
  requests,
}: Means): Promise<string[]> {
  const { intents, uploadIds } = log.state
  const found: string[] = []
  const begun = { key, intents, uploadIds }
  let markers = {}
  for (let page = 1; page <= mostPages; page++) {
    const { answer } = await requests.send(
      { what: 'the list of uploads', ...brief },
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

/** The run, counted from the one that gave an upload up, that may let it go. */
const lastRun = 4

/**
 * Aborts uploads that the log has given up. What cannot be aborted stays in the log for
 * the next run; what the fourth run since then may not abort either is let go, and told.
 *
 * `seenGone`: the server has just said that it has no such upload. Where this caller may
 * not abort it, that stands unless it is listed. `isMade`: the object is there; until
 * then those that may still become it are left to `endRivals`, which looks closer.
 */
export async function closeOldUploads(
  { settings, log, requests, emit }: Means & Pick<RunContext, 'emit'>,
  { seenGone, isMade = false }: { seenGone?: string; isMade?: boolean } = {},
): Promise<void> {
  const { isLeased = false } = log.checkpoint
  const spared = isLeased && !isMade ? rivalsOf(log.state, log.checkpoint) : []
  for (const uploadId of log.state.unclosed) {
    if (log.mayNotAbort.has(uploadId)) continue
    if (spared.some((rival) => rival.uploadId === uploadId)) continue
    let isRefused = false
    // Of this Abort: what ends a run, and its requests with it, may be a refusal.
    const onFailure = ({ kind }: StoreError): void => {
      isRefused = kind === 'denied'
    }
    const means = { settings, requests }
    const bounds = { onFailure, ...brief }
    const failure = await abortFailure(means, uploadId, bounds)
    if (failure === undefined) {
      await log.append({ type: 'closed', uploadId, by: 'abort' })
      continue
    }
    const since = log.state.voidedIn.get(uploadId) ?? log.run
    if (isRefused) log.mayNotAbort.add(uploadId)
    if (isRefused && uploadId === seenGone) {
      const listed = await listAllParts(requests, settings, uploadId)
      if (typeof listed === 'string') {
        await log.append({ type: 'closed', uploadId, by: 'gone' })
        continue
      }
    }
    if (!isRefused || log.run - since < lastRun - 1) continue
    await log.append({ type: 'closed', uploadId, by: 'nobody' })
    emit('left', { uploadId, error: failure })
  }
}

/** When the object is there: of earlier uploads nothing stays that can be ended. */
export async function endLeftovers(
  context: Means & Pick<RunContext, 'emit'>,
): Promise<void> {
  const { unclosed } = context.log.state
  if (unclosed.size > 0) await closeOldUploads(context, { isMade: true })
  return abortOrphans(context)
}

/** What is under the key, where no mark will tell the new object from the old one. */
export async function sightBefore(
  { requests, settings }: Pick<RunContext, 'requests' | 'settings'>,
  mark: string | undefined,
): Promise<ObjectSight | undefined> {
  if (mark !== undefined && !settings.facts.dropsMarks) return undefined
  const found = await lookAt(requests, settings)
  if (found === 'refused') return undefined
  if (found === 'absent') return { etag: '' }
  const { etag, lastModified, versionId } = found
  return { etag, lastModified, versionId }
}
