/**
 * What of a BullMQ queue a fleet uses, on whichever of its databases. No safety
 * rests on it: a job may run twice or be lost, and what it says is input.
 */

/** A job of a queue, as it is added. */
export interface FleetJob {
  /** What sort of job: `slice`. */
  name: string
  /** Which slice of which fleet. */
  data: SliceOfFleet
  /** As BullMQ wants them. */
  opts: FleetJobOptions
}

/** Where a slice is. */
export interface SliceOfFleet {
  /** The fleet's name. */
  fleet: string
  /** From 1. */
  slice: number
}

/** How BullMQ keeps and repeats a job. */
export interface FleetJobOptions {
  /** Of fleet and slice: added twice, it is one job. */
  jobId: string
  /** Runs that may fail before the job is given up. */
  attempts: number
  /** ms between them, at first; twice as long each time. */
  backoff: FleetBackoff
  /** How many done ones are kept. */
  removeOnComplete: KeptJobs
}

/** How long after a failure the next run is. */
export interface FleetBackoff {
  /** Twice as long each time. */
  type: 'exponential'
  /** ms */
  delay: number
}

/** How many jobs are kept. */
export interface KeptJobs {
  /** The newest ones. */
  count: number
}

/** A job that a worker has now. */
export interface ActiveJob {
  /** What it says, which is input. */
  data: unknown
  /** How far it is, which is a hint. */
  progress: unknown
  /** ms since 1970 */
  processedOn?: number | undefined
}

/** What a queue is connected by. */
export interface QueueConnection {
  /** Of its database. */
  connection?: unknown
}

/** A BullMQ 6 `Queue`, of Redis, Valkey or PostgreSQL. */
export interface FleetQueue {
  /** The queue's. */
  readonly name: string
  /** What it was made with. */
  readonly opts: QueueConnection
  /** Adds jobs; those whose ID is there are left. */
  addBulk(jobs: FleetJob[]): Promise<unknown>
  /** How many jobs there are of these types. */
  getJobCounts(...types: ('active' | 'failed')[]): Promise<{
    [type: string]: number
  }>
  /** The jobs of these types. */
  getJobs(
    types: 'active'[],
    start?: number,
    end?: number,
  ): Promise<(ActiveJob | undefined)[]>
  /** How many workers there are. */
  getWorkersCount(): Promise<number>
}
