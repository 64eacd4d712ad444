/** The same call made again: what is proved, and what is sent. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  createResumableUploadStream,
  memoryCheckpoint,
  type PartEvent,
  type ResumableUploadStream,
} from '../../lib/index.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import {
  destroyInComplete,
  key,
  logExists,
  partNumbers,
  send,
  sendSome,
  uploadTo,
} from '../support/stream-upload.js'

await t.test('a destroyed upload goes on where it was', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(10 * smallPart + 5)
  const error = await sendSome(uploadTo(dev), bytes, 4)
  const told = { resumable: true, transient: true, key }
  t.match(error, { code: 'PAWL_SUSPENDED', ...told })
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
  'a file that is piped in again is proved as it comes, and one changed byte costs one part',
  async (t) => {
    const size = 12 * smallPart + 77
    // Pieces that end in the middle of parts, and parts in the middle of pieces.
    for (const partSize of [smallPart, 4 * smallPart]) {
      const dev = await devStore(t)
      const path = join(dev.directory, 'source')
      const options = { partSize }
      const bytes = noise(size)
      const refuse = (): never => {
        throw new Error('not yet')
      }
      const piped = async (upload: ResumableUploadStream): Promise<void> =>
        pipeline(createReadStream(path, { highWaterMark: 300_000 }), upload)
      await writeFile(path, bytes)
      await t.rejects(
        piped(uploadTo(dev, { ...options, beforeComplete: refuse })),
        { code: 'PAWL_BEFORE_COMPLETE' },
      )
      const stored = dev.seen('UploadPart').length
      const same = uploadTo(dev, { ...options, beforeComplete: refuse })
      const reused: PartEvent[] = []
      same.on('part', (part: PartEvent) => reused.push(part))
      await t.rejects(piped(same), { code: 'PAWL_BEFORE_COMPLETE' })
      t.equal(dev.seen('UploadPart').length, stored, 'nothing is sent')
      t.equal(reused.filter((part) => part.reused).length, stored)
      bytes[size >> 1] = (bytes[size >> 1] ?? 0) ^ 1
      await writeFile(path, bytes)
      const changed = uploadTo(dev, options)
      await piped(changed)
      t.ok(bytes.equals(await dev.object(key)), 'the bytes of the last run')
      t.same(partNumbers(dev.seen('UploadPart').slice(stored)), [
        1 + Math.floor((size >> 1) / partSize),
      ])
      t.equal((await changed.result).partsReused, stored - 1)
    }
  },
)

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
      transient: false,
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

await t.test('nor is one resumed that goes with its first part', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(5 * smallPart)
  await sendSome(uploadTo(dev), bytes, 3)
  // No stored part is this source's, so the first one is sent.
  const other = Buffer.from(bytes.toReversed())
  let isAsked = false
  dev.server.setFault(({ operation }) => {
    if (operation !== 'UploadPart' || isAsked) return undefined
    isAsked = true
    return { kind: 'status', status: 404, code: 'NoSuchUpload' }
  })
  const upload = uploadTo(dev, { concurrency: 1 })
  const resumed = once(upload, 'resumed')
  const restarted = once(upload, 'restarted')
  await send(upload, other)
  t.match(await resumed, [{ uploadId: String }])
  t.same(await restarted, [{ reason: 'upload-gone' }])
  t.match(await upload.result, { resumed: false, partsReused: 0 })
  t.ok(other.equals(await dev.object(key)))
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
  const resumed = once(upload, 'resumed')
  await send(upload, bytes)
  t.match(await upload.result, { parts: 3, resumed: true })
  t.match(await resumed, [
    { partSize: 2 * smallPart, partSizeAsked: smallPart },
  ])
})

await t.test(
  'a part size that is the log’s, or nobody’s, is no news',
  async (t) => {
    for (const partSize of [2 * smallPart, undefined]) {
      const dev = await devStore(t)
      const bytes = noise(6 * smallPart)
      await sendSome(uploadTo(dev, { partSize: 2 * smallPart }), bytes, 1)
      const upload = createResumableUploadStream({
        store: dev.store,
        key,
        checkpoint: join(dev.directory, 'log.pawl'),
        ...(partSize === undefined ? {} : { partSize }),
      })
      const resumed = once(upload, 'resumed')
      await send(upload, bytes)
      const [event] = (await resumed) as [object]
      t.match(event, { partSize: 2 * smallPart })
      t.notOk('partSizeAsked' in event)
    }
  },
)

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

await t.test(
  'a destroy during Complete never resolves a pipeline',
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(2 * smallPart)
    const { sending } = await destroyInComplete(dev, bytes)
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

await t.test('so is a file that is piped in again', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(9 * smallPart)
  const path = join(dev.directory, 'source')
  await writeFile(path, bytes)
  const { sending } = await destroyInComplete(dev, bytes)
  await t.rejects(sending, { code: 'PAWL_SUSPENDED' })
  dev.server.setFault(undefined)
  const parts = dev.seen('UploadPart').length
  const again = uploadTo(dev)
  await pipeline(createReadStream(path, { highWaterMark: 500_000 }), again)
  const told = { resumed: true, partsReused: 9, verified: 'crc64' }
  t.match(await again.result, told)
  t.equal(dev.seen('UploadPart').length, parts, 'nothing was sent')
})

await t.test(
  'a completed object that the source is not any more',
  async (t) => {
    for (const at of [0, 2 * smallPart]) {
      const dev = await devStore(t)
      const bytes = noise(3 * smallPart)
      const { sending, upload } = await destroyInComplete(dev, bytes)
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
          resumable: false,
          transient: true,
        })
        await again.result.catch(() => undefined)
        await send(uploadTo(dev), changed)
      }
      t.ok(changed.equals(await dev.object(key)), `changed at ${at}`)
      t.notOk(logExists(dev))
    }
  },
)
