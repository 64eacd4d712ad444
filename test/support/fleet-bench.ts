/** Files of a fleet, on a dev server, with a queue that only keeps what it is given. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import type { ObjectStore } from '../../lib/index.js'
import { FleetBucket } from '../../lib/fleet/fleet-bucket.js'
import { decodeHead, keyIn, planOf } from '../../lib/fleet/manifest.js'
import type {
  FleetJob,
  FleetQueue,
  JobsOfType,
  QueuedJob,
  QueueWorker,
} from '../../lib/fleet/queue.js'
import { type SliceMeans, SliceWork } from '../../lib/fleet/slice-work.js'
import { devStore, noise, type DevStore } from './dev-store.js'
import { smallStore } from './small-store.js'

/** As BullMQ: a job whose ID is there is not added again. */
export class KeptQueue implements FleetQueue {
  readonly name = 'fleet'
  readonly opts = {}
  readonly jobs = new Map<string, FleetJob>()
  /** IDs of jobs that are over, and are kept. */
  readonly completed = new Set<string>()
  active: QueuedJob[] = []
  failed: QueuedJob[] = []
  delayed: QueuedJob[] = []
  workers: QueueWorker[] = []
  paused = false

  async addBulk(jobs: FleetJob[]): Promise<void> {
    for (const job of jobs) {
      const { jobId } = job.opts
      if (!this.jobs.has(jobId)) this.jobs.set(jobId, job)
    }
  }

  async getJob(id: string): Promise<QueuedJob | undefined> {
    const job = this.jobs.get(id)
    if (job === undefined) return undefined
    const isOver = this.completed.has(id)
    return {
      ...queuedJob(job.data),
      finishedOn: isOver ? Date.now() : undefined,
      getState: async () => (isOver ? 'completed' : 'waiting'),
      remove: async () => this.jobs.delete(id),
    }
  }

  async getJobs(
    [type = 'active']: JobsOfType[],
    start = 0,
    end = -1,
  ): Promise<QueuedJob[]> {
    return this[type].slice(start, end === -1 ? undefined : end + 1)
  }

  async isPaused(): Promise<boolean> {
    return this.paused
  }

  async getWorkers(): Promise<QueueWorker[]> {
    return this.workers
  }
}

/** One that has been given up, unless more is said. */
export function queuedJob(data: unknown): QueuedJob {
  return {
    data,
    getState: async () => 'failed',
    retry: async () => undefined,
    remove: async () => undefined,
  }
}

export interface FleetBench extends DevStore {
  small: ObjectStore
  root: string
  queue: KeptQueue
  retry: { attempts: number; baseDelay: number; maxDelay: number }
  /** The bytes of each file, by its path. */
  files: Map<string, Buffer>
  write(path: string, size: number): Promise<void>
  means(more?: Partial<SliceMeans>): SliceMeans
  /** The work of a slice of what is planned; undefined when it is done. */
  work(
    job: { fleet: string; slice: number; plan?: string },
    more?: Partial<SliceMeans>,
    isAgain?: boolean,
  ): Promise<SliceWork | undefined>
}

export async function fleetBench(
  t: Test,
  { count = 0, server }: { count?: number; server?: DevServerOptions } = {},
): Promise<FleetBench> {
  const dev = await devStore(t, {
    minPartSize: 1,
    buckets: ['examplebucket', 'other'],
    ...server,
  })
  const root = join(dev.directory, 'data')
  await mkdir(root)
  const small = smallStore(dev.store)
  const retry = { attempts: 3, baseDelay: 1, maxDelay: 2 }
  const files = new Map<string, Buffer>()
  const write = async (path: string, size: number): Promise<void> => {
    const bytes = noise(size, files.size + 1)
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), bytes)
    files.set(path, bytes)
  }
  for (let i = 0; i < count; i++) {
    await write(`day-${Math.floor(i / 4)}/file-${i % 4}`, 100 + i)
  }
  const { signal } = new AbortController()
  const means = (more: Partial<SliceMeans> = {}): SliceMeans => ({
    bucket: new FleetBucket(small, { retry }),
    root,
    prefix: '',
    atOnce: 4,
    object: undefined,
    ifSame: 'send',
    checkpoint: undefined,
    retry,
    signal,
    ...more,
  })
  return {
    ...dev,
    small,
    root,
    queue: new KeptQueue(),
    retry,
    files,
    write,
    means,
    async work(job, more, isAgain = false) {
      const own = means(more)
      const plan = job.plan ?? (await plannedIn(own.bucket, job.fleet))
      return SliceWork.open(own, { ...job, plan }, isAgain)
    },
  }
}

async function plannedIn(bucket: FleetBucket, fleet: string): Promise<string> {
  const { identity: store } = bucket.store
  const text = (await bucket.get(keyIn(fleet, 'plan'))) ?? ''
  return planOf(decodeHead(text, { fleet, store }).nonce)
}
