/** What must be true of uploads that are open, and of what becomes of them. */
import { partSizeAt } from '../../../lib/checkpoint/growth.js'
import { UploadError } from '../../../lib/errors.js'
import { logPath } from '../places.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import { sameEtag } from '../../../lib/store/etag.js'
import type { Actor, StoredUpload } from '../store/truth.js'
import { engineTroubles } from '../engine/faults.js'
import { diskTroubles, failureOf, isOneOf, runOf, type Check } from './check.js'
import { logIn, logOn, namesOpen, openUploadIn } from './log.js'

/** When an open upload is aborted. */
export const onAbort: readonly Check<[StoredUpload, Actor]>[] = [
  {
    name: 'nobody else’s upload is aborted',
    says: 'Cleaning up touches only what our runs have begun.',
    of: (_scene, upload, by) =>
      by.run !== undefined && upload.by.run === undefined
        ? `${by.name} has aborted ${upload.id}, begun by ${upload.by.name}`
        : undefined,
  },
]

const nothingIsLeft = {
  name: 'no upload is left that no log knows',
  says: 'An open upload of ours is in a log, so that a later run can end it.',
}

export const ofUploadsAfterRun: readonly Check<[Run]>[] = [
  {
    name: 'resumable means an upload in the log',
    says: 'A failure is resumable only when the log holds an upload that is not void.',
    of(scene, run) {
      const { outcome, process, plan, isFenced } = run
      const { resumable, code } = failureOf(outcome)
      // Whoever has it now may have ended it.
      if (isFenced || isFailedOver(scene, run)) return undefined
      if (resumable !== true || code === 'PAWL_CHECKPOINT_LOCKED')
        return undefined
      if (!plan.log) return `${code} is resumable, and there is no log`
      const state = logOn(process.machine.logs)
      const isKept =
        openUploadIn(state) !== undefined ||
        state?.put?.completing !== undefined
      return isKept
        ? undefined
        : `${code} is resumable, and the log holds ${state === undefined ? 'nothing' : 'no upload that is open'}`
    },
  },
  {
    ...nothingIsLeft,
    of: (scene, run) =>
      run.outcome?.kind === 'killed' ? undefined : leftBehind(scene),
  },
  {
    name: 'a discarded upload leaves nothing',
    says: 'When discard() has resolved, neither upload nor log is there.',
    of(scene, { discarded, process, number }) {
      if (discarded !== 'resolved') return undefined
      const open = openUploads(scene).filter(
        ({ id, isHeard, by }) =>
          isHeard &&
          !scene.forgotten.has(id) &&
          // Another machine's own.
          runOf(scene, by.run)?.process.machine.logs === process.machine.logs &&
          (by.run ?? 0) <= number,
      )
      const isThere = process.machine.logs.read(logPath)
      if (open.length > 0) return `${open[0]?.id} is still open`
      return isThere === undefined ? undefined : 'the log is still there'
    },
  },
  {
    name: 'a part that is stored is not sent again after a plain crash',
    says: 'What the log says is stored, and is, needs no second request.',
    of: sentAgain,
  },
]

export const ofUploadsAtTheEnd: readonly Check<[]>[] = [
  { ...nothingIsLeft, of: leftBehind },
]

/** What a failover takes from the log after that, the run has not heard of. */
function isFailedOver({ world }: Scene, { startedAt }: Run): boolean {
  return world.hasHappened(['failover'], { since: startedAt })
}

/** Uploads of ours that nobody has ended. */
export function openUploads({ truth }: Scene): StoredUpload[] {
  return [...truth.uploads.values()].filter(
    ({ state, by }) => state === 'open' && by.run !== undefined,
  )
}

