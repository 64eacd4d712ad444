/**
 * What of a BullMQ queue a fleet uses, on whichever of its databases. No safety
 * rests on it: a job may run twice or be lost, and what it says is input.
 */
import type { Telemetry } from 'bullmq'

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
  /** It may have been begun before: its files are asked for before they are sent. */
  again?: true
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

/** A job as the queue has it. */
export interface QueuedJob {
  /** What it says, which is input. */
  data: unknown
  /** When a worker took it, ms since 1970. */
  processedOn?: number | undefined
  /** The name of that worker. */
  processedBy?: string | undefined
  /** Has the queue run it again. */
  retry(state: 'failed', how: JobAgain): Promise<unknown>
}

/** How a job that was given up is run again. */
export interface JobAgain {
  /** As often as a new one. */
  resetAttemptsMade: true
}

/** A worker that is connected. */
export interface QueueWorker {
  /** What the database knows its connection by. */
  rawname?: string
}

/** What a queue was made with, and its workers are made with. */
export interface QueueConnection {
  /** Of its database. */
  connection?: unknown
  /** What its keys in Redis begin with. */
  prefix?: string
  /** Hears of its spans, and of those of its workers. */
  telemetry?: Telemetry
}

/** A BullMQ 6 `Queue`, of Redis, Valkey or PostgreSQL. */
export interface FleetQueue {
  /** The queue's. */
  readonly name: string
  /** What it was made with. */
  readonly opts: QueueConnection
  /** Adds jobs; those whose ID is there are left. */
  addBulk(jobs: FleetJob[]): Promise<unknown>
  /** Undefined when there is none. */
  getJob(id: string): Promise<unknown>
  /** The jobs of these types, from the oldest one on. */
  getJobs(
    types: ('active' | 'failed')[],
    start?: number,
    end?: number,
    isAscending?: boolean,
  ): Promise<(QueuedJob | undefined)[]>
  /** Those that are connected. */
  getWorkers(): Promise<QueueWorker[]>
  /** It hands out no jobs. */
  isPaused(): Promise<boolean>
  /** What it talks to: a client of Redis is where logs are, by default. */
  readonly backend?: object
}
