import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { SeenRequest } from '../../lib/dev-server/index.js'
import {
  createResumableUploadStream,
  memoryCheckpoint,
  StoreError,
  UploadError,
  type ObjectReceipt,
  type ObjectStore,
  type PartEvent,
  type Progress,
  type ResumableUploadStream,
  type UploadStreamOptions,
} from '../../lib/index.js'
import {
  devStore,
  noise,
  smallPart,
  type DevStore,
} from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'

const key = 'backups/db.dump'

function uploadTo(
  { store, directory }: DevStore,
  options: Partial<UploadStreamOptions> = {},
): ResumableUploadStream {
  return createResumableUploadStream({
    store,
    key,
    checkpoint: join(directory, 'log.pawl'),
    partSize: smallPart,
    retry: { baseDelay: 1, maxDelay: 5 },
    ...options,
  })
}

function send(upload: ResumableUploadStream, bytes: Buffer): Promise<void> {
  return pipeline(Readable.from(chunksOf(bytes)), upload)
}

function* chunksOf(bytes: Buffer, size = 16_384) {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

/** Destroys the upload when `count` parts are stored; resolves when it has settled. */
async function sendSome(
  upload: ResumableUploadStream,
  bytes: Buffer,
  count: number,
): Promise<UploadError> {
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
  const error: unknown = await upload.result.catch((reason: unknown) => reason)
  if (error instanceof UploadError) return error
  throw new Error('the upload was to be suspended')
}

function logExists({ directory }: DevStore): boolean {
  return existsSync(join(directory, 'log.pawl'))
}

function partNumbers(requests: SeenRequest[]): (number | undefined)[] {
  return requests
    .map(({ partNumber }) => partNumber)
    .toSorted((a = 0, b = 0) => a - b)
}

await t.test('an object is exactly the bytes that were written', async (t) => {
  const dev = await devStore(t)
  for (const size of [
    0,
    1,
    smallPart - 1,
    smallPart,
    smallPart + 1,
    3 * smallPart,
    5 * smallPart + 77,
  ]) {
    const bytes = noise(size, size + 1)
    const upload = uploadTo(dev)
    await send(upload, bytes)
    const result = await upload.result
    t.ok(bytes.equals(await dev.object(key)), `${size} bytes`)
    t.match(result, {
      bucket: 'examplebucket',
      key,
      size,
      partsReused: 0,
      resumed: false,
      verified: 'crc64',
      checkpointLeft: false,
    })
    t.equal(result.parts, size < smallPart ? 0 : Math.ceil(size / smallPart))
    t.notOk(logExists(dev), 'the log is gone')
  }
  t.same(dev.server.openUploads(), [])
})

await t.test('a source shorter than a part is one PutObject', async (t) => {
  const dev = await devStore(t)
  await send(uploadTo(dev), noise(500))
  t.same(
    dev.server.requests.map(({ operation }) => operation),
    ['PutObject'],
  )
})

await t.test('finish comes after the object is there', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  const order: string[] = []
  upload.on('finish', () => {
    order.push(
      dev.server.objectPath('examplebucket', key) === undefined
        ? 'finish before the object'
        : 'finish',
    )
    t.notOk(logExists(dev), 'the log is gone before finish')
  })
  upload.on('close', () => order.push('close'))
  await send(upload, noise(3 * smallPart))
  await upload.result
  t.same(order, ['finish', 'close'])
})

await t.test('keys reach the wire unharmed', async (t) => {
  const dev = await devStore(t)
  for (const hard of [
    'a/../b',
    'a//b/',
    './x',
    'with space + plus %41 percent',
    '报告/été.txt',
    "it's (1)!*~",
    'a?b#c&d=e',
    'line\nbreak',
  ]) {
    const upload = uploadTo(dev, { key: hard })
    await send(upload, noise(smallPart + 1))
    t.ok(dev.server.objectPath('examplebucket', hard), JSON.stringify(hard))
  }
})

