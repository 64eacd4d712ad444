/**
 * A worker of fleets: takes slices from a queue of BullMQ's and does their work.
 * BullMQ's lock is not a fence: two workers may do one slice, which is no harm.
 */
import { hostname } from 'node:os'
import { WaitingError, Worker, type Job, type Telemetry } from 'bullmq'
import { invalidOption } from '../errors.js'
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { delay, realEnvironment } from '../environment.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { redisCheckpoint, type RedisClient } from '../lease/redis.js'
import type { ObjectOptions, ObjectStore } from '../store/object-store.js'
import {
  aFunction,
  checkStore,
  oneOf,
  optional,
  wholeNumber,
} from '../upload/options/settings.js'
import { FleetBucket, type AskOptions } from './fleet-bucket.js'
import { type FleetLimit, limitedStore } from './limited-store.js'
import { readJob } from './manifest.js'
import { backoffOf } from './plan-fleet.js'
import type { FleetQueue } from './queue.js'
import { inSliceSpan } from './slice-span.js'
import { type SliceMeans, type SliceResult, SliceWork } from './slice-work.js'
import { mustBeMounted } from './volume.js'

/** How a worker works, and within which bounds. */
export interface FleetWorkerOptions extends Omit<AskOptions, 'signal'> {
  /** A BullMQ `Queue`; the worker has connections of its own. */
  queue: FleetQueue
  /** Where objects go, and the plan is. */
  store: ObjectStore
  /** The directory that files may be read below, links included. */
  root: string
  /** Of the keys that may be written. Default: any but those below `.pawl/`. */
  prefix?: string
  /** Files at once, 1 to 256. Default 16. */
  atOnce?: number
  /** What the objects are to be. */
  object?: ObjectOptions
  /**
   * `'skip'`: an object of the same bytes is left as it is, with its metadata.
   * Default `'send'`.
   */
  ifSame?: 'skip' | 'send'
  /** Requests and bytes a second, of this worker. Default: no limit. */
  limit?: FleetLimit
  /**
   * The log of a file that is sent in parts, by its name: another worker goes on
   * with it. Default: in the Redis of `queue`, with a lease of `lease`; none where
   * the queue is elsewhere. `false`: none, and such a file is sent anew.
   */
  checkpoint?: ((name: string) => Checkpoint) | false
  /**
   * ms after which the slice of a worker that is dead goes to another. Default
   * 30,000.
   */
  lease?: number
  /**
   * Makes BullMQ's worker, for another database than Redis: with `withBackend` of
   * `bullmq`. Default: `new Worker(…)` with the connection of `queue`.
   */
  worker?: (
    name: string,
    work: (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>,
    options: FleetWorkerSettings,
  ) => FleetRunner
}

/** What BullMQ's worker is made with. */
export interface FleetWorkerSettings {
  /** Another one for each, by which `fleetStatus` knows who is alive. */
  name: string
  /** Slices at once. */
  concurrency: number
  /** A slice may outlive many workers. */
  maxStalledCount: number
  /** ms */
  lockDuration: number
  /** ms */
  stalledInterval: number
  /** How long after a failure a slice is run again. */
  settings: FleetWorkerBackoff
}

/** What BullMQ asks how long the next run of a job is waited for. */
export interface FleetWorkerBackoff {
  /** ms: a second, twice as long each time, ten minutes at most. */
  backoffStrategy: (attemptsMade: number) => number
}

/** What of a BullMQ `Job` is used. */
export interface FleetRunnerJob {
  /** What it says, which is input. */
  readonly data: unknown
}

/** What of a BullMQ `Worker` is used. */
export interface FleetRunner {
  /** Ends when what is under way has ended. */
  close(): Promise<void>
  /** Hears of failures of its connection. */
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Hears of jobs that have been taken from it. */
  on(event: 'lockRenewalFailed', listener: (ids: string[]) => void): unknown
  /** Hears of slices that have ended, with what they have come to. */
  on(
    event: 'completed',
    listener: (job: FleetRunnerJob, result: unknown) => void,
  ): unknown
  /** Hears of runs of slices that have failed. */
  on(
    event: 'failed',
    listener: (job: FleetRunnerJob | undefined, error: Error) => void,
  ): unknown
  /** Ends the work on one. */
  cancelJob(id: string, reason?: string): unknown
}

/** A worker that is at work. */
export interface FleetWorker {
  /** BullMQ's, for its events. */
  readonly runner: FleetRunner
  /**
   * Suspends: what is under way ends within seconds, and another worker goes on
   * with it. Idempotent.
   */
  close(): Promise<void>
}

const names: NamesOf<FleetWorkerOptions> = {
  atOnce: true,
  checkpoint: true,
  ifSame: true,
  lease: true,
  limit: true,
  object: true,
  prefix: true,
  queue: true,
  requestPayer: true,
  retry: true,
  root: true,
  store: true,
  timeout: true,
  worker: true,
}

/** ms between two looks at how far a slice is. */
const lookEvery = 1000
/** Looks between two words to the queue, and between two notes of whatever is done. */
const looksOfWord = 10

/**
 * Works on the slices of all fleets of a queue, on any machine that sees the
 * files, until it is closed. What jobs and slices say is input: files are read
 * below `root` alone, and keys are written that begin with `prefix`.
 *
 * Throws `PAWL_INVALID_OPTION`.
 *
 * @example
 * const worker = fleetWorker({ queue, store, root: '/data', prefix: 'ingest/' })
 * process.once('SIGTERM', () => void worker.close())
 */
export function fleetWorker(options: FleetWorkerOptions): FleetWorker {
  checkKnownOptions(options, { of: 'fleetWorker', names: Object.keys(names) })
  const { queue, store, root, lease = 30_000, limit = {} } = options
  checkStore(store)
  if (typeof root !== 'string' || root === '') {
    invalidOption('root: the directory that files may be read below')
  }
  if (options.checkpoint !== false) {
    optional(options.checkpoint, (value) => aFunction('checkpoint', value))
  }
  optional(options.worker, (value) => aFunction('worker', value))
  for (const [name, value] of Object.entries(limit)) {
    wholeNumber(`limit.${name}`, value, 1)
  }
  wholeNumber('lease', lease, 1000)
  const { prefix = '' } = options
  if (typeof prefix !== 'string') invalidOption('prefix: expected a text')
  const atOnce = wholeNumber('atOnce', options.atOnce ?? 16, 1, 256)
  const stop = new AbortController()
  const { signal } = stop
  const limited = limitedStore(store, limit, 2 * atOnce, realEnvironment)
  const asked = { ...askOf(options), signal }
  const means: SliceMeans = {
    ...asked,
    bucket: new FleetBucket(limited, asked),
    root,
    prefix,
    atOnce,
    object: options.object,
    ifSame: oneOf('ifSame', options.ifSame ?? 'send', ['skip', 'send']),
    checkpoint: undefined,
    signal,
  }
  const settings: FleetWorkerSettings = {
    name: `${hostname()
      .replaceAll(/[^\w.-]/g, '')
      .slice(0, 20)}-${realEnvironment.id().slice(0, 8)}`,
    concurrency: 1,
    maxStalledCount: 1000,
    lockDuration: lease,
    stalledInterval: lease,
    settings: { backoffStrategy: backoffOf },
  }
  const make = options.worker ?? onRedis(queue)
  // BullMQ gives the signal to functions of three parameters.
  const work = async (job: Job, token?: string, taken?: AbortSignal) => {
    const checkpoint = await logsOf(options, lease)
    const { telemetry } = queue.opts
    const how = { telemetry, lease, ...means, checkpoint }
    return workOn(job, token, how, taken)
  }
  const runner = make(queue.name, work, settings)
  // Its connection is tried again by itself; slices fail by their own errors.
  runner.on('error', () => undefined)
  // Another worker may have it by now: to go on would send what that one sends.
  runner.on('lockRenewalFailed', (ids) => {
    for (const id of ids) runner.cancelJob(id, 'the slice has been taken')
  })
  let closing: Promise<void> | undefined
  return {
    runner,
    close() {
      stop.abort(new Error('the worker is closed'))
      closing ??= runner.close()
      return closing
    },
  }
}

function askOf({
  retry,
  timeout,
  requestPayer,
}: FleetWorkerOptions): AskOptions {
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(requestPayer === undefined ? {} : { requestPayer }),
  }
}