function leftBehind(scene: Scene): string | undefined {
  const { world, machines, runs, heard, forgotten } = scene
  // A run that is still going on has not written down everything yet.
  if (runs.some(({ outcome }) => outcome === undefined)) return undefined
  const states = machines.map(({ logs }) => logOn(logs))
  for (const { id, isHeard, by } of openUploads(scene)) {
    if (states.some((state) => namesOpen(state, id))) continue
    if (!isHeard || forgotten.has(id)) continue
    // By the store's own word it is gone, and it may not be aborted.
    if (heard.saidGone.has(id) && heard.abortsFailed.has(id)) continue
    if (isLetGo(scene, id) || isLostInEmptying(scene, id)) continue
    if (isTakenLate(scene, id)) continue
    const run = runOf(scene, by.run)
    // What disk or engine did not take could not be written down: it was to be
    // aborted, unless the run was stopped before that.
    const isTaken =
      run !== undefined && (run.isFenced || isFailedOver(scene, run))
    const isHindered = world.hasHappened([...diskTroubles, ...engineTroubles], {
      to: by.name,
    })
    const isOwnEnd = failureOf(run?.outcome).code === 'PAWL_CHECKPOINT_IO'
    const isExcused =
      heard.abortsFailed.has(id) || isTaken || (isHindered && !isOwnEnd)
    const isUnwritten = run?.endLog?.uploadIds.has(id) !== true
    if (isUnwritten && isExcused) continue
    if (run?.plan.log !== false) {
      return `${id} of ${by.name} is open, and no log names it`
    }
    // Its Complete may still come to something, or it could not be aborted.
    // The caller's own error is handed back as it is, and cannot name it.
    const isTold = run.uploadIdTold === id || hasCallersError(run)
    const mayBeLeft =
      heard.abortsFailed.has(id) || (heard.completesUnsure.has(id) && isTold)
    if (!mayBeLeft) return `${id} of ${by.name} is open, and it had no log`
  }
  return undefined
}

/**
 * The rule: what the fourth run since then may not abort either is let go, and told.
 * A file that begins anew in the same call is another run.
 */
function isLetGo({ runs, heard }: Scene, uploadId: string): boolean {
  return runs.some(
    ({ left, number }) =>
      left.includes(uploadId) && heard.wasAbortDenied(number, uploadId),
  )
}

/**
 * A disk took no write to the log that a run had emptied, and it might not abort the
 * upload either, which it then asks for: nothing else knew of it any more.
 */
function isLostInEmptying(
  { runs, heard, world }: Scene,
  uploadId: string,
): boolean {
  return runs.some(
    ({ plan, number, actor, startLog, endLog }) =>
      plan.empties === true &&
      namesOpen(startLog, uploadId) &&
      !namesOpen(endLog, uploadId) &&
      heard.abortAskedAt(number, uploadId) !== undefined &&
      heard.abortsFailed.has(uploadId) &&
      world.hasHappened(diskTroubles, { to: actor.name }),
  )
}

/**
 * The log that named it was put in the place of another, which an earlier run was
 * unlinking under its lock, and an unlink that hangs goes by the name alone.
 */
function isTakenLate({ machines }: Scene, uploadId: string): boolean {
  return machines.some(({ disk }) =>
    disk.takenLate.some((bytes) => namesOpen(logIn(bytes), uploadId)),
  )
}

function hasCallersError({ outcome }: Run): boolean {
  return outcome?.kind === 'failure' && !(outcome.error instanceof UploadError)
}

function sentAgain(scene: Scene, run: Run): string | undefined {
  const { runs, truth, world, denied } = scene
  const before = runs[runs.indexOf(run) - 1]
  const isPlain =
    world.hasHappenedOnly('kill', 'slow-answer', 'slow-request') &&
    before?.outcome?.kind === 'killed' &&
    truth.traits.listLag === 0 &&
    denied.size === 0 &&
    isSameCall(before, run)
  if (!isPlain) return undefined
  const upload = openUploadIn(before.leftLog)
  const [source] = run.sources
  const isStrong = run.plan.proof === 'sha256'
  for (const [number, { offset, size, hash, etag }] of upload?.parts ?? []) {
    // Proved otherwise by an earlier run, it says nothing to this one.
    if (isStrong !== (hash.length === 64)) continue
    const stored = truth.partsSent.findLast(
      ({ uploadId, partNumber, at }) =>
        uploadId === upload?.uploadId &&
        partNumber === number &&
        at <= run.startedAt,
    )
    // A short part is as it was only while it is the last.
    const full = upload === undefined ? size : partSizeAt(upload, number)
    const own = source?.subarray(offset, offset + full)
    if (stored === undefined || !isOneOf(stored.bytes, own ? [own] : [])) {
      continue
    }
    // The one that is stored was sent after the one that the log speaks of.
    if (!sameEtag(stored.etag, etag)) continue
    const again = truth.partsSent.some(
      ({ by, uploadId, partNumber }) =>
        by.run === run.number &&
        uploadId === upload?.uploadId &&
        partNumber === number,
    )
    if (again) return `part ${number} was in the log, and was sent again`
  }
  return undefined
}

function isSameCall({ plan: a }: Run, { plan: b }: Run): boolean {
  const call = ({ after: _after, sameProcess: _same, ...rest }: typeof a) =>
    JSON.stringify({ ...rest, concurrency: 0, chunk: 0 })
  return call(a) === call(b)
}
