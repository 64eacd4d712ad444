/**
 * A whole upload on a clock that is turned by hand: it waits for nothing else, and
 * arms no timer of the machine.
 */
import { writeFile } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  memoryCheckpoint,
  StoreError,
  type ObjectStore,
} from '../../lib/index.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'
import { handClock } from '../support/hand-clock.js'
import {
  environmentOn,
  key,
  storeInMemory,
  turning,
} from '../support/hand-upload.js'
import { chunksOf } from '../support/small-upload.js'

const part = 1000
const bytes = noise(3 * part + 7)

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