await t.test('a destroyed upload goes on where it was', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(10 * smallPart + 5)
  const error = await sendSome(uploadTo(dev), bytes, 4)
  t.match(error, { code: 'PAWL_SUSPENDED', resumable: true, key })
  t.ok(logExists(dev))
  const before = dev.seen('UploadPart').filter(({ applied }) => applied)
  const upload = uploadTo(dev)
  const resumed = once(upload, 'resumed')
  await send(upload, bytes)
  const result = await upload.result
  t.ok(bytes.equals(await dev.object(key)))
  t.ok(result.resumed)
  t.ok(result.partsReused >= 4, `${result.partsReused} parts reused`)
  t.equal(result.bytesReused, result.partsReused * smallPart)
  t.match(await resumed, [{ uploadId: result.uploadId }])
  const after = dev.seen('UploadPart').length - before.length
  t.equal(after + result.partsReused >= 11, true)
  const twice = partNumbers(dev.seen('UploadPart').filter((r) => r.applied))
  t.same(
    [...new Set(twice)],
    Array.from({ length: 11 }, (_, index) => index + 1),
  )
})

await t.test('parts proved by the log are sent no second time', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(8 * smallPart)
  await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 5)
  const stored = dev.seen('UploadPart').length
  const reused: PartEvent[] = []
  const upload = uploadTo(dev)
  upload.on('part', (part: PartEvent) => {
    if (part.reused) reused.push(part)
  })
  await send(upload, bytes)
  t.ok(bytes.equals(await dev.object(key)))
  t.ok(reused.length >= 5)
  t.same(
    partNumbers(dev.seen('UploadPart').slice(stored)),
    Array.from(
      { length: 8 - reused.length },
      (_, index) => reused.length + index + 1,
    ),
  )
  t.same(reused[0]?.attempts, 0)
})

await t.test('one changed byte costs one part', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(6 * smallPart)
  await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 6)
  const stored = dev.seen('UploadPart').length
  const changed = Buffer.from(bytes)
  changed[2 * smallPart + 17] = (changed[2 * smallPart + 17] ?? 0) ^ 1
  const upload = uploadTo(dev)
  await send(upload, changed)
  t.ok(changed.equals(await dev.object(key)), 'the bytes of the second run')
  t.same(partNumbers(dev.seen('UploadPart').slice(stored)), [3])
  t.equal((await upload.result).partsReused, 5)
})

await t.test(
  "onSourceChange 'fail' stops at the first such part",
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(6 * smallPart)
    await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 4)
    const changed = Buffer.from(bytes)
    changed[smallPart] = (changed[smallPart] ?? 0) ^ 1
    const upload = uploadTo(dev, { onSourceChange: 'fail' })
    await t.rejects(send(upload, changed), {
      code: 'PAWL_SOURCE_CHANGED',
      partNumber: 2,
      offset: smallPart,
      resumable: true,
    })
    await t.rejects(upload.result, { code: 'PAWL_SOURCE_CHANGED' })
    t.equal(dev.server.objectPath('examplebucket', key), undefined)
  },
)

await t.test('a shorter source leaves the parts above it out', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(8 * smallPart)
  await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 6)
  const shorter = bytes.subarray(0, 3 * smallPart + 9)
  await send(uploadTo(dev), shorter)
  t.ok(shorter.equals(await dev.object(key)))
})

await t.test('a source that shrank below a part is put whole', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(8 * smallPart)
  await sendSome(uploadTo(dev), bytes, 2)
  const upload = uploadTo(dev)
  await send(upload, bytes.subarray(0, 10))
  t.equal((await dev.object(key)).length, 10)
  t.same(dev.server.openUploads(), [], 'the upload left behind is aborted')
  t.notOk(logExists(dev))
})

await t.test('skipUploaded passes over what is stored', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(9 * smallPart + 3)
  const options = { sourceId: 'db.dump 2026-01-01', concurrency: 1 }
  await sendSome(uploadTo(dev, options), bytes, 5)
  const stored = dev.seen('UploadPart').filter(({ applied }) => applied).length
  const upload = uploadTo(dev, options)
  const offset = await upload.skipUploaded()
  t.ok(offset >= 5 * smallPart && offset % smallPart === 0, `${offset}`)
  await send(upload, bytes.subarray(offset))
  const result = await upload.result
  t.ok(bytes.equals(await dev.object(key)))
  t.equal(result.size, bytes.length)
  t.equal(result.bytesReused, offset)
  t.equal(
    dev.seen('UploadPart').filter(({ applied }) => applied).length,
    Math.max(stored, 10),
  )
})

