/** What an upload stream makes of its source and its options. */
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { realEnvironment } from '../../lib/environment.js'
import type { Progress } from '../../lib/index.js'
import { realUploadEnvironment } from '../../lib/upload/options/environment.js'
import { MemoryPool } from '../../lib/upload/source/memory-pool.js'
import { ResumableUploadStream } from '../../lib/upload/stream.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import {
  key,
  logExists,
  send,
  sendSome,
  uploadTo,
} from '../support/stream-upload.js'

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
      bytesDone: bytes.length,
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

await t.test(
  'a chunk that is taken away is no part of any object',
  async (t) => {
    for (const size of [10, 3 * smallPart]) {
      const dev = await devStore(t)
      const upload = uploadTo(dev, { checkpoint: false })
      const memory = new ArrayBuffer(size)
      const failed = once(upload, 'error')
      upload.write(new Uint8Array(memory))
      structuredClone(memory, { transfer: [memory] })
      upload.end()
      const [error] = await failed
      t.match(error, { code: 'PAWL_SOURCE_IO', message: /taken away/ })
      await t.rejects(upload.result, { code: 'PAWL_SOURCE_IO' })
      t.notOk(dev.server.requests.some(({ method }) => method === 'PUT'))
    }
  },
)

/** Resolves when the upload has taken a byte, and so has begun. */
function begun(upload: ResumableUploadStream): Promise<void> {
  return new Promise((resolve) => {
    upload.write('x', () => resolve())
  })
}

await t.test(
  'a source is asked for its next piece before a large one is taken',
  async (t) => {
    const dev = await devStore(t)
    const piece = noise(1024 * 1024)
    const upload = uploadTo(dev, { partSize: piece.length })
    await begun(upload)
    /** Bytes that the upload has still to take, each time that the source is asked. */
    const left: number[] = []
    const source = new Readable({
      highWaterMark: piece.length,
      read() {
        const next = left.push(upload.writableLength) < 4 ? piece : null
        setImmediate(() => this.push(next))
      },
    })
    await pipeline(source, upload)
    t.same(left.slice(0, 2), [0, piece.length])
    const expected = Buffer.concat([Buffer.from('x'), piece, piece, piece])
    t.ok(expected.equals(await dev.object(key)))
  },
)

await t.test('a large piece takes no memory after a destroy', async (t) => {
  const { store } = await devStore(t)
  const pool = new MemoryPool(realEnvironment, () => undefined)
  const upload = new ResumableUploadStream(
    { store, key, checkpoint: false },
    { ...realUploadEnvironment, pool },
  )
  await begun(upload)
  t.ok(pool.bytesInUse > 0)
  upload.on('error', () => undefined)
  upload.write(noise(1024 * 1024))
  upload.destroy()
  await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
  // Its turn has come and gone.
  await new Promise(setImmediate)
  t.equal(pool.bytesInUse, 0)
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
