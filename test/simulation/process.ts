/**
 * One process on one machine, and the outside that it hands its uploads: its
 * timers stop with it, and what it has open is let go of.
 */
import type { Environment } from '../../lib/environment.js'
import { StoreLines } from '../../lib/store/store-line.js'
import { MemoryPool } from '../../lib/upload/source/memory-pool.js'
import {
  LearnedFacts,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { usualSizes } from '../../lib/upload/options/part-sizes.js'
import type { DiskModel } from './disk/model.js'
import { digests } from './digests.js'
import type { Random } from './random.js'
import type { SourceDisk } from './source-disk.js'
import { epoch, type Owner, type Pending, type World } from './world.js'

/** What a place for logs has, as processes see it. */
export interface Logs {
  read(path: string): Buffer | undefined
}

/** A computer: a disk for logs, one for sources, and a clock. */
export interface Machine {
  readonly name: string
  readonly disk: DiskModel
  /** Where its runs have their log: its disk, or an engine for all machines. */
  readonly logs: Logs
  readonly sources: SourceDisk
}

/** Whose memory it is shows in no schedule, and the engine does not count it. */
const pool = new MemoryPool(
  { timer: () => ({ cancel: () => undefined }), monotonic: () => 0 },
  () => undefined,
)

export class Process implements Owner {
  readonly name: string
  /** What moments and decisions of its run are named by. */
  label: string
  readonly machine: Machine
  readonly environment: UploadEnvironment
  pausedUntil = 0
  #isAlive = true
  /** Requests that are on their way to a store. */
  #onTheWay: Pending[] = []

  constructor(
    name: string,
    machine: Machine,
    { world, random }: { world: World; random: Random },
  ) {
    this.name = name
    this.label = name
    this.machine = machine
    const clock: Pick<Environment, 'monotonic' | 'timer' | 'idle'> = {
      monotonic: () => world.now,
      // What it does takes none of its time.
      idle: () => world.now,
      timer: (ms, ring) => {
        const pending = world.in(ms, this, ring)
        return { cancel: () => void (pending.isCancelled = true) }
      },
    }
    this.environment = {
      ...clock,
      now: () => epoch + Math.floor(world.now),
      soon: (work) =>
        void world.in(0, this, () => {
          try {
            work()
          } catch (error) {
            world.tell(name, `throws to nobody: ${String(error)}`)
          }
        }),
      random: () => random.next(),
      id: () => random.hex(32),
      digests: {
        ...digests,
        create: (kind) => {
          world.mustNotSpin(name)
          return digests.create(kind)
        },
      },
      sourceFiles: machine.sources.filesFor(this),
      logFiles: machine.disk.filesFor(this),
      locker: async () => machine.disk.lockerFor(this),
      facts: new LearnedFacts(),
      lines: new StoreLines(clock),
      pool,
      usualSizes,
      longestTold: Number.POSITIVE_INFINITY,
      collections: { took: () => false, retain: () => false },
    }
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  sent(request: Pending): void {
    this.#onTheWay.push(request)
  }

  /** `inFlight` hears of each request that has not arrived yet. */
  kill(inFlight: (request: Pending) => void, now: number): void {
    this.#isAlive = false
    this.machine.disk.letGoOf(this)
    for (const request of this.#onTheWay) {
      if (request.due > now && !request.isCancelled) inFlight(request)
    }
  }
}