await t.test('end() without data completes what is all stored', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(3 * smallPart + 50)
  const options = { sourceId: 'x' }
  const first = uploadTo(dev, {
    ...options,
    beforeComplete: () => Promise.reject(new Error('not yet')),
  })
  await t.rejects(send(first, bytes), { code: 'PAWL_BEFORE_COMPLETE' })
  await first.result.catch(() => undefined)
  const upload = uploadTo(dev, options)
  t.equal(await upload.skipUploaded(), bytes.length)
  upload.end()
  t.match(await upload.result, { size: bytes.length, partsReused: 4 })
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('skipping wants somebody to vouch for the source', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(4 * smallPart)
  await sendSome(uploadTo(dev, { sourceId: 'a', concurrency: 1 }), bytes, 2)
  for (const sourceId of ['b', undefined]) {
    const upload = uploadTo(dev, sourceId === undefined ? {} : { sourceId })
    await t.rejects(upload.skipUploaded(), {
      code: 'PAWL_SOURCE_ID_REQUIRED',
      resumable: true,
    })
    await upload[Symbol.asyncDispose]()
  }
  const upload = uploadTo(dev)
  const offset = await upload.skipUploaded({ trustSource: true })
  t.ok(offset >= 2 * smallPart)
  await t.rejects(upload.skipUploaded(), { code: 'PAWL_INVALID_STATE' })
  await send(upload, bytes.subarray(offset))
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test(
  'nothing is written before skipUploaded has resolved',
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(4 * smallPart)
    const options = { sourceId: 'a', concurrency: 1 }
    await sendSome(uploadTo(dev, options), bytes, 2)
    const early: Record<string, (upload: ResumableUploadStream) => unknown> = {
      'a write': (upload) => upload.write(bytes.subarray(0, 10)),
      'a pipeline': (upload) => send(upload, bytes).catch(() => undefined),
      'an end': (upload) => upload.end(),
    }
    for (const [name, write] of Object.entries(early)) {
      const asked = dev.seen('UploadPart').length
      const upload = uploadTo(dev, options)
      upload.on('error', () => undefined)
      const skipped = upload.skipUploaded()
      write(upload)
      const expected = { code: 'PAWL_INVALID_STATE', resumable: true }
      await t.rejects(skipped, expected, name)
      await t.rejects(upload.result, expected, name)
      t.equal(dev.seen('UploadPart').length, asked, `${name}: nothing was sent`)
    }
    const upload = uploadTo(dev, options)
    await send(upload, bytes.subarray(await upload.skipUploaded()))
    t.ok(bytes.equals(await dev.object(key)), 'the upload can go on')
  },
)

await t.test('skipUploaded of a new upload is 0', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  t.equal(await upload.skipUploaded(), 0)
  await send(upload, noise(smallPart))
  t.equal((await upload.result).parts, 1)
})

await t.test('beforeComplete sees size and CRC and can suspend', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(2 * smallPart)
  const seen: unknown[] = []
  const upload = uploadTo(dev, {
    beforeComplete: (candidate) => {
      seen.push(candidate)
      throw new Error('pg_dump exited with 1')
    },
  })
  await t.rejects(send(upload, bytes), {
    code: 'PAWL_BEFORE_COMPLETE',
    message: /pg_dump exited with 1/,
    resumable: true,
  })
  await upload.result.catch(() => undefined)
  t.equal(dev.server.objectPath('examplebucket', key), undefined)
  const again = uploadTo(dev, {
    beforeComplete: (candidate) => void seen.push(candidate),
  })
  await send(again, bytes)
  const { crc64, partsReused } = await again.result
  t.same(seen, [
    { size: bytes.length, crc64 },
    { size: bytes.length, crc64 },
  ])
  t.equal(partsReused, 2)
})

await t.test('beforeComplete guards a single PutObject too', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, {
    beforeComplete: () => {
      throw new Error('no')
    },
  })
  await t.rejects(send(upload, noise(10)), { code: 'PAWL_BEFORE_COMPLETE' })
  t.same(dev.server.requests, [])
})

for (const [name, given, size] of [
  ['shorter', 3 * smallPart, 3 * smallPart + 1],
  ['longer', 3 * smallPart, 2 * smallPart + 5],
  ['shorter than a part', 10, 11],
] as const) {
  await t.test(`a source ${name} than size is not completed`, async (t) => {
    const dev = await devStore(t)
    const upload = uploadTo(dev, { size })
    await t.rejects(send(upload, noise(given)), {
      code: 'PAWL_SIZE_MISMATCH',
      resumable: true,
    })
    await upload.result.catch(() => undefined)
    t.equal(dev.server.objectPath('examplebucket', key), undefined)
    t.same(dev.seen('CompleteMultipartUpload'), [])
    const again = uploadTo(dev, { size: given })
    await send(again, noise(given))
    t.equal((await dev.object(key)).length, given)
  })
}

