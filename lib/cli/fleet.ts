/**
 * `pawl fleet`: many files by many machines. BullMQ and what it needs for its
 * database are found where pawl is installed, and are no part of it.
 */
import { isAbsolute } from 'node:path'
import type { Queue } from 'bullmq'
import type * as fleetModule from '../fleet/index.js'
import type {
  FleetPlan,
  FleetQueue,
  FleetStatus,
  FleetStatusOptions,
  FleetWorker,
  FleetWorkerOptions,
  PlannedFile,
  SliceOfFleet,
  SliceResult,
} from '../fleet/index.js'
import { bucketCheckpoint, UploadError } from '../index.js'
import { systemCode } from '../realm.js'
import { ToldFailure, exitCodes } from './exit-code.js'
import {
  mustBeQueueName,
  type QueueConnection,
  queueFailure,
  queueHost,
  QueueWatch,
  untilReached,
} from './fleet-queue.js'
import { plainText } from './plain-text.js'
import type { Output } from './reporter.js'
import { given, type Target } from './target.js'
import { countOf, formatDuration, formatSize } from './units.js'

/** Flags that all of them have. */
export interface FleetFlags {
  /** `redis://…`: where the queue is. */
  queue: string
  /** The queue's name. */
  queueName?: string
  /** ms in which requests may fail. */
  patience?: number
}

export interface FleetPlanFlags extends FleetFlags {
  name: string
  include?: string[]
  exclude?: string[]
  followLinks?: true
  sliceFiles?: number
  /** Lists instead of a directory. */
  from?: string[]
  columns?: string
}

export interface FleetWorkFlags extends FleetFlags {
  root: string
  jobs?: number
  ifChanged?: true
  log?: 'queue' | 'bucket' | 'none'
  requestsPerSecond?: number
  bytesPerSecond?: number
}

export interface FleetTask {
  target: Target
  flags: FleetFlags
  out: Output
  /** For people who look on. */
  log: Output
  isJson: boolean
  signal: AbortSignal
}

type Fleets = typeof fleetModule

interface OpenFleets {
  fleets: Fleets
  queue: FleetQueue
  /** Host and port. */
  host: string
  /** Of the queue. */
  client: QueueConnection
  ask: Pick<FleetStatusOptions, 'retry' | 'signal'>
}

/** Without a directory it is the files of lists. */
export async function planFleetOf(
  directory: string | undefined,
  task: FleetTask,
  flags: FleetPlanFlags,
): Promise<void> {
  const { name, sliceFiles } = flags
  const { target, out, isJson } = task
  const prefix = prefixOf(target)
  await withFleets(task, async ({ fleets, queue, ask }) => {
    const { store } = target
    const plan = await fleets.planFleet({
      queue,
      fleet: name,
      store,
      files: filesOf(fleets, directory, flags),
      key: ({ path }) => prefix + path,
      ...given({ sliceFiles }),
      ...ask,
    })
    out.write(isJson ? line({ event: 'planned', ...plan }) : planText(plan))
  })

  function filesOf(
    { walkFiles, inventoryFiles }: Fleets,
    root: string | undefined,
    { include, exclude, followLinks, from = [], columns }: FleetPlanFlags,
  ): AsyncIterable<PlannedFile> {
    if (root !== undefined) {
      return walkFiles(root, given({ include, exclude, followLinks }))
    }
    return (async function* () {
      for (const list of from) {
        for await (const file of inventoryFiles(list, given({ columns }))) {
          const { key } = file
          yield key === undefined ? file : { ...file, key: prefix + key }
        }
      }
    })()
  }
}

/** Works until a signal, which leaves the slice under way to another worker. */
export async function workOnFleets(
  task: FleetTask,
  {
    root,
    jobs,
    ifChanged,
    log,
    requestsPerSecond,
    bytesPerSecond,
  }: FleetWorkFlags,
): Promise<void> {
  if (!isAbsolute(root)) misuse('--root: an absolute path is required')
  const { target, signal, out, log: told, isJson } = task
  await withFleets(task, async ({ fleets, queue, host, client, ask }) => {
    const { retry } = ask
    const worker = fleets.fleetWorker({
      queue,
      store: target.store,
      root,
      prefix: prefixOf(target),
      limit: given({ requestsPerSecond, bytesPerSecond }),
      ...(ifChanged === true ? { ifSame: 'skip' as const } : {}),
      ...given({ atOnce: jobs, retry, checkpoint: logsIn(log, target) }),
    })
    out.write(
      isJson
        ? line({ event: 'working', queue: queue.name })
        : `works on the queue ${queue.name}, until it is stopped\n`,
    )
    const watch = new QueueWatch(host, told)
    watch.follow(client)
    tellSlices(worker, task, watch)
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await watch.end(worker.close())
  })
}

/** A line for each run of a slice, for whoever reads the output of a worker. */
function tellSlices(
  { runner }: FleetWorker,
  { out, isJson }: FleetTask,
  watch: QueueWatch,
): void {
  runner.on('error', (error) => watch.failed(error))
  runner.on('completed', ({ data }, result) => {
    watch.back()
    const { fleet, slice } = sliceIn(data)
    // Undefined: another worker was faster.
    const {
      files = 0,
      bytes = 0,
      failed = 0,
    } = (result ?? {}) as Partial<SliceResult>
    const made = { files, bytes, failed }
    out.write(
      isJson
        ? line({ event: 'slice', fleet, slice, ...made })
        : `${fleet}: slice ${slice}, ${countOf(files, 'file')}, ${formatSize(bytes)}, ${failed} failed\n`,
    )
  })
  runner.on('failed', (job, error) => {
    const { fleet, slice } = sliceIn(job?.data)
    const code = error instanceof UploadError ? error.code : undefined
    const message = plainText(error.message)
    out.write(
      isJson
        ? line({ event: 'slice-failed', fleet, slice, code, message })
        : `${fleet}: slice ${slice} has failed: ${message}\n`,
    )
  })
}

