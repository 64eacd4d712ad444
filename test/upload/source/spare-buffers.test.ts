/** Memory that goes from an upload that has ended to the next one. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { realEnvironment } from '../../../lib/environment.js'
import { uploadFile } from '../../../lib/index.js'
import { PartBuffers } from '../../../lib/upload/source/part-buffers.js'
import { Deferred } from '../../../lib/upload/run/deferred.js'
import {
  SpareBuffers,
  spareBuffers,
} from '../../../lib/upload/source/spare-buffers.js'
import { noise } from '../../support/dev-store.js'
import { key, part, smallUploads, until } from '../../support/small-upload.js'
import { wrapStore } from '../../support/small-store.js'

const MiB = 1024 ** 2

function memory(size: number, isShared = false): Uint8Array {
  return new Uint8Array(
    isShared ? new SharedArrayBuffer(size) : new ArrayBuffer(size),
  )
}

await t.test('what was kept is taken, of the kind that is asked for', (t) => {
  const spares = new SpareBuffers(realEnvironment)
  const own = memory(100)
  const shared = memory(100, true)
  spares.keep(shared)
  spares.keep(own)
  t.equal(spares.bytes, 200)
  t.equal(spares.take(100, true)?.buffer, shared.buffer)
  t.equal(spares.take(100, false)?.buffer, own.buffer)
  t.equal(spares.bytes, 0)
  t.equal(spares.take(100, false), undefined)
  t.end()
})

await t.test('larger memory serves a smaller buffer, and stays whole', (t) => {
  const spares = new SpareBuffers(realEnvironment)
  const large = memory(100)
  spares.keep(large)
  const small = spares.take(30, false)
  t.match(small, { byteOffset: 0, byteLength: 30 })
  t.equal(small?.buffer, large.buffer)
  if (small !== undefined) spares.keep(small)
  t.equal(spares.bytes, 100)
  t.equal(spares.take(100, false)?.byteLength, 100)
  t.end()
})

await t.test('what is too small is let go', (t) => {
  const spares = new SpareBuffers(realEnvironment)
  spares.keep(memory(100))
  t.equal(spares.take(101, false), undefined)
  t.equal(spares.bytes, 0)
  t.end()
})

await t.test('64 MiB at most, and for a while', async (t) => {
  const spares = new SpareBuffers(realEnvironment, 500)
  for (let i = 0; i < 5; i++) spares.keep(memory(15 * MiB))
  t.equal(spares.bytes, 60 * MiB)
  spares.keep(memory(65 * MiB))
  t.equal(spares.bytes, 60 * MiB)
  await until(() => spares.bytes === 0)
  t.equal(spares.bytes, 0)
})

await t.test('buffers go there when they are closed, or later', (t) => {
  const spares = new SpareBuffers(realEnvironment)
  const buffers = new PartBuffers(10, 2, { spares })
  const first = buffers.tryAcquire()
  const second = buffers.tryAcquire()
  if (first !== undefined) buffers.release(first)
  t.equal(spares.bytes, 0)
  buffers.close()
  t.equal(spares.bytes, 10)
  if (second !== undefined) buffers.release(second)
  t.equal(spares.bytes, 20)
  t.equal(buffers.inUse, 0)
  const next = new PartBuffers(10, 1, { spares })
  t.equal(next.tryAcquire()?.buffer, second?.buffer)
  t.end()
})

/** The distinct memory that uploads give back from now on. */
function givenBack(t: Test): () => number {
  const keep = spareBuffers.keep.bind(spareBuffers)
  const calls = t.capture(spareBuffers, 'keep', keep)
  const all = new Set<ArrayBufferLike>()
  return () => {
    for (const { args } of calls()) all.add(args[0].buffer)
    return all.size
  }
}

await t.test('one upload after another has the same memory', async (t) => {
  const dev = await smallUploads(t)
  const memories = givenBack(t)
  for (let i = 0; i < 5; i++) {
    const bytes = noise(20 * part + i)
    await dev.run(bytes, { key: `stream-${i}` })
    t.ok(bytes.equals(await dev.object(`stream-${i}`)))
  }
  // Those of one upload: as many as are in flight, and the one being filled.
  t.ok(memories() >= 1 && memories() <= 5, `${memories()} buffers`)
})

await t.test('so after runs that failed', async (t) => {
  const dev = await smallUploads(t)
  const memories = givenBack(t)
  const bytes = noise(20 * part)
  dev.server.setFault(({ operation, partNumber = 0 }) =>
    operation === 'UploadPart' && partNumber > 5
      ? { kind: 'status', status: 400, code: 'InvalidArgument' }
      : undefined,
  )
  await dev.fail(bytes)
  t.ok(memories() >= 2, `${memories()} buffers`)
  dev.server.setFault(undefined)
  await dev.run(bytes)
  t.ok(bytes.equals(await dev.object(key)))
  t.ok(memories() <= 5, `${memories()} buffers`)
})

for (const [call, size] of [
  ['putObject', part - 1],
  ['uploadPart', part],
] as const) {
  await t.test(`${call} keeps its memory while it lasts`, async (t) => {
    const dev = await smallUploads(t)
    const asked = new Deferred<void>()
    const answer = new Deferred<void>()
    const store = wrapStore(dev.small, {
      async around(name, run) {
        if (name === call) {
          asked.resolve()
          await answer.promise
        }
        return run()
      },
    })
    const memories = givenBack(t)
    const upload = dev.upload({ store })
    upload.on('error', () => undefined)
    upload.end(noise(size))
    await asked.promise
    upload.destroy()
    await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
    // That for the next part was not in use.
    const before = memories()
    t.ok(before <= 1, 'suspended without an answer')
    answer.resolve()
    await until(() => memories() > before)
    t.equal(memories(), before + 1, 'after the answer')
  })
}

await t.test('files of all sizes share theirs', async (t) => {
  const dev = await smallUploads(t)
  const path = join(dev.directory, 'source')
  const memories = givenBack(t)
  // In parts, whole in one request, shorter again.
  const sizes = [300_000, 9 * part + 1, 50_000, 0, 17]
  for (const [i, size] of sizes.entries()) {
    const bytes = noise(size)
    await writeFile(path, bytes)
    await uploadFile(path, {
      store: dev.small,
      key: `file-${i}`,
      checkpoint: false,
      partSize: part,
      multipartThreshold: i === 1 ? 1 : 100_000,
    })
    t.ok(bytes.equals(await dev.object(`file-${i}`)))
  }
  // Those of the file that is streamed, and the one of a file that is held.
  t.ok(memories() >= 1 && memories() <= 6, `${memories()} buffers`)
})
