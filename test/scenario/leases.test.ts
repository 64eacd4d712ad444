/**
 * Logs that other machines can take: what a run does that may have lost its own,
 * and what the one that took it makes sure of.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  StoreError,
  uploadFile,
  type Checkpoint,
  type ObjectStore,
  type UploadResult,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { crc64 } from '../simulation/digests.js'
import { besideEachOther } from '../support/beside.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'
import { handClock, type HandClock } from '../support/hand-clock.js'
import {
  environmentOn,
  key,
  storeInMemory,
  type StoreInMemory,
  turning,
} from '../support/hand-upload.js'
import {
  leasedLog,
  typesIn,
  type LeasedHold,
  type LeasedLog,
} from '../support/leased-log.js'
import { chunksOf, part, smallUploads } from '../support/small-upload.js'

const test = besideEachOther(t)
const bytes = noise(3 * part)
const other = noise(3 * part, 2)

interface Machine {
  clock: HandClock
  run(
    checkpoint: Checkpoint,
    source?: Buffer,
    options?: Partial<UploadStreamOptions>,
  ): Promise<UploadResult>
}

/** Runs whole uploads to a store, on a clock of its own. */
function machine(store: ObjectStore): Machine {
  const clock = handClock()
  return {
    clock,
    async run(checkpoint, source = bytes, options = {}) {
      const upload = new ResumableUploadStream(
        {
          store,
          key,
          checkpoint,
          partSize: part,
          concurrency: 1,
          retry: { attempts: 2, baseDelay: 1, maxDelay: 1 },
          ...options,
        },
        environmentOn(clock),
      )
      const sent = pipeline(Readable.from(chunksOf(source)), upload)
      sent.catch(() => undefined)
      return turning(clock, upload.result)
    },
  }
}

/** The store without Complete: its calls of it get no answer and do nothing. */
function failing(store: ObjectStore): ObjectStore {
  return {
    ...store,
    completeUpload: async () => {
      throw new StoreError('Denied.', { kind: 'denied', status: 403 })
    },
  }
}

test('a run whose log was taken stops sending at once', async (t) => {
  const memory = storeInMemory()
  const log = leasedLog()
  const held = log.take()
  memory.before = ({ call, partNumber }) => {
    if (call === 'uploadPart' && partNumber === 2) held.lose()
  }
  const parts: number[] = []
  const store: ObjectStore = {
    ...memory.store,
    uploadPart: (request, call) => {
      parts.push(request.partNumber)
      return memory.store.uploadPart(request, call)
    },
  }
  await t.rejects(machine(store).run(held), {
    code: 'PAWL_CHECKPOINT_LOST',
    resumable: true,
    transient: true,
  })
  t.same(parts, [1, 2])
  memory.before = () => undefined
  const result = await machine(memory.store).run(log.take())
  t.equal(result.size, bytes.length)
  t.ok(bytes.equals(memory.objects.get(key) ?? Buffer.of()))
})

test('a run that slept sends no Complete once its log was taken', async (t) => {
  const memory = storeInMemory()
  const log = leasedLog()
  const slow = log.take()
  let completes = 0
  const store: ObjectStore = {
    ...memory.store,
    completeUpload: (request, call) => {
      completes++
      return memory.store.completeUpload(request, call)
    },
  }
  // Between `completing` and the request it sleeps, and another takes the log.
  const sleeper: Checkpoint = {
    ...slow,
    confirm: async () => {
      slow.lose = () => undefined
      await log.take().open()
      await slow.confirm?.()
    },
  }
  await t.rejects(machine(store).run(sleeper), { code: 'PAWL_CHECKPOINT_LOST' })
  t.equal(completes, 0)
  t.match(typesIn(log.appends.join('')), [/log/, /intent/])
})

/** The store with the CRC-64 of what it has, as OSS tells it. */
function summed({ store, objects }: StoreInMemory): ObjectStore {
  const sum = (bytes: Uint8Array): string => crc64('crc64ecma', bytes)
  return {
    ...store,
    digest: 'crc64ecma',
    async uploadPart(request, call) {
      const views: Uint8Array[] = []
      async function* body() {
        for await (const view of request.body()) {
          views.push(Uint8Array.from(view))
          yield view
        }
      }
      const receipt = await store.uploadPart({ ...request, body }, call)
      return { ...receipt, crc64: sum(Buffer.concat(views)) }
    },
    async headObject(name, call) {
      const head = await store.headObject(name, call)
      return head && { ...head, crc64: sum(objects.get(name) ?? Buffer.of()) }
    },
  }
}