function onRedis({
  opts,
}: FleetQueue): NonNullable<FleetWorkerOptions['worker']> {
  const { connection, prefix, telemetry } = opts
  if (typeof connection !== 'object' || connection === null) {
    invalidOption('queue: a BullMQ Queue with a connection is required')
  }
  return (name, work, settings) =>
    new Worker(name, work, {
      connection,
      ...(prefix === undefined ? {} : { prefix }),
      ...(telemetry === undefined ? {} : { telemetry }),
      ...settings,
    })
}

/** Where logs are. Until there is a slice to work on nobody waits for the client. */
async function logsOf(
  { queue, checkpoint }: FleetWorkerOptions,
  lease: number,
): Promise<SliceMeans['checkpoint']> {
  if (checkpoint !== undefined) return checkpoint || undefined
  const { backend } = queue
  const client: unknown =
    backend !== undefined && 'client' in backend
      ? await backend.client
      : undefined
  return isRedis(client)
    ? (name) => redisCheckpoint({ client, name, lease })
    : undefined
}

function isRedis(client: unknown): client is RedisClient {
  return (
    typeof client === 'object' &&
    client !== null &&
    'callBuffer' in client &&
    typeof client.callBuffer === 'function'
  )
}

interface WorkMeans extends SliceMeans {
  telemetry: Telemetry | undefined
  lease: number
}

