/**
 * A suspension lets go of the log for good, in time, whatever hangs; and what a
 * finished upload's listeners do is not the upload's failure.
 */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  memoryCheckpoint,
  uploadFile,
  type Checkpoint,
  type ObjectStore,
  type Progress,
  type UploadResult,
} from '../../lib/index.js'
import { Deferred } from '../../lib/signals.js'
import { uploadFileOn } from '../../lib/upload/file.js'
import { appendingBy } from '../support/appending-by.js'
import { besideEachOther } from '../support/beside.js'
import { noise } from '../support/dev-store.js'
import { handClock, type HandClock } from '../support/hand-clock.js'
import { environmentOn } from '../support/hand-upload.js'
import { settled, unlessItHangs } from '../support/leftovers.js'
import { wrapStore } from '../support/small-store.js'
import { key, part, smallUploads, until } from '../support/small-upload.js'

const test = besideEachOther(t)

/** ms, from the call that stops an upload until it has let go of everything. */
const promised = 2000

/**
 * What is stopped ends within the time that is promised, by the upload's own clock.
 * Bounds that add up would have it wait for longer; then it never ends.
 */
async function inTime<T>(clock: HandClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = (): void => void (isDone = true)
  work.then(done, done)
  const turnOn = async (): Promise<void> => {
    for (let ms = 0; ; ms += 100) {
      for (let turns = 0; turns < 10; turns++) await turn()
      if (isDone) return
      clock.advance(ms < promised ? 100 : 0)
    }
  }
  await unlessItHangs(turnOn())
  return work
}

/** Small uploads on a clock that stands until it is turned. */
async function onHandClock(t: Test) {
  const dev = await smallUploads(t)
  const clock = handClock()
  const environment = environmentOn(clock)
  return { dev, clock, environment }
}

test('work that outlives a suspension writes nothing', async (t) => {
  const { dev, clock, environment } = await onHandClock(t)
  const memory = memoryCheckpoint()
  let appends = 0
  const checkpoint = appendingBy(memory, (bytes) => {
    appends++
    return memory.append(bytes)
  })
  const late = new Deferred<void>()
  const stored = new Deferred<void>()
  let isHeld = false
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      const answer = await run()
      if (call !== 'uploadPart' || isHeld) return answer
      isHeld = true
      stored.resolve()
      // It hears of no signal.
      await late.promise
      return answer
    },
  })
  const bytes = noise(5 * part + 1)
  const options = { store, checkpoint, concurrency: 1 }
  const upload = dev.upload(options, environment)
  upload.on('error', () => undefined)
  upload.write(bytes)
  await stored.promise
  upload.destroy()
  await inTime(clock, settled(upload))
  // The next run holds it.
  await checkpoint.open()
  const before = appends
  late.resolve()
  let turns = 0
  await until(() => ++turns > 20)
  t.equal(appends, before, 'nothing is appended')
  await checkpoint.close()
  const result = await dev.run(bytes, { checkpoint })
  t.ok(bytes.equals(await dev.object(key)))
  t.equal(result.resumed, true)
})

test('a Complete that outlives one leaves the log alone', async (t) => {
  const { dev, clock, environment } = await onHandClock(t)
  const checkpoint = memoryCheckpoint()
  const late = new Deferred<void>()
  const completed = new Deferred<void>()
  const store = wrapStore(dev.small, {
    around: async (call, run) => {
      const answer = await run()
      if (call !== 'completeUpload') return answer
      completed.resolve()
      await late.promise
      return answer
    },
  })
  const bytes = noise(2 * part)
  const upload = dev.upload({ store, checkpoint }, environment)
  upload.on('error', () => undefined)
  upload.end(bytes)
  await completed.promise
  upload.destroy()
  await inTime(clock, settled(upload))
  await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
  await checkpoint.open()
  late.resolve()
  let turns = 0
  await until(() => ++turns > 20)
  await t.rejects(checkpoint.open(), { code: 'PAWL_CHECKPOINT_LOCKED' })
  await checkpoint.close()
  t.match(await dev.run(bytes, { checkpoint }), { partsReused: 2 })
  t.equal(dev.seen('CompleteMultipartUpload').length, 1)
})

test('a log whose removal hangs is left in time, and the object is said to be complete', async (t) => {
  const { dev, clock, environment } = await onHandClock(t)
  const memory = memoryCheckpoint()
  const hung = new Deferred<void>()
  const checkpoint: Checkpoint = {
    ...appendingBy(memory, (bytes) => memory.append(bytes)),
    remove: () => {
      hung.resolve()
      return new Promise<never>(() => undefined)
    },
  }
  const bytes = noise(2 * part)
  const upload = dev.upload({ checkpoint }, environment)
  upload.on('error', () => undefined)
  upload.end(bytes)
  await hung.promise
  upload.destroy()
  await inTime(clock, settled(upload))
  await t.rejects(upload.result, {
    code: 'PAWL_SUSPENDED',
    message: /its object was complete and its log was about to be removed/,
    stack: /its object was complete/,
    completed: true,
    resumable: false,
    transient: true,
  })
  t.ok(bytes.equals(await dev.object(key)))
  t.match(await dev.run(bytes, { checkpoint: memory }), { partsReused: 2 })
  t.equal(dev.seen('CompleteMultipartUpload').length, 1, 'it was found')
})