await t.test('a signal suspends', async (t) => {
  const dev = await devStore(t)
  const controller = new AbortController()
  const bytes = noise(6 * smallPart)
  const upload = uploadTo(dev, { signal: controller.signal })
  upload.once('part', () => controller.abort(new Error('the user said stop')))
  await t.rejects(send(upload, bytes), {
    code: 'PAWL_SUSPENDED',
    cause: { message: 'the user said stop' },
  })
  await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
  await send(uploadTo(dev), bytes)
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('a signal aborted before suspends at once', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { signal: AbortSignal.abort() })
  await t.rejects(send(upload, noise(10)), { code: 'PAWL_SUSPENDED' })
  t.same(dev.server.requests, [])
})

await t.test(
  'whatever the signal gives as its reason, it suspends',
  async (t) => {
    const dev = await devStore(t)
    const reasons = [
      'stopped by the user',
      7,
      null,
      new Error('stop'),
      undefined,
    ]
    for (const reason of reasons) {
      for (const isEarly of [true, false]) {
        const controller = new AbortController()
        if (isEarly) controller.abort(reason)
        const upload = uploadTo(dev, { signal: controller.signal })
        upload.on('error', () => undefined)
        if (!isEarly) controller.abort(reason)
        const error = await upload.result.catch((thrown: unknown) => thrown)
        t.match(error, { code: 'PAWL_SUSPENDED', resumable: true })
        const cause = reason === undefined ? controller.signal.reason : reason
        t.equal(error instanceof Error && error.cause, cause ?? undefined)
      }
    }
  },
)

await t.test('a failing source suspends, with its error', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(5 * smallPart)
  const failure = new Error('EIO')
  const upload = uploadTo(dev)
  await t.rejects(
    pipeline(function* source() {
      yield* chunksOf(bytes.subarray(0, 3 * smallPart))
      throw failure
    }, upload),
    failure,
  )
  await t.rejects(upload.result, failure)
  await send(uploadTo(dev), bytes)
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('asyncDispose suspends', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.write(noise(smallPart + 1))
  await once(upload, 'initiated')
  await upload[Symbol.asyncDispose]()
  t.ok(upload.destroyed)
  await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
})

await t.test('discard removes the upload and the log', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.on('error', () => undefined)
  const stored = once(upload, 'part')
  upload.write(noise(3 * smallPart))
  await stored
  await upload.discard()
  await upload.discard()
  await t.rejects(upload.result, { code: 'PAWL_DISCARDED' })
  t.same(dev.server.openUploads(), [])
  t.notOk(logExists(dev))
})

await t.test('discard works on an upload that is suspended', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  await sendSome(upload, noise(5 * smallPart), 2)
  t.equal(dev.server.openUploads().length, 1)
  await upload.discard()
  t.same(dev.server.openUploads(), [])
  t.notOk(logExists(dev))
})

await t.test('discard right after the call, before anything', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.on('error', () => undefined)
  await upload.discard()
  t.notOk(logExists(dev))
  await t.rejects(upload.result, { code: 'PAWL_DISCARDED' })
})

await t.test('discard after completion says that it is too late', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  await send(upload, noise(smallPart * 2))
  await t.rejects(upload.discard(), {
    code: 'PAWL_INVALID_STATE',
    completed: true,
  })
  t.equal((await dev.object(key)).length, smallPart * 2)
})

await t.test(
  'discard of what only its callback failed is too late',
  async (t) => {
    const failing = (store: ObjectStore): ObjectStore => {
      const whole = wrapStore(store)
      const callbackFailed = new StoreError('the receiver answered 500', {
        kind: 'request',
        status: 203,
      })
      const fails = async (receipt: Promise<ObjectReceipt>) => ({
        ...(await receipt),
        callbackFailed,
      })
      whole.completeUpload = (request, call) =>
        fails(store.completeUpload(request, call))
      whole.putObject = (request, call) => fails(store.putObject(request, call))
      return whole
    }
    for (const size of [10, 2 * smallPart]) {
      const dev = await devStore(t)
      const upload = uploadTo(dev, { store: failing(dev.store) })
      const failed = { code: 'PAWL_CALLBACK_FAILED', completed: true }
      await t.rejects(send(upload, noise(size)), failed)
      await t.rejects(upload.result, failed)
      const late = { code: 'PAWL_INVALID_STATE', completed: true }
      await t.rejects(upload.discard(), late)
      t.same(dev.seen('AbortMultipartUpload'), [])
    }
  },
)

