/**
 * The plan of a fleet: slices of files in the bucket, and a job for each. Every
 * step may be the last one of this process: the same call goes on from what is in
 * the bucket, and adds nothing that is there.
 */
import { randomBytes } from 'node:crypto'
import { invalidOption, UploadError } from '../errors.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import type { ObjectStore } from '../store/object-store.js'
import {
  aFunction,
  aSignal,
  checkStore,
  optional,
  wholeNumber,
} from '../upload/options/settings.js'
import { FleetBucket, type AskOptions } from './fleet-bucket.js'
import {
  checkFleet,
  decodeEnd,
  decodeHead,
  decodeSlice,
  encodeEnd,
  encodeHead,
  encodeSlice,
  fleetPrefix,
  isFitForPlan,
  jobIdOf,
  keyIn,
  mostBytes,
  mostEnd,
  mostFiles,
  mostLines,
  mostOfLine,
  mostSlices,
  planOf,
  type JobOfFleet,
  type Slice,
  type SliceFile,
} from './manifest.js'
import type { FleetJob, FleetQueue } from './queue.js'

/** A file to be uploaded, as `walkFiles` gives it. */
export interface PlannedFile {
  /** Below the workers' root, with `/`. */
  path: string
  /** Bytes. */
  size: number
  /**
   * ns since 1970, in decimal. Without it a slice that is run again knows a file that
   * has changed by its size alone.
   */
  mtime?: string | undefined
  /** Of the object, where it does not follow from the path. */
  key?: string | undefined
}

/** What `planFleet` plans. */
export interface PlanFleetOptions extends AskOptions {
  /** A BullMQ `Queue`. */
  queue: FleetQueue
  /** Its name: letters, digits, dots, dashes, underscores, at most 64. */
  fleet: string
  /** Where objects go, and the plan, below `.pawl/`. */
  store: ObjectStore
  /** The files, each time in the same order. */
  files: AsyncIterable<PlannedFile> | Iterable<PlannedFile>
  /** The key of a file. Default: its path. */
  key?: (file: PlannedFile) => string
  /** Files of one slice, 1 to 1,000. Default 1,000; never more than 1 GiB. */
  sliceFiles?: number
}

/** What a plan has come to. */
export interface FleetPlan {
  /** The fleet's name. */
  fleet: string
  /** Slices, each a job. */
  slices: number
  /** Files in them. */
  files: number
  /** Bytes in them. */
  bytes: number
  /** Jobs that were added by this call; those there already are not again. */
  added: number
}

const names: NamesOf<PlanFleetOptions> = {
  files: true,
  fleet: true,
  key: true,
  queue: true,
  requestPayer: true,
  retry: true,
  signal: true,
  sliceFiles: true,
  store: true,
  timeout: true,
}

/** Looks at what is done, at once. */
const askedAtOnce = 32

/**
 * Plans a fleet: puts its files as slices into the bucket, and adds a job for each
 * slice that is not done. A planner that was killed goes on; a queue that has lost
 * its jobs is planned again, and nothing that is done is done twice.
 *
 * Rejects with an `UploadError`: `PAWL_INVALID_OPTION`, and `PAWL_SOURCE_CHANGED`
 * when the files are not those of the plan that has begun.
 *
 * @example
 * await planFleet({ queue, fleet: 'ingest-2026-11', store, files: walkFiles('/data') })
 */
export async function planFleet(options: PlanFleetOptions): Promise<FleetPlan> {
  checkKnownOptions(options, { of: 'planFleet', names: Object.keys(names) })
  const { queue, fleet, store, signal } = options
  checkFleet(fleet)
  checkStore(store)
  optional(signal, aSignal)
  optional(options.key, (value) => aFunction('key', value))
  optional(options.sliceFiles, (n) =>
    wholeNumber('sliceFiles', n, 1, mostFiles),
  )
  const bucket = new FleetBucket(store, options)
  const nonce = await nonceOf(bucket, fleet)
  const there = await bucket.get(keyIn(fleet, 'end'), mostEnd)
  const slices =
    there === undefined
      ? await planSlices(options, bucket, nonce)
      : decodeEnd(there, fleet).slices
  const added = await addJobs({
    queue,
    fleet,
    plan: planOf(nonce),
    bucket,
    count: slices.length,
    // A queue that has lost its jobs does not know which were begun.
    isAgain: there !== undefined,
  })
  const sum = (index: 0 | 1): number =>
    slices.reduce((total, slice) => total + slice[index], 0)
  return { fleet, slices: slices.length, files: sum(0), bytes: sum(1), added }
}

