/**
 * Digests of finished parts, computed beside their requests.
 *
 * One worker a process, started at the first digest that pays, does the work
 * over shared memory, so that nothing is copied and the event loop stays free.
 * While it starts, on a single core, for small parts and for memory that cannot
 * be shared, the work is done here, in slices. So it is where no worker starts:
 * in a bundle without its file, under the permission model, at a limit of threads.
 * One that fails is never used again; its open jobs are done here, or said to be
 * lost where the bytes are no longer at hand. It is referenced only while jobs are
 * open, so it never keeps a process alive, and ended when there is nothing to do
 * for long.
 */
import { createHash, hash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { isSharedArrayBuffer } from '../realm.js'
import { Crc64Hashers, type Crc64Variant, type RunningDigest } from './crc64.js'

/** CRC-64s come as unsigned decimals, `md5` as base64, `sha256` as hex. */
export type DigestKind = Crc64Variant | 'md5' | 'sha256'

/** Bytes in shared memory. */
export interface SharedPiece {
  memory: SharedArrayBuffer
  offset: number
  size: number
}

/** More bytes of one digest. */
export interface DigestJob {
  id: number
  /** Another number for each digest. */
  of: number
  kind: DigestKind
  pieces: SharedPiece[]
  /** These bytes are the last of their digest. */
  isLast: boolean
}

export interface DigestReply {
  id: number
  /** After the last bytes. */
  value: string | undefined
}

/** A digest over bytes that come one after the other, beside other work. */
export interface DigestBeside {
  /** Resolves when the bytes are not looked at any more; never rejects. */
  update(data: Uint8Array): Promise<void>
  /**
   * Undefined when it was lost with the worker: all bytes are needed once more.
   * Called once, also by who has no use for it any more. Never rejects.
   */
  digest(): Promise<string | undefined>
}

/** Below this a message to the worker costs more than it saves. */
const smallestForWorker = 256 * 1024
/** From this size on the bytes of a digest wait for a worker that is starting. */
const worthWaiting = 16 * 1024 * 1024
/** How much is hashed before other work gets its turn. */
const slice = 1024 * 1024

const encodings = { md5: 'base64', sha256: 'hex' } as const

function isCrc64(kind: DigestKind): kind is Crc64Variant {
  return kind === 'crc64ecma' || kind === 'crc64nvme'
}

/** What can be hashed at once; undefined where there is more of it. */
function onlySlice(pieces: readonly Uint8Array[]): Uint8Array | undefined {
  const [first] = pieces
  const isOne = pieces.length === 1 && first !== undefined
  return isOne && first.length <= slice ? first : undefined
}

/** Other work gets its turn in between. */
async function updateInSlices(
  hasher: RunningDigest,
  pieces: readonly Uint8Array[],
): Promise<void> {
  let isBegun = false
  for (const data of pieces) {
    for (let start = 0; start < data.byteLength; start += slice) {
      if (isBegun) await nextTurn()
      isBegun = true
      hasher.update(data.subarray(start, start + slice))
    }
  }
}

/** Works digests out; its worker and its idle hashers live as long as it does. */
export class Digests {
  readonly #hashers = new Crc64Hashers()
  readonly #canThread: boolean
  readonly #start: () => Worker
  #worker: DigestWorker | 'failed' | undefined

  /** `canThread`: whether a worker may be started where that pays. */
  constructor({
    canThread = availableParallelism() > 1,
    start = startWorker,
  } = {}) {
    this.#canThread = canThread
    this.#start = start
  }

  /** The digest of some bytes, in order. They must not change until it is there. */
  digest(kind: DigestKind, ...pieces: Uint8Array[]): Promise<string> {
    const shared = sharedPieces(pieces)
    const worker = pays(shared) ? this.#readyWorker() : undefined
    return worker === undefined || shared === undefined
      ? this.here(kind, ...pieces)
      : worker.run(kind, shared, () => this.here(kind, ...pieces))
  }

  /**
   * A digest over about `size` bytes of shared memory that come one after the
   * other: in the worker where that pays.
   */
  async beside(kind: DigestKind, size: number): Promise<DigestBeside> {
    const worker =
      size >= worthWaiting
        ? this.#startedWorker()
        : size >= smallestForWorker
          ? this.#readyWorker()
          : undefined
    if (worker !== undefined) return worker.begin(kind)
    const running = await this.create(kind)
    return {
      update: async (data) => running.update(data),
      digest: async () => running.digest(),
    }
  }

  /** Makes the worker start now, so that it is ready when the first part is. */
  warmUp(): void {
    this.#startedWorker()
  }

  /**
   * Ends the worker unless it is at work; the next digest that pays starts one. It
   * holds memory that it has hashed until its engine looks for it, which counts
   * none that is shared.
   */
  rest(): void {
    if (this.#worker === undefined || this.#worker === 'failed') return
    if (this.#worker.isBusy) return
    this.#worker.end()
    this.#worker = undefined
  }

  /** The same digest on this thread. */
  async here(kind: DigestKind, ...pieces: Uint8Array[]): Promise<string> {
    const only = onlySlice(pieces)
    if (only !== undefined && !isCrc64(kind)) {
      return hash(kind, only, encodings[kind])
    }
    const hasher = await this.create(kind)
    if (only === undefined) await updateInSlices(hasher, pieces)
    else hasher.update(only)
    return hasher.digest()
  }

  /** A digest over bytes that come one after the other. */
  async create(kind: DigestKind): Promise<RunningDigest> {
    if (isCrc64(kind)) return this.#hashers.create(kind)
    const running = createHash(kind)
    return {
      update: (data) => void running.update(data),
      digest: () => running.digest(encodings[kind]),
    }
  }

  /** The worker when it is ready; starts it when there is none yet. */
  #readyWorker(): DigestWorker | undefined {
    const worker = this.#startedWorker()
    return worker?.isReady === true ? worker : undefined
  }

  /** The worker, which may still be starting. */
  #startedWorker(): DigestWorker | undefined {
    if (!this.#canThread || this.#worker === 'failed') return undefined
    this.#worker ??= this.#newWorker()
    return this.#worker === 'failed' ? undefined : this.#worker
  }

  #newWorker(): DigestWorker | 'failed' {
    let worker: Worker
    try {
      worker = this.#start()
    } catch {
      // A host that lets no worker start: the work is done here.
      return 'failed'
    }
    return new DigestWorker(worker, () => {
      this.#worker = 'failed'
    })
  }
}

/** Undefined when some of the memory is not shared. */
function sharedPieces(
  pieces: readonly Uint8Array[],
): SharedPiece[] | undefined {
  const shared: SharedPiece[] = []
  for (const { buffer: memory, byteOffset: offset, byteLength } of pieces) {
    if (!isSharedArrayBuffer(memory)) return undefined
    shared.push({ memory, offset, size: byteLength })
  }
  return shared
}

function pays(pieces: readonly SharedPiece[] = []): boolean {
  return pieces.reduce((sum, { size }) => sum + size, 0) >= smallestForWorker
}

/** Throws where there can be none. */
function startWorker(): Worker {
  const here: string | undefined = import.meta.url
  // A bundle of CommonJS does not know where it is, nor has it the file.
  if (here === undefined) throw new Error('no place to find the worker at')
  // A source needs the loader that the process was started with.
  if (here.endsWith('.ts')) {
    return new Worker(new URL('./digest-worker.ts', here))
  }
  // Nothing else that it was started with, nor `NODE_OPTIONS`, is for this worker.
  return new Worker(new URL('../hash/digest-worker.js', here), {
    execArgv: [],
    env: {},
  })
}

interface Job {
  settle: (value: string | undefined) => void
  /** The worker has failed. */
  lose: () => void
}

class DigestWorker {
  readonly #jobs = new Map<number, Job>()
  readonly #worker: Worker
  #lastId = 0
  readonly #onFailed: () => void
  #hasEnded = false
  /** Digests whose last bytes are still to come. */
  #begun = 0
  isReady = false

  /** `onFailed`: it is not to be used again. */
  constructor(worker: Worker, onFailed: () => void) {
    this.#onFailed = onFailed
    this.#worker = worker
    this.#worker.unref()
    this.#worker.on('message', (reply: DigestReply | 'ready') => {
      if (reply === 'ready') {
        this.isReady = true
        // A worker that starts refers to itself again once it runs.
        if (this.#jobs.size === 0) this.#worker.unref()
      } else this.#settle(reply)
    })
    // Node tells of an error before the exit that it leads to.
    this.#worker.once('error', () => this.#giveUp())
    this.#worker.once('exit', () => this.#giveUp())
  }

  get isBusy(): boolean {
    return this.#jobs.size > 0 || this.#begun > 0
  }

  /** The worker ends, and is not to be used again. */
  end(): void {
    this.#hasEnded = true
    void this.#worker.terminate()
  }

  /** `instead` is done when the worker fails. */
  run(
    kind: DigestKind,
    pieces: SharedPiece[],
    instead: () => Promise<string>,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      const lose = (): void => void instead().then(resolve, reject)
      this.#post(
        { id, of: id, kind, pieces, isLast: true },
        {
          settle: (value) => (value === undefined ? lose() : resolve(value)),
          lose,
        },
      )
    })
  }

  begin(kind: DigestKind): DigestBeside {
    const of = ++this.#lastId
    this.#begun++
    const more = (
      pieces: SharedPiece[],
      isLast: boolean,
    ): Promise<string | undefined> =>
      new Promise((resolve) => {
        const id = ++this.#lastId
        this.#post(
          { id, of, kind, pieces, isLast },
          { settle: resolve, lose: () => resolve(undefined) },
        )
      })
    return {
      async update(data) {
        const pieces = sharedPieces([data])
        if (pieces === undefined) {
          throw new TypeError('a digest worker needs shared memory')
        }
        await more(pieces, false)
      },
      digest: () => {
        this.#begun--
        return more([], true)
      },
    }
  }

  #post(message: DigestJob, job: Job): void {
    if (this.#hasEnded) return job.lose()
    this.#jobs.set(message.id, job)
    if (this.#jobs.size === 1) this.#worker.ref()
    this.#worker.postMessage(message)
  }

  #settle({ id, value }: DigestReply): void {
    const job = this.#jobs.get(id)
    this.#jobs.delete(id)
    if (this.#jobs.size === 0) this.#worker.unref()
    job?.settle(value)
  }

  #giveUp(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#onFailed()
    const open = [...this.#jobs.values()]
    this.#jobs.clear()
    for (const job of open) job.lose()
  }
}

/** One for the process, so that there is one worker. */
export const processDigests = new Digests()
