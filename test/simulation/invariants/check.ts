/** What an invariant is, and what many of them ask. */
import type { UploadResult } from '../../../lib/upload-result.js'
import { engineTroubles } from '../engine/faults.js'
import type { Outcome, Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { Traits } from '../store/profiles.js'
import type { StoredObject } from '../store/truth.js'

/** `of` says how it does not hold, or nothing. */
export interface Check<Of extends unknown[]> {
  readonly name: string
  readonly says: string
  readonly of: (scene: Scene, ...of: Of) => string | undefined
}

/** What a failure says of itself. */
export interface Failure {
  completed?: boolean
  code?: string
  message?: string
  uploadId?: string
  status?: number
  resumable?: boolean
  transient?: boolean
}

/** What can make a log another than the last run has left. */
export const logChanges = [
  'log-damaged',
  'log-cut',
  'log-lost',
  'log-restored',
  'power-loss',
  'failover',
]

/** What can keep a run from writing down what it knows. */
export const diskTroubles = [
  'disk-full',
  'short-write',
  'disk-error',
  'not-removable',
  'hanging-disk',
  'slow-disk',
]

export function ifSuccess(
  of: (scene: Scene, run: Run, result: UploadResult) => string | undefined,
): Check<[Run]>['of'] {
  return (scene, run) =>
    run.outcome?.kind === 'success'
      ? of(scene, run, run.outcome.result)
      : undefined
}

/** Nothing for what is no failure. */
export function failureOf(outcome: Outcome | undefined): Failure {
  return outcome?.kind === 'failure' ? (outcome.error as Failure) : {}
}

export function isCrc(digest: Traits['digest']): boolean {
  return digest === 'crc64ecma' || digest === 'crc64nvme'
}

/** Whether anything that the store says of an object shows its bytes to a run. */
export function canCompare({ truth }: Scene, { plan }: Run): boolean {
  const { digest, etags } = truth.traits
  return plan.verify !== false && (isCrc(digest) || etags === 'md5')
}

export function isOneOf(
  bytes: Uint8Array,
  sources: readonly Uint8Array[],
): boolean {
  return sources.some((source) => Buffer.compare(bytes, source) === 0)
}

/** The run of ours that has made something. */
export function runOf({ runs }: Scene, number: number | undefined) {
  return runs.find((run) => run.number === number)
}

/** What the upload of a result has made, or the put. */
export function madeBy(
  { truth }: Scene,
  { uploadId }: UploadResult,
): StoredObject[] {
  return truth.objects.filter(({ by, upload }) =>
    uploadId === undefined
      ? upload === undefined && by.run !== undefined
      : upload?.id === uploadId && upload.by.run !== undefined,
  )
}

/** Those of them that are what the run was to make. */
export function ownObjects(
  scene: Scene,
  run: Run,
  result: UploadResult,
): StoredObject[] {
  return madeBy(scene, result).filter(
    ({ bytes, options }) =>
      isOneOf(bytes, run.sources) && options === run.options,
  )
}

/** An earlier run of the same machine that has resolved with an upload. */
export function toldBefore(
  { runs, world }: Scene,
  run: Run,
  uploadId: string | undefined,
): Run | undefined {
  if (uploadId === undefined) return undefined
  const before = runs.find(
    ({ number, outcome, process }) =>
      number < run.number &&
      process.machine.logs === run.process.machine.logs &&
      outcome?.kind === 'success' &&
      outcome.result.uploadId === uploadId,
  )
  if (before === undefined) return undefined
  // Begun before that, or after somebody else was given the log, it cannot know.
  if (run.startedAt <= before.endedAt || before.isFenced) return undefined
  const { startLog } = run
  const named = startLog?.upload
  if (named?.uploadId === uploadId && named.isTold) return before
  // A log that lost its `told`, or could not be given one, says nothing of it.
  const isLost =
    world.hasHappened(logChanges, { since: before.endedAt }) ||
    world.hasHappened(['failover'], { since: before.startedAt }) ||
    world.hasHappened([...diskTroubles, ...engineTroubles], {
      to: before.actor.name,
    }) ||
    world.hasHappened(['engine-away'], { since: before.startedAt })
  return isLost ? undefined : before
}