/** Of the plan: whoever was first has drawn it for all planners. */
async function nonceOf(bucket: FleetBucket, fleet: string): Promise<string> {
  const store = bucket.store.identity
  const nonce = randomBytes(16).toString('hex')
  const own = encodeHead({ fleet, store, nonce })
  const head = await bucket.putNew(keyIn(fleet, 'plan'), own, {
    beforePut: () =>
      mustBeFree(bucket, fleet, [
        keyIn(fleet, 'end'),
        keyIn(fleet, 'manifest', 1),
      ]),
  })
  return decodeHead(head, { fleet, store }).nonce
}

/**
 * Rejects when anything is there: what is left of an earlier fleet of the name, as by a
 * lifecycle rule, would pass for this one's, and its files for uploaded.
 */
async function mustBeFree(
  bucket: FleetBucket,
  fleet: string,
  keys: readonly string[],
): Promise<void> {
  const found = await Promise.all(keys.map((key) => bucket.find(key)))
  if (found.some((time) => time !== undefined)) throw leftOver(fleet)
}

function leftOver(fleet: string): UploadError {
  return new UploadError(
    'PAWL_INVALID_STATE',
    `something of an earlier fleet ${fleet} is left in the bucket, and its plan is not; remove all that is below ${fleetPrefix}${fleet}/, or plan a fleet of another name`,
  )
}

async function planSlices(
  options: PlanFleetOptions,
  bucket: FleetBucket,
  nonce: string,
): Promise<readonly (readonly [number, number])[]> {
  const { fleet, store, signal } = options
  const slices: [number, number][] = []
  for await (const files of slicesOf(options)) {
    signal?.throwIfAborted()
    const slice = slices.length + 1
    if (slice > mostSlices) throw tooMany(fleet)
    const made = { fleet, slice, store: store.identity, nonce, files }
    const text = encodeSlice(made)
    const results = (['done', 'doing', 'failed'] as const).map((what) =>
      keyIn(fleet, what, slice),
    )
    const found = await bucket.putNew(keyIn(fleet, 'manifest', slice), text, {
      beforePut: () => mustBeFree(bucket, fleet, results),
    })
    if (found !== text) mustBeAsPlanned(decodeSlice(found, made), made)
    slices.push([files.length, bytesOf(files)])
  }
  const end = encodeEnd({ slices })
  const found = await bucket.putNew(keyIn(fleet, 'end'), end, {
    maxBytes: mostEnd,
  })
  return decodeEnd(found, fleet).slices
}

/** Slices of the files, as they come. */
async function* slicesOf({
  files,
  key = ({ path }) => path,
  sliceFiles = mostFiles,
}: PlanFleetOptions): AsyncGenerator<SliceFile[]> {
  let slice: SliceFile[] = []
  let keys = new Set<string>()
  let bytes = 0
  let lines = 0
  for await (const file of files) {
    const { path, size, mtime } = file
    const line = { path, key: file.key ?? key(file), size, mtime }
    mustBeFitForPlan(line)
    const length = mostOfLine(line)
    const isFull =
      slice.length === sliceFiles ||
      bytes + size > mostBytes ||
      lines + length > mostLines
    if (slice.length > 0 && isFull) {
      yield slice
      slice = []
      keys = new Set()
      bytes = 0
      lines = 0
    }
    // Of a whole plan they would not fit into memory.
    if (keys.has(line.key)) {
      refuse(line, 'another file of the same slice has that key')
    }
    keys.add(line.key)
    slice.push(line)
    bytes += size
    lines += length
  }
  if (slice.length > 0) yield slice
}

