/**
 * A whole upload on a clock that is turned by hand: it waits for nothing else, and
 * arms no timer of the machine.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import {
  memoryCheckpoint,
  StoreError,
  type ObjectStore,
} from '../../lib/index.js'
import {
  LearnedFacts,
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import { MemoryPool } from '../../lib/upload/source/memory-pool.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'
import { handClock, type HandClock } from '../support/hand-clock.js'
import { chunksOf } from '../support/small-upload.js'

const key = 'k'
const part = 1000
const bytes = noise(3 * part + 7)
type Instead = (
  store: () => Promise<{ etag: string }>,
  signal: AbortSignal,
) => Promise<{ etag: string }>

/** Objects and parts in memory, without a clock of its own. */
function storeInMemory(): {
  store: ObjectStore
  objects: Map<string, Buffer>
  /** Happens to the next part, in place of storing it. */
  instead: (happens: Instead) => void
} {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, Map<number, Buffer>>()
  const marks = new Map<string, string | undefined>()
  const marked = new Map<string, string | undefined>()
  let next: Instead | undefined
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
    async createUpload({ mark }) {
      const uploadId = `upload-${uploads.size}`
      uploads.set(uploadId, new Map())
      marks.set(uploadId, mark)
      return { uploadId }
    },
    async uploadPart({ uploadId, partNumber, body }, { signal }) {
      const instead = next
      next = undefined
      const stored = async () => {
        partsOf(uploadId).set(partNumber, await read(body))
        return { etag: `part-${partNumber}` }
      }
      return instead === undefined ? stored() : instead(stored, signal)
    },
    async listParts({ uploadId }) {
      const parts = [...partsOf(uploadId)].map(([partNumber, { length }]) => ({
        partNumber,
        etag: `part-${partNumber}`,
        size: length,
      }))
      return { parts }
    },
    async completeUpload({ uploadId, parts }) {
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
    async headObject(name) {
      const object = objects.get(name)
      if (object === undefined) return undefined
      return { etag: 'object', size: object.length, mark: marked.get(name) }
    },
    close: async () => undefined,
  }
  return { store, objects, instead: (happens) => void (next = happens) }
}

function environmentOn(clock: HandClock): UploadEnvironment {
  let ids = 0
  return {
    ...realUploadEnvironment,
    timer: clock.timer,
    soon: clock.soon,
    monotonic: clock.monotonic,
    now: () => 1_700_000_000_000 + clock.monotonic(),
    // The longest pause there is.
    random: () => 0.999,
    id: () => (++ids).toString(16).padStart(32, '0'),
    facts: new LearnedFacts(),
    pool: new MemoryPool(clock, () => undefined),
    collections: { took: () => false },
  }
}

/** Turns the clock on until the work is done; the machine has its turns between. */
async function turning<T>(clock: HandClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = (): void => void (isDone = true)
  work.then(done, done)
  for (;;) {
    for (let turns = 0; turns < 5; turns++) await turn()
    if (isDone) return work
    clock.advance(10)
  }
}

