/** A fleet of the files that another one could not upload. */
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { checkStore } from '../upload/options/settings.js'
import { FleetBucket } from './fleet-bucket.js'
import {
  failuresOf,
  type FleetStatusOptions,
  statusNames,
} from './fleet-status.js'
import { checkFleet, keyIn } from './manifest.js'
import { type FleetPlan, planFleet, type PlannedFile } from './plan-fleet.js'

/** Whose failures are tried again. */
export interface RetryFleetOptions extends FleetStatusOptions {
  /** The new fleet's name. Default: that of the old one with `.r1`, `.r2`, … */
  as?: string
}

const names: NamesOf<RetryFleetOptions> = { ...statusNames, as: true }

/**
 * Plans a fleet of the files that failed for good in another, once their cause is
 * gone. Called again it plans the next one; what is in it is what failed there.
 *
 * Rejects as `planFleet`; with `PAWL_INVALID_STATE` for a fleet that is not there.
 *
 * @example
 * const { fleet, files } = await retryFleet({ queue, fleet: 'ingest-2026-11', store })
 */
export async function retryFleet({
  as,
  ...options
}: RetryFleetOptions): Promise<FleetPlan> {
  checkKnownOptions(
    { as, ...options },
    { of: 'retryFleet', names: Object.keys(names) },
  )
  const { fleet, store } = options
  checkFleet(fleet)
  checkStore(store)
  const bucket = new FleetBucket(store, options)
  const files: PlannedFile[] = []
  for await (const { path, key, size, mtime } of failuresOf(bucket, fleet)) {
    files.push({ path, key, size, mtime })
  }
  const name = as ?? (await nextName(bucket, fleet))
  return planFleet({ ...options, fleet: name, files })
}

async function nextName(bucket: FleetBucket, fleet: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = `${fleet}.r${n}`
    const there = await bucket.find(keyIn(name, 'end'))
    if (there === undefined) return name
  }
}