for (const hanging of ['append', 'append and close'] as const) {
  test(`a log whose ${hanging} hangs is left in time`, async (t) => {
    const { dev, clock, environment } = await onHandClock(t)
    const memory = memoryCheckpoint()
    const never = new Promise<never>(() => undefined)
    let isHung = false
    let isClosed = false
    const checkpoint = appendingBy(
      memory,
      (bytes) => {
        // Before it, the header, the intent and the upload.
        isHung = dev.seen('UploadPart').length > 0
        return isHung ? never : memory.append(bytes)
      },
      () => {
        isClosed = true
        return hanging === 'append' ? memory.close() : never
      },
    )
    const upload = dev.upload({ checkpoint }, environment)
    upload.on('error', () => undefined)
    upload.end(noise(3 * part))
    await until(() => isHung)
    upload.destroy()
    await inTime(clock, settled(upload))
    t.ok(isClosed, 'it was closed')
    await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
  })
}

for (const hanging of ['open', 'append'] as const) {
  for (const how of [
    'destroy',
    'signal',
    'discard',
    'a file’s signal',
  ] as const) {
    test(`a log whose first ${hanging} hangs is left in time by ${how}`, async (t) => {
      const { dev, clock, environment } = await onHandClock(t)
      const memory = memoryCheckpoint()
      const never = new Promise<never>(() => undefined)
      const hung = new Deferred<void>()
      const hang = (): Promise<never> => {
        hung.resolve()
        return never
      }
      const checkpoint: Checkpoint = {
        ...appendingBy(memory, hang),
        open: () => (hanging === 'open' ? hang() : memory.open()),
      }
      const stop = new AbortController()
      const bytes = noise(3 * part)
      if (how === 'a file’s signal') {
        const path = join(dev.directory, 'source')
        await writeFile(path, bytes)
        const { small: store } = dev
        const { signal } = stop
        const options = { store, key, partSize: part, checkpoint, signal }
        const upload = uploadFileOn(path, options, environment)
        const ended = t.rejects(upload, { code: 'PAWL_SUSPENDED' })
        await hung.promise
        stop.abort()
        await inTime(clock, ended)
        return
      }
      const { signal } = stop
      const upload = dev.upload({ checkpoint, signal }, environment)
      upload.on('error', () => undefined)
      upload.end(bytes)
      await hung.promise
      if (how === 'destroy') upload.destroy()
      if (how === 'signal') stop.abort()
      if (how === 'discard') {
        const discarding = upload.discard()
        // Was there anything to discard? A log that does not open says nothing.
        if (hanging === 'append') await inTime(clock, discarding)
        else {
          const stuck = { code: 'PAWL_CHECKPOINT_IO' }
          await inTime(clock, t.rejects(discarding, stuck))
        }
      }
      await inTime(clock, settled(upload))
      const code = how === 'discard' ? 'PAWL_DISCARDED' : 'PAWL_SUSPENDED'
      await t.rejects(upload.result, { code, resumable: false })
      t.same(dev.server.requests, [])
    })
  }
}

test("a listener's error comes too late to fail an object", async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  const bytes = noise(2 * part)
  await writeFile(path, bytes)
  type Listener = (progress: Progress) => void
  const runs: Record<
    string,
    (store: ObjectStore, listener: Listener) => Promise<UploadResult>
  > = {
    stream: (store, listener) => {
      const upload = dev.upload({ store })
      upload.on('progress', listener)
      upload.end(bytes)
      return upload.result
    },
    uploadFile: (store, listener) =>
      uploadFile(path, {
        store,
        key,
        partSize: part,
        checkpoint: dev.log,
        onProgress: listener,
      }),
  }
  for (const [name, run] of Object.entries(runs)) {
    const thrown = new Deferred<unknown>()
    const note = (error: unknown): void => thrown.resolve(error)
    const stored = new Deferred<void>()
    let isComplete = false
    const store = wrapStore(dev.small, {
      around: async (call, run) => {
        if (call !== 'completeUpload') return run()
        // All is counted and told: what follows is the last word, at the end.
        await stored.promise
        const answer = await run()
        isComplete = true
        return answer
      },
    })
    process.on('uncaughtException', note)
    try {
      const result = await run(store, ({ bytesStored }) => {
        if (isComplete) throw new Error('the bar is gone')
        if (bytesStored === bytes.length) stored.resolve()
      })
      t.match(result, { size: bytes.length, checkpointLeft: false }, name)
      t.match(await thrown.promise, { message: 'the bar is gone' })
      t.notOk(dev.logExists())
    } finally {
      process.off('uncaughtException', note)
      await rm(dev.log, { force: true })
    }
  }
})