/** Whatever is planned wrongly would fail in each worker, and much later. */
function mustBeFitForPlan(file: SliceFile): void {
  if (!isFitForPlan(file)) {
    refuse(
      file,
      'expected a path below the root, a key of 1 to 1,024 bytes, a size, and ns in decimal as mtime',
    )
  }
  if (file.key.startsWith(fleetPrefix)) {
    refuse(file, `below ${fleetPrefix} fleets keep their plans`)
  }
}

function refuse({ path, key }: SliceFile, why: string): never {
  const short = (text: unknown): string =>
    JSON.stringify(String(text).slice(0, 200))
  return invalidOption(
    `the file ${short(path)} cannot become the object ${short(key)}: ${why}`,
  )
}

function bytesOf(files: readonly SliceFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

/** What was planned before a kill is what this call would plan. */
function mustBeAsPlanned(
  { nonce, files: there }: Slice,
  { fleet, slice, files, ...made }: Slice,
): void {
  if (nonce !== made.nonce) throw leftOver(fleet)
  const index = files.findIndex(
    ({ path, key }, i) => there[i]?.path !== path || there[i].key !== key,
  )
  if (index < 0 && there.length === files.length) return
  const path = files[index]?.path ?? there.at(-1)?.path
  throw new UploadError(
    'PAWL_SOURCE_CHANGED',
    `slice ${slice} of the fleet ${fleet} was planned with other files (from ${String(path)} on); finish that plan with the files it was begun for, or plan a fleet of another name`,
  )
}

function tooMany(fleet: string): UploadError {
  return new UploadError(
    'PAWL_INVALID_OPTION',
    `the fleet ${fleet} has more than ${mostSlices} slices; plan several fleets`,
  )
}

/** A job for each slice that is not done; what is there already stays as it is. */
async function addJobs({
  queue,
  fleet,
  plan,
  bucket,
  count,
  isAgain,
}: {
  queue: FleetQueue
  fleet: string
  plan: string
  bucket: FleetBucket
  count: number
  isAgain: boolean
}): Promise<number> {
  let added = 0
  for (let from = 1; from <= count; from += askedAtOnce) {
    const numbers = Array.from(
      { length: Math.min(askedAtOnce, count - from + 1) },
      (_, i) => from + i,
    )
    const isLeft = await Promise.all(
      numbers.map(async (slice) => {
        const done = await bucket.find(keyIn(fleet, 'done', slice))
        if (done !== undefined) return false
        return isFree(queue, jobIdOf({ fleet, plan, slice }))
      }),
    )
    const left = numbers.filter((_, i) => isLeft[i])
    if (left.length > 0) {
      const jobs = left.map((slice) => jobOf({ fleet, plan, slice }, isAgain))
      await queue.addBulk(jobs)
    }
    added += left.length
  }
  return added
}

/** Whether a job of that ID can be added; one that is over, and is kept, is not in its way. */
async function isFree(queue: FleetQueue, id: string): Promise<boolean> {
  const job = await queue.getJob(id)
  if (job === undefined) return true
  if (typeof job.finishedOn !== 'number') return false
  if ((await job.getState()) !== 'completed') return false
  await job.remove()
  return true
}

function jobOf(job: JobOfFleet, isAgain: boolean): FleetJob {
  return {
    name: 'slice',
    data: { ...job, ...(isAgain ? { again: true } : {}) },
    opts: {
      jobId: jobIdOf(job),
      // An outage of a store or a volume may take hours: seven, with `backoffOf`.
      attempts: 50,
      backoff: { type: 'pawl' },
      removeOnComplete: { count: 1000 },
      stackTraceLimit: 1,
    },
  }
}

/** ms from a failure to the next run. */
export function backoffOf(attemptsMade: number): number {
  return Math.min(600_000, 1000 * 2 ** Math.min(attemptsMade - 1, 30))
}
