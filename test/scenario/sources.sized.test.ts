/** Sources that fail, stall, lie about their size, change, or are very long. */
import { once } from 'node:events'
import { stat, utimes, writeFile } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { memoryCheckpoint, UploadError } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { settles } from '../support/leftovers.js'
import { smallStore } from '../support/small-store.js'
import {
  chunksOf,
  failureOf,
  key,
  part,
  send,
  smallUploads,
} from '../support/small-upload.js'
import { sized } from '../support/tier.js'

await t.test('a source that fails anywhere is gone on with', async (t) => {
  const bytes = noise(4 * part + 99)
  for (const at of [0, 1, part - 1, part, part + 1, 3 * part, bytes.length]) {
    const dev = await smallUploads(t)
    const upload = dev.upload()
    const failure = new Error('EIO: i/o error, read')
    await t.rejects(
      pipeline(async function* source() {
        yield* chunksOf(bytes.subarray(0, at))
        throw failure
      }, upload),
      failure,
    )
    await t.rejects(upload.result, failure)
    t.equal(dev.server.objectPath('examplebucket', key), undefined)
    const stored = dev.seen('UploadPart').filter(({ applied }) => applied)
    const since = dev.server.requests.length
    await dev.run(bytes)
    t.ok(bytes.equals(await dev.object(key)), `at ${at}`)
    const again = dev.partsSince(since)
    t.same(
      stored.filter(({ partNumber = 0 }) => again.includes(partNumber)),
      [],
    )
  }
})

await t.test('a source that stalls is given up by the signal', async (t) => {
  const dev = await smallUploads(t)
  const controller = new AbortController()
  const upload = dev.upload({ signal: controller.signal })
  const source = new Readable({ read: () => undefined })
  source.push(noise(2 * part + 5))
  const piped = pipeline(source, upload)
  await once(upload, 'part')
  controller.abort(new Error('it has stalled'))
  await t.rejects(piped, {
    code: 'PAWL_SUSPENDED',
    resumable: true,
    transient: true,
    cause: { message: 'it has stalled' },
  })
  await settles(upload)
  t.ok(source.destroyed)
})

await t.test('a source that is not as long as size says', async (t) => {
  const cases: [string, number, number][] = [
    ['a byte short', 3 * part, 3 * part - 1],
    ['a part short', 3 * part, 2 * part],
    ['much shorter than a part', 3 * part, 10],
    ['nothing', 3 * part, 0],
    ['a byte more', 3 * part, 3 * part + 1],
    ['a part more', 3 * part, 4 * part],
    ['a byte more than nothing', 0, 1],
    ['small and a byte more', 10, 11],
  ]
  for (const [name, size, length] of cases) {
    const dev = await smallUploads(t)
    const bytes = noise(Math.max(size, length))
    // What is too much is cut when the first part is stored.
    const upload = dev.upload({ size, concurrency: 1 })
    const resumable = size > part && length > part
    await t.rejects(
      send(upload, bytes.subarray(0, length)),
      { code: 'PAWL_SIZE_MISMATCH', resumable, transient: false },
      name,
    )
    t.equal(dev.server.objectPath('examplebucket', key), undefined)
    t.equal(
      dev.seen('CompleteMultipartUpload').length + dev.seen('PutObject').length,
      0,
      'nothing is completed',
    )
    await dev.run(bytes.subarray(0, size), { size })
    t.ok(bytes.subarray(0, size).equals(await dev.object(key)))
    t.same(dev.server.openUploads(), [])
  }
})

await t.test('a source that runs on for ever is stopped at size', async (t) => {
  const dev = await smallUploads(t)
  const upload = dev.upload({ size: 2 * part })
  let given = 0
  await t.rejects(
    pipeline(function* source() {
      for (;;) {
        given += part
        yield noise(part)
      }
    }, upload),
    { code: 'PAWL_SIZE_MISMATCH' },
  )
  // Buffers of five parts, and what streams hold between: far from all of it.
  t.ok(given < 64 * part, `${given} bytes were taken`)
  await upload.result.catch(() => undefined)
})

await t.test('0 bytes are an object of 0 bytes', async (t) => {
  const dev = await smallUploads(t)
  const empty = Buffer.alloc(0)
  t.match(await dev.run(empty), { size: 0, parts: 0, crc64: '0' })
  t.match(await dev.run(empty, { size: 0 }), { size: 0 })
  const upload = dev.upload()
  upload.write(empty)
  upload.end(empty)
  t.match(await upload.result, { size: 0 })
  t.equal((await dev.object(key)).length, 0)
})