test('who took the log may have made the very object', async (t) => {
  const cases = [
    ['which its CRC-64 shows', summed, undefined],
    [
      'which nothing shows',
      ({ store }: StoreInMemory) => store,
      'PAWL_CHECKPOINT_LOST',
    ],
  ] as const
  for (const [name, storeOf, code] of cases) {
    const memory = storeInMemory()
    const store = storeOf(memory)
    const log = leasedLog()
    const slow = log.take()
    let second: UploadResult | undefined
    const sleeper: Checkpoint = {
      ...slow,
      confirm: async () => {
        second ??= await machine(store).run(log.take())
        await slow.confirm?.()
      },
    }
    const first = machine(store).run(sleeper)
    const outcome = await first.catch((error: unknown) => error)
    t.match(
      outcome,
      code === undefined ? { uploadId: second?.uploadId } : { code },
      name,
    )
    t.ok(bytes.equals(memory.objects.get(key) ?? Buffer.of()), 'one object')
  }
})

test('the object of another source is not taken for its own', async (t) => {
  const memory = storeInMemory()
  const log = leasedLog()
  const slow = log.take()
  const sleeper: Checkpoint = {
    ...slow,
    confirm: async () => {
      await machine(memory.store).run(log.take(), other)
      await slow.confirm?.()
    },
  }
  await t.rejects(machine(memory.store).run(sleeper), {
    code: 'PAWL_CHECKPOINT_LOST',
  })
  t.ok(other.equals(memory.objects.get(key) ?? Buffer.of()), 'the newer stays')
})

test('no PutObject goes out either once the log was taken', async (t) => {
  const memory = storeInMemory()
  const log = leasedLog()
  const slow = log.take()
  const sleeper: Checkpoint = {
    ...slow,
    confirm: async () => {
      await machine(memory.store).run(log.take(), other)
      await slow.confirm?.()
    },
  }
  await t.rejects(machine(memory.store).run(sleeper, bytes.subarray(0, 100)), {
    code: 'PAWL_CHECKPOINT_LOST',
  })
  t.ok(other.equals(memory.objects.get(key) ?? Buffer.of()))
})

test('part records wait for each other, and for no control record', async (t) => {
  const rows: [string, LeasedHold, number][] = [
    ['that may linger', { linger: 60_000 }, 1],
    ['that may not', {}, 3],
  ]
  for (const [name, hold, expected] of rows) {
    const memory = storeInMemory()
    const log = leasedLog()
    const checkpoint: Checkpoint = {
      ...log.take(hold),
      remove: async () => false,
    }
    await machine(memory.store).run(checkpoint)
    const types = log.appends.map(typesIn)
    const withParts = types.filter((all) => all.includes('part'))
    t.equal(withParts.length, expected, name)
    t.equal(types.flat().filter((type) => type === 'part').length, 3, name)
    const at = types.findIndex((all) => all.includes('completing'))
    t.notOk(
      types
        .slice(at + 1)
        .flat()
        .includes('part'),
      `${name}: not behind it`,
    )
  }
})

