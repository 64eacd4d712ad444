/**
 * What a fleet has come to, by what is in the bucket: true whatever became of the
 * workers and the queue. The queue adds who is at work, as far as it is connected.
 */
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import type { ObjectStore } from '../store/object-store.js'
import { checkStore } from '../upload/options/settings.js'
import { UploadError } from '../errors.js'
import { FleetBucket, type AskOptions } from './fleet-bucket.js'
import {
  checkFleet,
  decodeEnd,
  decodeFailed,
  decodeSlice,
  keyIn,
  mostEnd,
  mostSlices,
  type FailedFile,
  type SliceFile,
} from './manifest.js'
import type { FleetQueue, JobsOfType, QueuedJob, QueueWorker } from './queue.js'

/** Whose status is asked for. */
export interface FleetStatusOptions extends AskOptions {
  /** A BullMQ `Queue`. */
  queue: FleetQueue
  /** The fleet's name. */
  fleet: string
  /** Where its plan is. */
  store: ObjectStore
}

/** What a fleet has come to. */
export interface FleetStatus {
  /** The fleet's name. */
  fleet: string
  /** All its slices are planned. */
  isPlanned: boolean
  /** Slices planned. */
  slices: number
  /** Slices that are done. */
  slicesDone: number
  /** Files planned. */
  files: number
  /** Bytes in them. */
  bytes: number
  /** Files of slices that are done, those that failed included. */
  filesDone: number
  /** Bytes in them. */
  bytesDone: number
  /** Files that are left. */
  left: number
  /** Files that failed for good, of slices that are done. */
  failed: number
  /** Bytes a second, of slices done in the last five minutes. */
  rate: number
  /** The queue is paused, and hands out nothing. */
  isPaused: boolean
  /** Workers that are at slices of this fleet. */
  workers: number
  /** Workers at the queue, those that are idle or at other fleets included. */
  workersOfQueue: number
  /** Slices that those workers have. */
  active: number
  /** Slices of workers that are gone; others have them when their lease is over. */
  abandoned: number
  /** Slices whose run has failed, and that wait for the next one. */
  delayed: number
  /** Slices that the queue has given up; they are told by its failed set. */
  givenUp: number
  /** ms since the oldest slice under way was begun. */
  oldest: number | undefined
}

export const statusNames: NamesOf<FleetStatusOptions> = {
  fleet: true,
  queue: true,
  requestPayer: true,
  retry: true,
  signal: true,
  store: true,
  timeout: true,
}

/** ms that the rate is of. */
const rated = 300_000
/** Questions at once. */
const askedAtOnce = 32

/**
 * What a fleet has come to: files, bytes, rate, what is left, what failed, who is
 * at work. One or two requests for each slice.
 *
 * Rejects with `PAWL_INVALID_STATE` for a fleet that was never planned.
 *
 * @example
 * const { filesDone, files, failed } = await fleetStatus({ queue, fleet, store })
 */
export async function fleetStatus(
  options: FleetStatusOptions,
): Promise<FleetStatus> {
  checkKnownOptions(options, {
    of: 'fleetStatus',
    names: Object.keys(statusNames),
  })
  const { queue, fleet, store } = options
  checkFleet(fleet)
  checkStore(store)
  const bucket = new FleetBucket(store, options)
  const { slices, isPlanned } = await sizesOf(bucket, fleet)
  const now = bucket.now()
  const status: FleetStatus = {
    fleet,
    isPlanned,
    slices: slices.length,
    slicesDone: 0,
    files: 0,
    bytes: 0,
    filesDone: 0,
    bytesDone: 0,
    left: 0,
    failed: 0,
    rate: 0,
    ...(await workOf(queue, fleet)),
  }
  await forEach(slices, async ([files, bytes], slice) => {
    status.files += files
    status.bytes += bytes
    const doneAt = await bucket.find(keyIn(fleet, 'done', slice))
    if (doneAt === undefined) {
      status.left += files
      return
    }
    status.slicesDone += 1
    status.filesDone += files
    status.bytesDone += bytes
    // Added after the wait: others add to it meanwhile.
    const failed = await failedOf(bucket, fleet, slice)
    status.failed += failed.length
    if (now - doneAt < rated) status.rate += bytes / (rated / 1000)
  })
  return status
}

/**
 * All files of a fleet that have failed for good, by slice: of slices that are done, as
 * the next run of another may make them.
 */
export function failuresOf(
  bucket: FleetBucket,
  fleet: string,
): AsyncGenerator<FailedFile> {
  return linesOf(bucket, fleet, async (slice) => {
    const failed = await failedOf(bucket, fleet, slice)
    if (failed.length === 0) return []
    const done = await bucket.find(keyIn(fleet, 'done', slice))
    return done === undefined ? [] : failed
  })
}

/** All files of a fleet. */
export function plannedOf(
  bucket: FleetBucket,
  fleet: string,
): AsyncGenerator<SliceFile> {
  return linesOf(bucket, fleet, async (slice) => {
    const text = await bucket.get(keyIn(fleet, 'manifest', slice))
    const store = bucket.store.identity
    return decodeSlice(text ?? '', { fleet, slice, store }).files
  })
}