await t.test('empty chunks and exact multiples make no part', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  const upload = dev.upload()
  await pipeline(function* source() {
    yield Buffer.alloc(0)
    for (let at = 0; at < bytes.length; at += part) {
      yield bytes.subarray(at, at + part)
      yield Buffer.alloc(0)
    }
    yield Buffer.alloc(0)
  }, upload)
  t.match(await upload.result, { parts: 3, size: bytes.length })
  t.ok(bytes.equals(await dev.object(key)))
})

/** Real stores take 10,000; one that takes fewer is no other to the uploader. */
const maxParts = sized({ fast: 120, more: 10_000, long: 10_000 })

await t.test('as many parts as the store takes, and one more', async (t) => {
  const tiny = 16
  const options = {
    partSize: tiny,
    concurrency: 32,
    checkpoint: memoryCheckpoint(),
  }
  const dev = await smallUploads(t, { digests: 'crc64', discard: true })
  const store = smallStore(dev.store, { maxParts })
  const bytes = noise(maxParts * tiny)
  const upload = dev.upload({ ...options, store })
  const retries: unknown[] = []
  upload.on('retry', (event) => retries.push(event))
  await send(upload, bytes)
  t.match(await upload.result, { parts: maxParts, size: bytes.length })
  t.same(retries, [])
  t.equal(dev.seen('UploadPart').length, maxParts)
  // With its size known nothing is sent in vain: the parts get larger.
  const larger = Buffer.concat([bytes, Buffer.from('x')])
  const known = dev.upload({ ...options, store, size: larger.length })
  await send(known, larger)
  t.match(await known.result, { size: larger.length })
  t.ok((await known.result).parts <= 1)
})

await t.test('a part too many, of an unknown size', async (t) => {
  // The same limit, lower: what counts is the step across it.
  for (const concurrency of [1, 4]) {
    const dev = await smallUploads(t)
    const store = smallStore(dev.store, { maxParts: 20 })
    const bytes = noise(20 * part + 1)
    const options = { store, concurrency }
    const error = await dev.fail(bytes, options)
    t.match(error, {
      code: 'PAWL_TOO_MANY_PARTS',
      partNumber: 21,
      resumable: false,
      transient: false,
      message: /larger partSize/,
    })
    t.same(dev.server.openUploads(), [], 'what was stored is removed')
    t.equal(dev.seen('CreateMultipartUpload').length, 1)
    const since = dev.server.requests.length
    t.match(await dev.run(bytes, { ...options, partSize: 2 * part }), {
      parts: 11,
      resumed: false,
    })
    t.equal(dev.partsSince(since).length, 11)
    t.ok(bytes.equals(await dev.object(key)))
    t.same(dev.server.openUploads(), [])
  }
})

await t.test('a size that no part size fits is refused at once', async (t) => {
  const dev = await smallUploads(t)
  const store = smallStore(dev.store, { maxParts: 20, maxPartSize: 2 * part })
  t.throws(() => dev.upload({ store, size: 40 * part + 1 }), {
    code: 'PAWL_INVALID_OPTION',
  })
  t.same(dev.server.requests, [])
})

await t.test('a file of the same size and times, changed', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  const bytes = noise(6 * part)
  await writeFile(path, bytes)
  const { atime, mtime } = await stat(path)
  const first = dev.upload({ concurrency: 1 })
  let stored = 0
  first.on('part', () => {
    if (++stored === 5) first.destroy()
  })
  await pipeline(createReadStream(path), first).catch(() => undefined)
  t.ok((await failureOf(first)) instanceof UploadError)
  const changed = Buffer.from(bytes)
  changed[part + 3] = (changed[part + 3] ?? 0) ^ 0x40
  await writeFile(path, changed)
  await utimes(path, atime, mtime)
  const since = dev.server.requests.length
  const second = dev.upload({ concurrency: 1 })
  await pipeline(createReadStream(path), second)
  t.match(await second.result, { partsReused: 4 })
  t.same(dev.partsSince(since), [2, 6])
  t.ok(changed.equals(await dev.object(key)), 'the bytes of this run')
})

await t.test('chunks of every kind and their later changes', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part + 11)
  const upload = dev.upload()
  for (let at = 0; at < bytes.length; at += 777) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + 777))
    await new Promise<void>((resolve, reject) => {
      upload.write(chunk, (error) => (error ? reject(error) : resolve()))
    })
    // What was written may be used again by its owner.
    chunk.fill(0)
  }
  upload.end()
  await upload.result
  t.ok(bytes.equals(await dev.object(key)))
  const text = dev.upload()
  text.write('grüße ', 'utf8')
  text.end('616263', 'hex')
  await text.result
  t.equal((await dev.object(key)).toString(), 'grüße abc')
})