test('part records that wait are written when their time is over', async (t) => {
  const memory = storeInMemory()
  const log = leasedLog()
  const clock = handClock()
  memory.before = async ({ call, partNumber, signal }) => {
    if (call !== 'uploadPart' || partNumber !== 3) return
    clock.advance(5000)
    // The last part is never stored: what is known must not wait for it.
    await new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  }
  const upload = new ResumableUploadStream(
    {
      store: memory.store,
      key,
      checkpoint: log.take({ linger: 5000 }),
      partSize: part,
      concurrency: 1,
    },
    environmentOn(clock),
  )
  const sent = pipeline(Readable.from(chunksOf(bytes)), upload)
  sent.catch(() => undefined)
  const written = (async () => {
    while (!log.appends.some((text) => typesIn(text).includes('part'))) {
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
  })()
  await written
  t.same(typesIn(log.appends.at(-1) ?? ''), ['part', 'part'])
  upload.destroy()
  await turning(
    clock,
    upload.result.catch(() => undefined),
  )
})

/** A log whose run was killed when its Complete was about to be sent. */
async function killedAtComplete(
  t: Test,
  memory: StoreInMemory,
): Promise<LeasedLog> {
  const log = leasedLog()
  await t.rejects(machine(failing(memory.store)).run(log.take()), {
    code: 'PAWL_ACCESS_DENIED',
  })
  return log
}

const changedOptions = { mark: false }

test('an earlier upload is seen gone twice before the object is made', async (t) => {
  const memory = storeInMemory()
  const log = await killedAtComplete(t, memory)
  const aborts: number[] = []
  const next = machine({
    ...memory.store,
    abortUpload: (request, call) => {
      aborts.push(next.clock.monotonic())
      return memory.store.abortUpload(request, call)
    },
  })
  await next.run(log.take(), other, changedOptions)
  const [first = 0, second = 0] = aborts
  t.equal(aborts.length, 2)
  t.ok(second - first >= 10_000, `${second - first} ms apart`)
  t.ok(other.equals(memory.objects.get(key) ?? Buffer.of()))
})

test('what a sink may have lost, an earlier upload may have sent', async (t) => {
  for (const canLose of [true, false]) {
    const memory = storeInMemory()
    const log = await killedAtComplete(t, memory)
    // With them goes the word that a Complete was about to be sent.
    while (typesIn(log.appends.join('')).includes('completing')) log.loseTail(1)
    let aborts = 0
    const next = machine({
      ...memory.store,
      abortUpload: (request, call) => {
        aborts++
        return memory.store.abortUpload(request, call)
      },
    })
    await next.run(log.take({ canLose }), other, changedOptions)
    t.equal(aborts, canLose ? 2 : 1, `canLose: ${canLose}`)
  }
})

test('an earlier upload that may not be aborted', async (t) => {
  const rows: [
    string,
    LeasedHold,
    'lease' | undefined,
    { code: string; transient: boolean; retryAfter?: number } | undefined,
  ][] = [
    [
      'ends the run',
      { freeFor: 1e9 },
      undefined,
      { code: 'PAWL_UPLOAD_CONTENDED', transient: false },
    ],
    [
      'ends it too where nobody knows how long its run is over',
      {},
      'lease',
      { code: 'PAWL_UPLOAD_CONTENDED', transient: false },
    ],
    [
      'is waited for while its Complete may be under way',
      { freeFor: 1000 },
      'lease',
      {
        code: 'PAWL_UPLOAD_CONTENDED',
        transient: true,
        retryAfter: 600_000,
      },
    ],
    [
      'is let be once its run is over',
      { freeFor: 600_000 },
      'lease',
      undefined,
    ],
  ]
  for (const [name, hold, fence, failure] of rows) {
    const memory = storeInMemory()
    const log = await killedAtComplete(t, memory)
    const store: ObjectStore = {
      ...memory.store,
      abortUpload: async () => {
        throw new StoreError('Denied.', {
          kind: 'denied',
          status: 403,
          serverCode: 'AccessDenied',
        })
      },
    }
    const options = fence === undefined ? {} : { fence }
    const run = machine(store).run(log.take(hold), other, {
      ...changedOptions,
      ...options,
    })
    if (failure === undefined) {
      t.match(await run, { checkpointLeft: true, uploadsLeft: [/./] }, name)
      t.ok(other.equals(memory.objects.get(key) ?? Buffer.of()), name)
    } else {
      await t.rejects(run, { ...failure }, name)
      t.notOk(memory.objects.has(key), `${name}: no object`)
    }
  }
})

test('a file that is vouched for is not read again elsewhere', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'db.dump')
  const elsewhere = join(await temporaryDirectory(t), 'db.dump')
  await writeFile(path, bytes)
  // So that it shows what is read, and what is taken by its word.
  const differing = Buffer.concat([noise(part, 3), bytes.subarray(part)])
  await writeFile(elsewhere, differing)
  const rows: [string, string | undefined, number, Buffer][] = [
    ['the same version', 'v1', 2, bytes],
    ['another version, which is read and proved', 'v2', 1, differing],
    ['nobody vouches for it', undefined, 1, differing],
  ]
  for (const [name, sourceId, partsReused, expected] of rows) {
    const log = leasedLog()
    const stop = new AbortController()
    const options = {
      store: dev.small,
      key: 'k',
      partSize: part,
      concurrency: 1,
      multipartThreshold: 0,
    }
    let stored = 0
    await t.rejects(
      uploadFile(path, {
        ...options,
        sourceId: 'v1',
        checkpoint: log.take(),
        signal: stop.signal,
        on: { part: () => void (++stored === 2 && stop.abort()) },
      }),
      { code: 'PAWL_SUSPENDED' },
      name,
    )
    const result = await uploadFile(elsewhere, {
      ...options,
      ...(sourceId === undefined ? {} : { sourceId }),
      checkpoint: log.take(),
    })
    t.equal(result.partsReused, partsReused, name)
    t.ok(expected.equals(await dev.object('k')), name)
  }
})
