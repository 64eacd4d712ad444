/**
 * Digests of finished parts, computed beside their requests.
 *
 * One worker a process, started at the first digest that pays, does the work
 * over shared memory, so that nothing is copied and the event loop stays free.
 * While it starts, on a single core, for small parts and for memory that cannot
 * be shared, the work is done here, in slices. So it is where no worker starts:
 * in a bundle without its file, under the permission model, at a limit of threads.
 * One that fails is never used again; its open jobs are done here. It is
 * referenced only while jobs are open, so it never keeps a process alive.
 */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { isSharedArrayBuffer } from '../realm.js'
import { Crc64Hashers, type Crc64Variant, type RunningDigest } from './crc64.js'

/** CRC-64s come as unsigned decimals, `md5` as base64, `sha256` as hex. */
export type DigestKind = Crc64Variant | 'md5' | 'sha256'

export interface DigestJob {
  id: number
  kind: DigestKind
  memory: SharedArrayBuffer
  offset: number
  size: number
}

export interface DigestReply {
  id: number
  value: string
}

/** Below this a message to the worker costs more than it saves. */
const smallestForWorker = 256 * 1024
/** How much is hashed before other work gets its turn. */
const slice = 1024 * 1024

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

  /** The digest of some bytes. They must not change until it is there. */
  digest(kind: DigestKind, data: Uint8Array): Promise<string> {
    const worker = pays(data) ? this.#startedWorker() : undefined
    return worker === undefined ? this.here(kind, data) : worker.run(kind, data)
  }

  /** Makes the worker start now, so that it is ready when the first part is. */
  warmUp(): void {
    this.#startedWorker()
  }

  /** The same digest on this thread. */
  async here(kind: DigestKind, data: Uint8Array): Promise<string> {
    const hasher = await this.create(kind)
    for (let start = 0; start < data.byteLength; start += slice) {
      if (start > 0) await nextTurn()
      hasher.update(data.subarray(start, start + slice))
    }
    return hasher.digest()
  }

  /** A digest over bytes that come one after the other. */
  async create(kind: DigestKind): Promise<RunningDigest> {
    if (kind === 'crc64ecma' || kind === 'crc64nvme') {
      return this.#hashers.create(kind)
    }
    const hash = createHash(kind)
    return {
      update: (data) => void hash.update(data),
      digest: () => hash.digest(kind === 'md5' ? 'base64' : 'hex'),
    }
  }

  /** The worker when it is ready; starts it when there is none yet. */
  #startedWorker(): DigestWorker | undefined {
    if (!this.#canThread || this.#worker === 'failed') return undefined
    this.#worker ??= this.#newWorker()
    return this.#worker !== 'failed' && this.#worker.isReady
      ? this.#worker
      : undefined
  }

  #newWorker(): DigestWorker | 'failed' {
    let worker: Worker
    try {
      worker = this.#start()
    } catch {
      // A host that lets no worker start: the work is done here.
      return 'failed'
    }
    return new DigestWorker(worker, (open) => {
      this.#worker = 'failed'
      for (const { kind, data, resolve, reject } of open) {
        this.here(kind, data).then(resolve, reject)
      }
    })
  }
}

function pays(data: Uint8Array): boolean {
  return (
    data.byteLength >= smallestForWorker && isSharedArrayBuffer(data.buffer)
  )
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
  return new Worker(new URL('./digest-worker.js', here), {
    execArgv: [],
    env: {},
  })
}

interface Job extends Omit<DigestJob, 'memory'> {
  data: Uint8Array
  resolve: (value: string) => void
  reject: (error: unknown) => void
}

class DigestWorker {
  readonly #jobs = new Map<number, Job>()
  readonly #worker: Worker
  #lastId = 0
  readonly #onFailed: (open: readonly Job[]) => void
  isReady = false

  /** `onFailed` gets the jobs that it has left open; it is not to be used again. */
  constructor(worker: Worker, onFailed: (open: readonly Job[]) => void) {
    this.#onFailed = onFailed
    this.#worker = worker
    this.#worker.unref()
    this.#worker.on('message', (reply: DigestReply | 'ready') => {
      if (reply === 'ready') {
        this.isReady = true
        // A worker that starts refers to itself again once it runs.
        this.#worker.unref()
      } else this.#settle(reply)
    })
    // Node tells of an error before the exit that it leads to.
    this.#worker.once('error', () => this.#giveUp())
    this.#worker.once('exit', () => this.#giveUp())
  }

  run(kind: DigestKind, data: Uint8Array): Promise<string> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      const { buffer, byteOffset: offset, byteLength: size } = data
      if (!isSharedArrayBuffer(buffer)) {
        throw new TypeError('a digest worker needs shared memory')
      }
      this.#jobs.set(id, { id, kind, data, offset, size, resolve, reject })
      if (this.#jobs.size === 1) this.#worker.ref()
      const job: DigestJob = { id, kind, memory: buffer, offset, size }
      this.#worker.postMessage(job)
    })
  }

  #settle({ id, value }: DigestReply): void {
    const job = this.#jobs.get(id)
    this.#jobs.delete(id)
    if (this.#jobs.size === 0) this.#worker.unref()
    job?.resolve(value)
  }

  #giveUp(): void {
    const open = [...this.#jobs.values()]
    this.#jobs.clear()
    this.#onFailed(open)
  }
}

/** There is one process, and so one worker. */
export const processDigests = new Digests()