/** Timers of the machine that modules of the library arm while `work` runs. */
async function armedDuring(work: () => Promise<void>): Promise<string[]> {
  const armed: string[] = []
  const names = ['setTimeout', 'setInterval', 'setImmediate'] as const
  const originals = names.map((name) => globalThis[name])
  const note = (name: string): void => {
    const from = new Error(name).stack?.split('\n') ?? []
    const caller = from.find((line) => /\/lib\//.test(line))
    if (caller !== undefined) armed.push(`${name}${caller}`)
  }
  for (const [at, name] of names.entries()) {
    const original = originals[at]
    const counted = (...given: unknown[]): unknown => {
      note(name)
      return original === undefined
        ? undefined
        : Reflect.apply(original, globalThis, given)
    }
    Reflect.set(globalThis, name, Object.assign(counted, original))
  }
  try {
    await work()
  } finally {
    for (const [at, name] of names.entries()) {
      Reflect.set(globalThis, name, originals[at])
    }
  }
  return armed
}

await t.test('what the library arms is counted', async (t) => {
  const armed = await armedDuring(async () => {
    const { timer, soon } = realUploadEnvironment
    timer(1, () => undefined).cancel()
    soon(() => undefined)
    clearTimeout(setTimeout(() => undefined, 1))
  })
  t.equal(armed.length, 2)
  t.match(armed, [/^setTimeout.*environment/, /^setImmediate.*environment/])
})

/** The server asks for a minute. */
const throttled = (): Promise<never> => {
  const fields = { kind: 'throttled', status: 503, retryAfter: 60_000 } as const
  return Promise.reject(new StoreError('503', fields))
}

type Upload = (options: {
  store: ObjectStore
  signal?: AbortSignal
}) => Promise<unknown>

/** A stream and a file, each with a log that all of its runs have. */
const sources: [
  string,
  (directory: string, environment: UploadEnvironment) => Promise<Upload>,
][] = [
  [
    'a stream',
    async (_directory, environment) => {
      const checkpoint = memoryCheckpoint()
      return async (options) => {
        const upload = new ResumableUploadStream(
          { key, checkpoint, partSize: part, concurrency: 1, ...options },
          environment,
        )
        const sending = pipeline(Readable.from(chunksOf(bytes, 300)), upload)
        await sending.catch(() => undefined)
        return upload.result
      }
    },
  ],
  [
    'a file',
    async (directory, environment) => {
      const path = join(directory, 'source')
      await writeFile(path, bytes)
      const checkpoint = memoryCheckpoint()
      return (options) =>
        uploadFileOn(
          path,
          {
            key,
            checkpoint,
            partSize: part,
            multipartThreshold: 0,
            concurrency: 1,
            ...options,
          },
          environment,
        )
    },
  ],
]

for (const [name, uploadOf] of sources) {
  await t.test(`${name}: every wait is the clock's`, async (t) => {
    const clock = handClock()
    const { store, objects, instead } = storeInMemory()
    const directory = await temporaryDirectory(t)
    const upload = await uploadOf(directory, environmentOn(clock))
    const armed = await armedDuring(async () => {
      const began = clock.monotonic()
      instead(throttled)
      const result = await turning(clock, upload({ store }))
      t.match(result, { size: bytes.length, parts: 4, resumed: false })
      const passed = clock.monotonic() - began
      t.ok(passed >= 60_000, 'it waited as long as it was asked to')
    })
    t.same(armed, [])
    t.ok(bytes.equals(objects.get(key) ?? Buffer.alloc(0)))
  })

  await t.test(`${name}: so is the bound of a suspension`, async (t) => {
    const clock = handClock()
    const { store, objects, instead } = storeInMemory()
    const directory = await temporaryDirectory(t)
    const upload = await uploadOf(directory, environmentOn(clock))
    const armed = await armedDuring(async () => {
      const stop = new AbortController()
      // A store that hears of no signal: only the bound ends it.
      let stopped = 0
      instead(() => {
        stopped = clock.monotonic()
        stop.abort()
        return new Promise(() => undefined)
      })
      const suspended = upload({ store, signal: stop.signal })
      await t.rejects(turning(clock, suspended), {
        code: 'PAWL_SUSPENDED',
        resumable: true,
        transient: true,
      })
      const passed = clock.monotonic() - stopped
      // The clock goes on while the machine closes a file.
      t.ok(passed >= 1000 && passed < 60_000, `${passed} ms`)
      const result = await turning(clock, upload({ store }))
      t.match(result, { size: bytes.length, resumed: true })
    })
    t.same(armed, [])
    t.ok(bytes.equals(objects.get(key) ?? Buffer.alloc(0)))
  })

  await t.test(`${name}: a part that is nearly there may end`, async (t) => {
    const clock = handClock()
    const { store, instead } = storeInMemory()
    const directory = await temporaryDirectory(t)
    const upload = await uploadOf(directory, environmentOn(clock))
    const stop = new AbortController()
    instead(async (stored, signal) => {
      const answer = await stored()
      clock.advance(5000)
      stop.abort()
      await turn()
      t.notOk(signal.aborted, 'its request is not cut off')
      return answer
    })
    await t.rejects(turning(clock, upload({ store, signal: stop.signal })), {
      code: 'PAWL_SUSPENDED',
      resumable: true,
    })
    const result = await turning(clock, upload({ store }))
    t.match(result, { parts: 4, partsReused: 1 })
  })

  await t.test(`${name}: one that takes too long is cut off`, async (t) => {
    const clock = handClock()
    const { store, instead } = storeInMemory()
    const directory = await temporaryDirectory(t)
    const upload = await uploadOf(directory, environmentOn(clock))
    for (const ms of [60_000, 100]) {
      let [waited, patience] = [Infinity, 0]
      const stop = new AbortController()
      instead(async (stored, signal) => {
        const began = clock.monotonic()
        await stored()
        clock.advance(ms)
        const stopped = clock.monotonic()
        patience = Math.min(1200, stopped - began)
        stop.abort()
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            waited = clock.monotonic() - stopped
            reject(signal.reason)
          })
        })
      })
      await t.rejects(turning(clock, upload({ store, signal: stop.signal })), {
        code: 'PAWL_SUSPENDED',
      })
      const late = waited - patience
      t.ok(late >= 0 && late < 100, `${waited} ms, after ${ms}`)
    }
  })
}
