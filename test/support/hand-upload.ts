/** A whole upload without a machine: a store in memory, on a clock turned by hand. */
import { setImmediate as turn } from 'node:timers/promises'
import { StoreError, type ObjectStore } from '../../lib/index.js'
import { StoreLines } from '../../lib/store/store-line.js'
import {
  LearnedFacts,
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { MemoryPool } from '../../lib/upload/source/memory-pool.js'
import type { HandClock } from './hand-clock.js'

export const key = 'k'

/** One request as it arrives. */
export interface Asked {
  call:
    | 'createUpload'
    | 'uploadPart'
    | 'listParts'
    | 'completeUpload'
    | 'headObject'
  partNumber?: number
  signal: AbortSignal
}

type Instead = (
  store: () => Promise<{ etag: string }>,
  signal: AbortSignal,
) => Promise<{ etag: string }>

export interface StoreInMemory {
  store: ObjectStore
  objects: Map<string, Buffer>
  /** Waited for by every request that takes effect then, and may fail it. */
  before: (asked: Asked) => Promise<void> | void
  /** Happens to the next part, in place of storing it. */
  instead: (happens: Instead) => void
}

/** Objects and parts in memory, without a clock of its own. */
export function storeInMemory(): StoreInMemory {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, Map<number, Buffer>>()
  const marks = new Map<string, string | undefined>()
  const marked = new Map<string, string | undefined>()
  let next: Instead | undefined
  let begun = 0
  const read = async (body: () => AsyncIterable<Uint8Array>) => {
    const views: Uint8Array[] = []
    // Views are of memory that is used again.
    for await (const view of body()) views.push(Uint8Array.from(view))
    return Buffer.concat(views)
  }
  const partsOf = (uploadId: string): Map<number, Buffer> => {
    const parts = uploads.get(uploadId)
    if (parts !== undefined) return parts
    throw new StoreError('NoSuchUpload', { kind: 'no-upload', status: 404 })
  }
  const store: ObjectStore = {
    identity: 'memory',
    bucket: 'b',
    digest: 'none',
    limits: {
      minPartSize: 1,
      maxPartSize: 1e9,
      maxParts: 10_000,
      maxPutSize: 1e9,
      maxKeyBytes: 1023,
    },
    fixedHeaders: () => ({}),
    async createUpload({ mark }, { signal }) {
      await memory.before({ call: 'createUpload', signal })
      const uploadId = `upload-${begun++}`
      uploads.set(uploadId, new Map())
      marks.set(uploadId, mark)
      return { uploadId }
    },
    async uploadPart({ uploadId, partNumber, body }, { signal }) {
      await memory.before({ call: 'uploadPart', partNumber, signal })
      const instead = next
      next = undefined
      const stored = async () => {
        partsOf(uploadId).set(partNumber, await read(body))
        return { etag: `part-${partNumber}` }
      }
      return instead === undefined ? stored() : instead(stored, signal)
    },
    async listParts({ uploadId }, { signal }) {
      await memory.before({ call: 'listParts', signal })
      const parts = [...partsOf(uploadId)].map(([partNumber, { length }]) => ({
        partNumber,
        etag: `part-${partNumber}`,
        size: length,
      }))
      return { parts }
    },
    async completeUpload({ uploadId, parts }, { signal }) {
      await memory.before({ call: 'completeUpload', signal })
      const stored = partsOf(uploadId)
      const pieces = parts.map(({ partNumber }) => stored.get(partNumber))
      uploads.delete(uploadId)
      objects.set(
        key,
        Buffer.concat(pieces.filter((piece) => piece !== undefined)),
      )
      marked.set(key, marks.get(uploadId))
      return { etag: 'object' }
    },
    async abortUpload({ uploadId }) {
      uploads.delete(uploadId)
    },
    listUploads: async () => ({ uploads: [] }),
    async putObject({ body, mark }) {
      objects.set(key, await read(body))
      marked.set(key, mark)
      return { etag: 'object' }
    },
    async headObject(name, { signal }) {
      await memory.before({ call: 'headObject', signal })
      const object = objects.get(name)
      if (object === undefined) return undefined
      return { etag: 'object', size: object.length, mark: marked.get(name) }
    },
    close: async () => undefined,
  }
  const memory: StoreInMemory = {
    store,
    objects,
    before: () => undefined,
    instead: (happens) => void (next = happens),
  }
  return memory
}

export function environmentOn(
  clock: HandClock,
  // The longest pause there is.
  random: () => number = () => 0.999,
): UploadEnvironment {
  let ids = 0
  return {
    ...realUploadEnvironment,
    timer: clock.timer,
    soon: clock.soon,
    monotonic: clock.monotonic,
    idle: clock.idle,
    now: () => 1_700_000_000_000 + clock.monotonic(),
    random,
    id: () => (++ids).toString(16).padStart(32, '0'),
    facts: new LearnedFacts(),
    lines: new StoreLines(clock),
    pool: new MemoryPool(clock, () => undefined),
    collections: { took: () => false, retain: () => false },
  }
}

/** Turns the clock on until the work is done; the machine has its turns between. */
export async function turning<T>(
  clock: HandClock,
  work: Promise<T>,
  step = 10,
): Promise<T> {
  let isDone = false
  const done = (): void => void (isDone = true)
  work.then(done, done)
  for (;;) {
    for (let turns = 0; turns < 5; turns++) await turn()
    if (isDone) return work
    clock.advance(step)
  }
}
