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
  /** Tells the plan from others of the name: 16 hex digits. */
  plan: string
  /** From 1. */
  slice: number
  /** It may have been begun before: its files are asked for before they are sent. */
  again?: true
}

/** How BullMQ keeps and repeats a job. */
export interface FleetJobOptions {
  /** Of fleet, plan and slice: added twice, it is one job. */
  jobId: string
  /** Runs that may fail before the job is given up. */
  attempts: number
  /** How long the next run is waited for. */
  backoff: FleetBackoff
  /** How many done ones are kept. */
  removeOnComplete: KeptJobs
  /** Of how many failures the stack is kept: a bucket that refuses fails all slices. */
  stackTraceLimit: number
}

/** How long after a failure the next run is. */
export interface FleetBackoff {
  /** As `FleetWorkerSettings.settings` has it. */
  type: 'pawl'
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
  /** When it ended, ms since 1970; nothing before that. */
  finishedOn?: number | null | undefined
  /** `completed`, `failed`, … */
  getState(): Promise<string>
  /** Has the queue run it again. */
  retry(state: 'failed', how: JobAgain): Promise<unknown>
  /** Takes it out of the queue. */
  remove(): Promise<unknown>
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

/** Jobs that are worked on, that have been given up, that wait after a failure. */
export type JobsOfType = 'active' | 'failed' | 'delayed'

/** A BullMQ 6 `Queue`, of Redis, Valkey or PostgreSQL. */
export interface FleetQueue {
  /** The queue's. */
  readonly name: string
  /** What it was made with. */
  readonly opts: QueueConnection
  /** Adds jobs; those whose ID is there are left. */
  addBulk(jobs: FleetJob[]): Promise<unknown>
  /** Undefined when there is none. */
  getJob(id: string): Promise<QueuedJob | undefined>
  /** The jobs of these types, from the oldest one on. */
  getJobs(
    types: JobsOfType[],
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