/** What a job says is input. */
function sliceIn(data: unknown): { fleet: string; slice: number } {
  const { fleet, slice } = (data ?? {}) as Partial<SliceOfFleet>
  return {
    fleet: typeof fleet === 'string' ? plainText(fleet.slice(0, 64)) : '?',
    slice: typeof slice === 'number' ? slice : 0,
  }
}

export async function tellFleet(name: string, task: FleetTask): Promise<void> {
  const { target, out, isJson } = task
  await withFleets(task, async ({ fleets, queue, ask }) => {
    const { store } = target
    const asked = { queue, fleet: name, store, ...ask }
    const status = await fleets.fleetStatus(asked)
    out.write(isJson ? line({ event: 'fleet', ...status }) : table(status))
    const { left, isPlanned, failed, givenUp } = status
    // Who waits for its end would wait for what nobody does.
    const isStuck = givenUp > 0 || (left === 0 && isPlanned && failed > 0)
    if (isStuck) throw new ToldFailure(exitCodes.failed)
  })
}

export async function retryFleetOf(
  name: string,
  task: FleetTask,
): Promise<void> {
  const { target, out, isJson } = task
  await withFleets(task, async ({ fleets, queue, ask }) => {
    const { store } = target
    const plan = await fleets.retryFleet({ queue, fleet: name, store, ...ask })
    const again = `${countOf(plan.slicesAgain, 'slice')} that had been given up are run again\n`
    const text = `${planText(plan)}${plan.slicesAgain === 0 ? '' : again}`
    out.write(isJson ? line({ event: 'planned', ...plan }) : text)
  })
}

/** Undefined: where the worker puts them, in the Redis of the queue. */
function logsIn(
  log: FleetWorkFlags['log'],
  { store }: Target,
): FleetWorkerOptions['checkpoint'] {
  if (log === 'none') return false
  return log === 'bucket'
    ? (name) => bucketCheckpoint({ store, key: name })
    : undefined
}

async function withFleets(
  { flags, signal }: FleetTask,
  work: (open: OpenFleets) => Promise<void>,
): Promise<void> {
  const { queue: url, queueName = 'pawl', patience } = flags
  const host = queueHost(url)
  mustBeQueueName(queueName)
  const { fleets, Queue: BullQueue } = await load()
  const connection = { url, maxRetriesPerRequest: null }
  const queue = new BullQueue(queueName, { connection })
  // Heard, so that it ends nothing: the connection is tried again by itself.
  queue.on('error', () => undefined)
  try {
    await untilReached(queue, host)
    const client = await queue.getBackend().client
    const ask = { retry: given({ patience }), signal }
    await work({ fleets, queue, host, client, ask })
  } catch (error) {
    throw queueFailure(host, error)
  } finally {
    await queue.close()
  }
}

async function load(): Promise<{
  fleets: Fleets
  Queue: typeof Queue
}> {
  try {
    const bullmq = await import('bullmq')
    return { fleets: await import('../fleet/index.js'), Queue: bullmq.Queue }
  } catch (error) {
    if (systemCode(error) !== 'ERR_MODULE_NOT_FOUND') throw error
    return misuse(
      'fleets need BullMQ: install it beside pawl, by npm install bullmq ioredis',
    )
  }
}

function prefixOf({ key }: Target): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`
}

function planText({ fleet, files, bytes, slices, added }: FleetPlan): string {
  return `${plainText(fleet)}: ${countOf(files, 'file')}, ${formatSize(bytes)}, in ${countOf(slices, 'slice')}; ${countOf(added, 'job')} added\n`
}

/** A line for each figure. */
function table(status: FleetStatus): string {
  const { files, bytes, filesDone, bytesDone, rate, oldest } = status
  const rows: [string, string][] = [
    ['files', `${filesDone} of ${files}`],
    ['bytes', `${formatSize(bytesDone)} of ${formatSize(bytes)}`],
    ['rate', `${formatSize(Math.round(rate))}/s`],
    ['left', `${status.left}${status.isPlanned ? '' : ', and still planned'}`],
    ['failed', String(status.failed)],
    [
      'workers',
      `${status.workers} of ${status.workersOfQueue} at the queue${status.isPaused ? ', which is paused' : ''}`,
    ],
    [
      'slices',
      `${status.slicesDone} of ${status.slices} done, ${status.active} under way, ${status.abandoned} of dead workers, ${status.delayed} to be tried again, ${status.givenUp} given up`,
    ],
    ['oldest', oldest === undefined ? '-' : formatDuration(oldest)],
  ]
  const lines = rows.map(([name, text]) => `${name.padEnd(9)}${text}\n`)
  return `${plainText(status.fleet)}\n${lines.join('')}`
}

function line(event: object): string {
  return `${JSON.stringify(event)}\n`
}

function misuse(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