await t.test(
  'discard that fails again and again leaves no listener',
  async (t) => {
    const dev = await devStore(t)
    await sendSome(uploadTo(dev), noise(4 * smallPart), 2)
    const upload = uploadTo(dev, { retry: { attempts: 1 } })
    dev.server.setFault(() => ({ kind: 'status', status: 500 }))
    for (let i = 0; i < 12; i++) await t.rejects(upload.discard())
    await upload[Symbol.asyncDispose]()
    t.equal(upload.listenerCount('error'), 1)
  },
)

await t.test('discard keeps the log when the server is away', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { retry: { attempts: 2, baseDelay: 1 } })
  await sendSome(upload, noise(4 * smallPart), 2)
  dev.server.setFault(() => ({ kind: 'refuse' }))
  await t.rejects(upload.discard(), { code: 'PAWL_NETWORK' })
  t.ok(logExists(dev))
  dev.server.setFault(undefined)
  await upload.discard()
  t.notOk(logExists(dev))
  t.same(dev.server.openUploads(), [])
})

await t.test(
  'a destroy during Complete never resolves a pipeline',
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(2 * smallPart)
    dev.server.setFault((request) =>
      request.operation === 'CompleteMultipartUpload'
        ? { kind: 'silence', apply: true }
        : undefined,
    )
    const upload = uploadTo(dev)
    const sending = send(upload, bytes)
    while (!dev.seen('CompleteMultipartUpload')[0]?.applied) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    upload.destroy()
    await t.rejects(sending, { code: 'PAWL_SUSPENDED' })
    t.ok(logExists(dev), 'the log says completing')
    dev.server.setFault(undefined)
    const parts = dev.seen('UploadPart').length
    const again = uploadTo(dev)
    await send(again, bytes)
    const result = await again.result
    t.match(result, { resumed: true, partsReused: 2, verified: 'crc64' })
    t.equal(dev.seen('UploadPart').length, parts, 'nothing was sent')
    t.equal(dev.seen('CompleteMultipartUpload').length, 1)
    t.notOk(logExists(dev))
  },
)

await t.test(
  'a completed object that the source is not any more',
  async (t) => {
    for (const at of [0, 2 * smallPart]) {
      const dev = await devStore(t)
      const bytes = noise(3 * smallPart)
      dev.server.setFault((request) =>
        request.operation === 'CompleteMultipartUpload'
          ? { kind: 'silence', apply: true }
          : undefined,
      )
      const upload = uploadTo(dev)
      const sending = send(upload, bytes)
      while (!dev.seen('CompleteMultipartUpload')[0]?.applied) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      upload.destroy()
      await sending.catch(() => undefined)
      await upload.result.catch(() => undefined)
      dev.server.setFault(undefined)
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      const again = uploadTo(dev)
      if (at === 0) {
        await send(again, changed)
        t.match(await again.result, { resumed: false, partsReused: 0 })
      } else {
        await t.rejects(send(again, changed), {
          code: 'PAWL_SOURCE_CHANGED',
          resumable: true,
        })
        await again.result.catch(() => undefined)
        await send(uploadTo(dev), changed)
      }
      t.ok(changed.equals(await dev.object(key)), `changed at ${at}`)
      t.notOk(logExists(dev))
    }
  },
)

await t.test('an upload that is gone on the server starts over', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(5 * smallPart)
  const first = uploadTo(dev)
  await sendSome(first, bytes, 3)
  const uploadId = first.uploadId ?? ''
  await dev.store.abortUpload(
    { key, uploadId },
    {
      signal: new AbortController().signal,
      timeouts: { connect: 1000, stall: 1000, headers: 1000 },
    },
  )
  const upload = uploadTo(dev)
  const restarted = once(upload, 'restarted')
  await send(upload, bytes)
  t.same(await restarted, [{ reason: 'upload-gone' }])
  t.ok(bytes.equals(await dev.object(key)))
  t.not((await upload.result).uploadId, uploadId)
})

await t.test('other object options begin a new upload', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(4 * smallPart)
  await sendSome(uploadTo(dev), bytes, 2)
  const upload = uploadTo(dev, { object: { contentType: 'text/plain' } })
  const restarted = once(upload, 'restarted')
  await send(upload, bytes)
  t.same(await restarted, [{ reason: 'options-changed' }])
  t.equal(
    dev.seen('CreateMultipartUpload')[1]?.headers['content-type'],
    'text/plain',
  )
  t.same(dev.server.openUploads(), [])
})

