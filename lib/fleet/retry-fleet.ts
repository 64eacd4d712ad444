/** A fleet of the files that another one could not upload. */
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { UploadError } from '../errors.js'
import { checkStore } from '../upload/options/settings.js'
import { FleetBucket } from './fleet-bucket.js'
import {
  failuresOf,
  forEach,
  jobsOf,
  plannedOf,
  type FleetStatusOptions,
  statusNames,
} from './fleet-status.js'
import { checkFleet, keyIn, mostOfName } from './manifest.js'
import { type FleetPlan, planFleet, type PlannedFile } from './plan-fleet.js'
import type { QueuedJob } from './queue.js'

/** Whose failures are tried again. */
export interface RetryFleetOptions extends FleetStatusOptions {
  /** The new fleet's name. Default: that of the old one with `.r1`, `.r2`, … */
  as?: string
}

const names: NamesOf<RetryFleetOptions> = { ...statusNames, as: true }

/** What a retry has come to: the plan of a new fleet, and more. */
export interface FleetRetry extends FleetPlan {
  /** Slices of the old fleet that the queue had given up, and has again. */
  slicesAgain: number
}

/**
 * Plans a fleet of the files that failed for good in another, once their cause is
 * gone, and has the queue run the slices again that it has given up. Called again it
 * plans the next one, of what has failed since, in the fleet or in those that were
 * planned so. It may be called while they run.
 *
 * Rejects as `planFleet`; with `PAWL_INVALID_STATE` for a fleet that is not there.
 *
 * @example
 * const { fleet, files } = await retryFleet({ queue, fleet: 'ingest-2026-11', store })
 */
export async function retryFleet({
  as,
  ...options
}: RetryFleetOptions): Promise<FleetRetry> {
  checkKnownOptions(
    { as, ...options },
    { of: 'retryFleet', names: Object.keys(names) },
  )
  const { fleet, store, queue } = options
  checkFleet(fleet)
  checkStore(store)
  const bucket = new FleetBucket(store, options)
  const plan = (name: string, from: readonly string[]): Promise<FleetPlan> =>
    planFleet({ ...options, fleet: name, files: filesOf(bucket, from) })
  const planned = await planNext(bucket, { fleet, as }, plan)
  const givenUp = await jobsOf(queue, fleet, 'failed')
  let slicesAgain = 0
  await forEach(givenUp, async (job) => {
    if (await isAgain(job)) slicesAgain += 1
  })
  return { ...planned, slicesAgain }
}

/** False when another retry, or an operator, was faster. */
async function isAgain(job: QueuedJob): Promise<boolean> {
  try {
    await job.retry('failed', { resetAttemptsMade: true })
    return true
  } catch (error) {
    if ((await job.getState()) === 'failed') throw error
    return false
  }
}

/**
 * What has failed in the last one of some fleets, and in those before it if no later one
 * has it: the files of each are such that have failed before.
 */
async function* filesOf(
  bucket: FleetBucket,
  fleets: readonly string[],
): AsyncGenerator<PlannedFile> {
  const later = new Set<string>()
  for (const [index, fleet] of [...fleets.entries()].toReversed()) {
    for await (const { path, key, size, mtime } of failuresOf(bucket, fleet)) {
      if (!later.has(key)) yield { path, key, size, mtime }
    }
    if (index === 0) return
    for await (const { key } of plannedOf(bucket, fleet)) later.add(key)
  }
}

/** The first one that is not planned, or was begun for the same files. */
async function planNext(
  bucket: FleetBucket,
  { fleet, as }: { fleet: string; as: string | undefined },
  plan: (name: string, from: readonly string[]) => Promise<FleetPlan>,
): Promise<FleetPlan> {
  const from = [fleet]
  for (let n = 1; ; n++) {
    const suffix = `.r${n}`
    const name = `${fleet.slice(0, mostOfName - suffix.length)}${suffix}`
    const end = await bucket.find(keyIn(name, 'end'))
    if (end !== undefined) {
      from.push(name)
      continue
    }
    if (as !== undefined) return plan(as, from)
    try {
      return await plan(name, from)
    } catch (error) {
      // More has failed since that one was begun, and nobody has ended it.
      if (!(error instanceof UploadError)) throw error
      if (error.code !== 'PAWL_SOURCE_CHANGED') throw error
    }
  }
}
