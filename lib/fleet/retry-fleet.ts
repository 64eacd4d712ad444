/** A fleet of the files that another one could not upload. */
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { UploadError } from '../errors.js'
import { checkStore } from '../upload/options/settings.js'
import { FleetBucket } from './fleet-bucket.js'
import {
  failuresOf,
  forEach,
  jobsOf,
  type FleetStatusOptions,
  statusNames,
} from './fleet-status.js'
import { checkFleet, keyIn, mostOfName } from './manifest.js'
import { type FleetPlan, planFleet, type PlannedFile } from './plan-fleet.js'

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
 * plans the next one; what is in it is what failed there.
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
  const plan = (name: string): Promise<FleetPlan> =>
    planFleet({ ...options, fleet: name, files: filesOf(bucket, fleet) })
  const planned = await (as === undefined
    ? planNext(bucket, fleet, plan)
    : plan(as))
  const givenUp = await jobsOf(queue, fleet, 'failed')
  await forEach(givenUp, async (job) => {
    await job.retry('failed', { resetAttemptsMade: true })
  })
  return { ...planned, slicesAgain: givenUp.length }
}

async function* filesOf(
  bucket: FleetBucket,
  fleet: string,
): AsyncGenerator<PlannedFile> {
  for await (const { path, key, size, mtime } of failuresOf(bucket, fleet)) {
    yield { path, key, size, mtime }
  }
}

/** The first one that is not planned, or was begun for the same files. */
async function planNext(
  bucket: FleetBucket,
  fleet: string,
  plan: (name: string) => Promise<FleetPlan>,
): Promise<FleetPlan> {
  for (let n = 1; ; n++) {
    const suffix = `.r${n}`
    const name = `${fleet.slice(0, mostOfName - suffix.length)}${suffix}`
    const end = await bucket.find(keyIn(name, 'end'))
    if (end !== undefined) continue
    try {
      return await plan(name)
    } catch (error) {
      // More has failed since that one was begun, and nobody has ended it.
      if (!(error instanceof UploadError)) throw error
      if (error.code !== 'PAWL_SOURCE_CHANGED') throw error
    }
  }
}