await t.test("the log's part size wins", async (t) => {
  const dev = await devStore(t)
  const bytes = noise(6 * smallPart)
  await sendSome(uploadTo(dev, { partSize: 2 * smallPart }), bytes, 1)
  const upload = uploadTo(dev, { partSize: smallPart })
  await send(upload, bytes)
  t.match(await upload.result, { parts: 3, resumed: true })
})

await t.test('size raises the part size to fit 10,000 parts', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { size: 20_000 * smallPart })
  upload.on('error', () => undefined)
  const stored = once(upload, 'part')
  upload.write(noise(3 << 20))
  t.match(await stored, [{ size: 1 << 20 }])
  upload.destroy()
  await upload.result.catch(() => undefined)
})

await t.test(
  'progress counts read, sent, stored and reused apart',
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(6 * smallPart)
    await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 3)
    const upload = uploadTo(dev, { size: bytes.length })
    let last: Progress | undefined
    upload.on('progress', (progress: Progress) => (last = progress))
    await send(upload, bytes)
    const { bytesReused } = await upload.result
    t.same(last, {
      bytesRead: bytes.length,
      bytesSent: bytes.length - bytesReused,
      bytesStored: bytes.length,
      bytesReused,
      bytesTotal: bytes.length,
    })
  },
)

await t.test('a directory gets a log named by a digest', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { checkpoint: dev.directory })
  await sendSome(upload, noise(4 * smallPart), 1)
  const [name = ''] = await readdir(dev.directory)
  t.match(name, /^[0-9a-f]{32}\.pawl$/)
  t.equal((await stat(join(dev.directory, name))).mode & 0o777, 0o600)
  await upload.discard()
})

await t.test('without a checkpoint an upload just uploads', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { checkpoint: false })
  await send(upload, noise(3 * smallPart))
  t.equal((await upload.result).parts, 3)
  t.same(await readdir(dev.directory), [])
})

await t.test('a checkpoint in memory resumes within the process', async (t) => {
  const dev = await devStore(t)
  const checkpoint = memoryCheckpoint()
  const bytes = noise(5 * smallPart)
  await sendSome(uploadTo(dev, { checkpoint, concurrency: 1 }), bytes, 3)
  const upload = uploadTo(dev, { checkpoint })
  await send(upload, bytes)
  t.ok((await upload.result).partsReused >= 3)
})

await t.test('a lost log is made good by comparing CRC-64s', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(6 * smallPart)
  const path = join(dev.directory, 'log.pawl')
  await sendSome(uploadTo(dev, { concurrency: 1 }), bytes, 4)
  const { writeFile } = await import('node:fs/promises')
  const text = await readFile(path, 'latin1')
  const lines = text.split('\n').filter((line) => !/ part /.test(line))
  await writeFile(path, lines.join('\n'), { mode: 0o600 })
  const stored = dev.seen('UploadPart').length
  const upload = uploadTo(dev)
  await send(upload, bytes)
  t.ok(bytes.equals(await dev.object(key)))
  t.ok((await upload.result).partsReused >= 4)
  t.equal(
    dev.seen('UploadPart').length - stored,
    6 - (await upload.result).partsReused,
  )
})

await t.test("proof 'sha256' proves by SHA-256", async (t) => {
  const dev = await devStore(t)
  const bytes = noise(5 * smallPart)
  const options = { proof: 'sha256', concurrency: 1 } as const
  await sendSome(uploadTo(dev, options), bytes, 3)
  const log = await readFile(join(dev.directory, 'log.pawl'), 'latin1')
  t.match(log, / part .*"hash":"[0-9a-f]{64}"/)
  const upload = uploadTo(dev, options)
  await send(upload, bytes)
  t.ok((await upload.result).partsReused >= 3)
})

await t.test('two uploads cannot use one log at a time', async (t) => {
  const dev = await devStore(t)
  const first = uploadTo(dev)
  first.on('error', () => undefined)
  first.write(noise(smallPart + 1))
  await once(first, 'initiated')
  const second = uploadTo(dev)
  await t.rejects(send(second, noise(10)), { code: 'PAWL_CHECKPOINT_LOCKED' })
  first.destroy()
  await first.result.catch(() => undefined)
  await send(uploadTo(dev), noise(10))
})
