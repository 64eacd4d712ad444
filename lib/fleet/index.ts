/**
 * Many files by many machines, on BullMQ 6: a plan in the bucket, slices as jobs.
 * Needs `bullmq`, and `ioredis` or `pg`. Bytes and milliseconds everywhere.
 *
 * @module pawl/bullmq
 */
export {
  planFleet,
  type FleetPlan,
  type PlanFleetOptions,
  type PlannedFile,
} from './plan-fleet.js'

export { walkFiles, type WalkFilesOptions } from './walk-files.js'

export {
  inventoryFiles,
  type InventoryFilesOptions,
} from './inventory-files.js'

export {
  fleetWorker,
  type FleetRunner,
  type FleetRunnerJob,
  type FleetWorker,
  type FleetWorkerBackoff,
  type FleetWorkerOptions,
  type FleetWorkerSettings,
} from './fleet-worker.js'

export type { SliceResult } from './slice-work.js'

export type { FleetLimit } from './limited-store.js'

export {
  fleetStatus,
  type FleetStatus,
  type FleetStatusOptions,
} from './fleet-status.js'

export {
  retryFleet,
  type FleetRetry,
  type RetryFleetOptions,
} from './retry-fleet.js'

export type {
  FleetBackoff,
  FleetJob,
  FleetJobOptions,
  FleetQueue,
  JobAgain,
  JobsOfType,
  KeptJobs,
  QueueConnection,
  QueuedJob,
  QueueWorker,
  SliceOfFleet,
} from './queue.js'

export type { AskOptions } from './fleet-bucket.js'