/** Of all slices in their order, some of which are read at once. */
async function* linesOf<T>(
  bucket: FleetBucket,
  fleet: string,
  read: (slice: number) => Promise<readonly T[]>,
): AsyncGenerator<T> {
  const { slices } = await sizesOf(bucket, fleet)
  for (let from = 1; from <= slices.length; from += askedAtOnce) {
    const count = Math.min(askedAtOnce, slices.length - from + 1)
    const some = Array.from({ length: count }, (_, i) => read(from + i))
    for (const lines of await Promise.all(some)) yield* lines
  }
}

async function failedOf(
  bucket: FleetBucket,
  fleet: string,
  slice: number,
): Promise<FailedFile[]> {
  const text = await bucket.get(keyIn(fleet, 'failed', slice))
  return text === undefined ? [] : decodeFailed(text, { fleet, slice })
}

type Sizes = readonly (readonly [files: number, bytes: number])[]

/** As the end of the plan says it; before that each slice is read. */
async function sizesOf(
  bucket: FleetBucket,
  fleet: string,
): Promise<{ slices: Sizes; isPlanned: boolean }> {
  const end = await bucket.get(keyIn(fleet, 'end'), mostEnd)
  if (end !== undefined) {
    return { slices: decodeEnd(end, fleet).slices, isPlanned: true }
  }
  const store = bucket.store.identity
  const slices: [number, number][] = []
  for (let slice = 1; slice <= mostSlices; slice++) {
    const text = await bucket.get(keyIn(fleet, 'manifest', slice))
    if (text === undefined) break
    const { files } = decodeSlice(text, { fleet, slice, store })
    slices.push([files.length, files.reduce((sum, { size }) => sum + size, 0)])
  }
  const isBegun =
    slices.length > 0 || (await bucket.find(keyIn(fleet, 'plan'))) !== undefined
  if (isBegun) return { slices, isPlanned: false }
  throw new UploadError(
    'PAWL_INVALID_STATE',
    `there is no fleet ${fleet} in ${store}`,
  )
}

type Work = Pick<
  FleetStatus,
  | 'isPaused'
  | 'workers'
  | 'workersOfQueue'
  | 'active'
  | 'abandoned'
  | 'delayed'
  | 'givenUp'
  | 'oldest'
>

/**
 * By the queue. A job stays active after its worker is dead until another looks, so
 * only those count whose worker is connected.
 */
async function workOf(queue: FleetQueue, fleet: string): Promise<Work> {
  const [isPaused, workers, active, delayed, givenUp] = await Promise.all([
    queue.isPaused(),
    queue.getWorkers(),
    jobsOf(queue, fleet, 'active'),
    jobsOf(queue, fleet, 'delayed'),
    jobsOf(queue, fleet, 'failed'),
  ])
  const now = Date.now()
  const alive = namesOf(workers)
  const own = active.filter(({ processedBy }) => isIn(alive, processedBy))
  const begun = own.map(({ processedOn }) => processedOn ?? now)
  return {
    isPaused,
    workers: new Set(own.map(({ processedBy }) => processedBy)).size,
    workersOfQueue: workers.length,
    active: own.length,
    abandoned: active.length - own.length,
    delayed: delayed.length,
    givenUp: givenUp.length,
    // By the clock of another machine, which may be ahead.
    oldest:
      begun.length === 0 ? undefined : Math.max(0, now - Math.min(...begun)),
  }
}

/** Undefined where the database lists no connections, as some that are hosted. */
function namesOf(workers: readonly QueueWorker[]): string[] | undefined {
  const raw = workers.flatMap(({ rawname }) => rawname ?? [])
  if (raw.length < workers.length) return undefined
  return raw.map((name) => name.split(':w:').slice(1).join(':w:'))
}

function isIn(
  alive: readonly string[] | undefined,
  name: string | undefined,
): boolean {
  if (alive === undefined || name === undefined) return true
  // PostgreSQL keeps the first 63 bytes of what a connection is called.
  return alive.some((one) => one !== '' && name.startsWith(one))
}

/** Read a thousand at a time: each is a small job, and there may be 10^5. */
const pageOfJobs = 1000

export async function jobsOf(
  queue: FleetQueue,
  fleet: string,
  type: JobsOfType,
): Promise<QueuedJob[]> {
  const own: QueuedJob[] = []
  for (let from = 0; ; from += pageOfJobs) {
    const jobs = await queue.getJobs([type], from, from + pageOfJobs - 1, true)
    for (const job of jobs) {
      if (job !== undefined && isOf(fleet, job.data)) own.push(job)
    }
    if (jobs.length < pageOfJobs) return own
  }
}

function isOf(fleet: string, data: unknown): boolean {
  return (
    typeof data === 'object' &&
    data !== null &&
    'fleet' in data &&
    data.fleet === fleet
  )
}

/** Some at once; `slice` is from 1. */
export async function forEach<T>(
  items: readonly T[],
  work: (item: T, slice: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of entries) await work(item, index + 1)
  }
  await Promise.all(Array.from({ length: askedAtOnce }, lane))
}