async function workOn(
  job: Job,
  token: string | undefined,
  { telemetry, lease, ...means }: WorkMeans,
  taken: AbortSignal | undefined,
): Promise<SliceResult | undefined> {
  const { signal } = means
  try {
    signal.throwIfAborted()
    const { again, ...wanted } = readJob(job.data)
    const { fleet, slice } = wanted
    const isAgain = again || job.attemptsStarted > 1 || job.stalledCounter > 0
    const own =
      taken === undefined
        ? means
        : { ...means, signal: AbortSignal.any([signal, taken]) }
    const isFailure = (): boolean => !signal.aborted
    return await inSliceSpan(
      telemetry,
      { fleet, slice },
      isFailure,
      async () => {
        await orWait(own, lease, () => mustBeMounted(own.root))
        const work = await orWait(own, lease, () =>
          SliceWork.open(own, wanted, isAgain),
        )
        if (work === undefined) return undefined
        await orWait(own, lease, async () => work.mustBeOwn())
        const run = () => tellingProgress(job, work)
        return orWait(own, lease, run, () => work.isRefused)
      },
    )
  } catch (error) {
    if (!signal.aborted) throw error
    // Another worker takes the job at once, and its attempts are not counted.
    await job.moveToWait(token)
    throw new WaitingError()
  }
}

/**
 * A worker whose volume is away, that is for other fleets, or whose bucket refuses,
 * fails slices faster than others do them, and would have all of them given up: it takes
 * one in a while. `isOfWorker`: whether what was thrown is no matter of the slice.
 */
async function orWait<T>(
  { signal }: SliceMeans,
  lease: number,
  work: () => Promise<T>,
  isOfWorker: () => boolean = () => true,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isOfWorker()) await delay(realEnvironment, lease, signal)
    throw error
  }
}

async function tellingProgress(
  job: Job,
  work: SliceWork,
): Promise<SliceResult> {
  const ended = new AbortController()
  void tell(job, work, ended.signal)
  try {
    return await work.run()
  } finally {
    ended.abort()
  }
}

/**
 * Never rejects: who watches, and who runs the slice again, has the next word. What many
 * files are done of is noted at once: another worker would ask for each of them.
 */
async function tell(
  job: Job,
  work: SliceWork,
  ended: AbortSignal,
): Promise<void> {
  let told = 0
  for (let look = 1; ; look++) {
    await delay(realEnvironment, lookEvery, ended).catch(() => undefined)
    if (ended.aborted) return
    const isWord = look % looksOfWord === 0
    const { percent } = work
    const isNews = isWord && percent !== told
    const progress = isNews ? job.updateProgress(percent) : undefined
    if (isNews) told = percent
    await Promise.allSettled([progress, work.note({ isWorth: !isWord })])
  }
}
