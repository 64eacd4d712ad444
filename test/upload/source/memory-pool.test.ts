/** Memory that goes from an upload to the next one, and is let go. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { uploadFile } from '../../../lib/index.js'
import { realUploadEnvironment } from '../../../lib/upload/options/environment.js'
import { Deferred } from '../../../lib/signals.js'
import {
  blockAround,
  blockWithin,
  MemoryPool,
} from '../../../lib/upload/source/memory-pool.js'
import { noise } from '../../support/dev-store.js'
import { handClock } from '../../support/hand-clock.js'
import { key, part, smallUploads, until } from '../../support/small-upload.js'
import { wrapStore } from '../../support/small-store.js'

const KiB = 1024
const MiB = 1024 * KiB

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** A pool on a clock, and what it asked the engine to look for. */
function newPool() {
  const clock = handClock()
  const urged: number[] = []
  const pool = new MemoryPool(clock, (bytes) => void urged.push(bytes))
  return { clock, pool, urged }
}

/** A turn of its own, so that nothing holds what is only known weakly. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, 1))

await t.test('what comes back is given out next, by size and kind', (t) => {
  const { pool } = newPool()
  const shared = pool.take(64 * KiB, true)
  const own = pool.take(64 * KiB, false)
  const large = pool.take(MiB, true)
  t.ok(shared.buffer instanceof SharedArrayBuffer)
  t.ok(own.buffer instanceof ArrayBuffer)
  t.equal(pool.bytesInUse, MiB + 128 * KiB)
  for (const block of [shared, own, large]) pool.giveBack(block)
  t.equal(pool.bytesInUse, 0)
  t.equal(pool.bytesKept, MiB + 128 * KiB)
  t.equal(pool.take(64 * KiB, true).buffer, shared.buffer)
  t.equal(pool.take(64 * KiB, false).buffer, own.buffer)
  t.equal(pool.take(MiB, true).buffer, large.buffer)
  t.equal(pool.bytesKept, 0)
  t.equal(pool.bytesInUse, MiB + 128 * KiB)
  const more = pool.take(MiB, true)
  t.not(more.buffer, large.buffer)
  t.end()
})

await t.test('sizes of blocks', (t) => {
  const rows: [bytes: number, within: number, around: number][] = [
    [0, 64 * KiB, 64 * KiB],
    [1, 64 * KiB, 64 * KiB],
    [64 * KiB, 64 * KiB, 64 * KiB],
    [64 * KiB + 1, 64 * KiB, 256 * KiB],
    [MiB - 1, 256 * KiB, MiB],
    [4 * MiB, 4 * MiB, 4 * MiB],
    [5 * MiB, 4 * MiB, 4 * MiB],
    [Infinity, 4 * MiB, 4 * MiB],
  ]
  for (const [bytes, within, around] of rows) {
    t.same([blockWithin(bytes), blockAround(bytes)], [within, around])
  }
  t.end()
})

await t.test('a block that nobody uses for five seconds is let go', (t) => {
  const { clock, pool } = newPool()
  const blocks = [1, 2, 3].map(() => pool.take(MiB, true))
  for (const block of blocks) pool.giveBack(block)
  for (let second = 0; second < 20; second++) {
    // One of them is used again and again.
    pool.giveBack(pool.take(MiB, true))
    clock.advance(1000)
  }
  t.equal(pool.bytesKept, MiB)
  clock.advance(10_000)
  t.equal(pool.bytesKept, 0)
  t.equal(clock.hanging, 0, 'no timer is left')
  t.end()
})

await t.test('and after a minute, while others are in use', (t) => {
  const { clock, pool } = newPool()
  const [inUse, ...rest] = [1, 2, 3].map(() => pool.take(MiB, true))
  for (const block of rest) pool.giveBack(block)
  clock.advance(55_000)
  t.equal(pool.bytesKept, 2 * MiB)
  clock.advance(15_000)
  t.equal(pool.bytesKept, 0)
  t.ok(inUse)
  if (inUse !== undefined) pool.giveBack(inUse)
  clock.advance(10_000)
  t.equal(pool.bytesKept, 0, 'as soon as ever once none is')
  t.equal(clock.hanging, 0, 'no timer is left')
  t.end()
})

await t.test('what was let go is given out again', async (t) => {
  const { clock, pool } = newPool()
  const memories = new Set<ArrayBufferLike>()
  const blocks = [1, 2, 3].map(() => pool.take(MiB, true))
  for (const block of blocks) {
    memories.add(block.buffer)
    pool.giveBack(block)
  }
  clock.advance(20_000)
  t.equal(pool.bytesKept, 0)
  t.equal(pool.bytesLetGo, 3 * MiB)
  for (let i = 0; i < 3; i++) t.ok(memories.has(pool.take(MiB, true).buffer))
  t.equal(pool.bytesLetGo, 0)
  t.notOk(memories.has(pool.take(MiB, true).buffer), 'no block twice')
  t.equal(pool.bytesInUse, 4 * MiB)
})

await t.test('the engine is made to look for it, and frees it', async (t) => {
  const { clock, pool, urged } = newPool()
  const take = (count: number): void => {
    const blocks = Array.from({ length: count }, () => pool.take(4 * MiB, true))
    for (const block of blocks) pool.giveBack(block)
  }
  take(3)
  clock.advance(20_000)
  t.same(urged, [], 'a little is not worth it')
  take(5)
  clock.advance(20_000)
  t.same(urged, [20 * MiB, 20 * MiB, 20 * MiB], 'and not for ever')
  await nextTurn()
  collectGarbage()
  await until(() => pool.bytesLetGo === 0)
  t.equal(pool.bytesLetGo, 0)
  take(5)
  t.equal(pool.bytesKept, 20 * MiB)
})

await t.test('while uploads go on the engine is left alone', (t) => {
  const { clock, pool, urged } = newPool()
  const blocks = Array.from({ length: 8 }, () => pool.take(4 * MiB, true))
  for (const block of blocks) pool.giveBack(block)
  for (let second = 0; second < 60; second++) {
    pool.giveBack(pool.take(4 * MiB, true))
    clock.advance(1000)
  }
  t.equal(pool.bytesKept, 4 * MiB)
  t.same(urged, [])
  t.end()
})

/** The distinct memory that uploads give back from now on. */
function givenBack(t: Test): () => number {
  const { pool } = realUploadEnvironment
  const giveBack = pool.giveBack.bind(pool)
  const calls = t.capture(pool, 'giveBack', giveBack)
  const all = new Set<ArrayBufferLike>()
  return () => {
    for (const { args } of calls()) all.add(args[0].buffer)
    return all.size
  }
}

await t.test('a stream of one byte takes 64 KiB', async (t) => {
  const dev = await smallUploads(t)
  const { pool } = realUploadEnvironment
  const take = pool.take.bind(pool)
  const calls = t.capture(pool, 'take', take)
  await dev.run(noise(1), { partSize: 8 * MiB })
  t.same(
    calls().map(({ args: [size] }) => size),
    [64 * KiB],
  )
})

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
      concurrency: 4,
      multipartThreshold: i === 1 ? 1 : 100_000,
    })
    t.ok(bytes.equals(await dev.object(`file-${i}`)))
  }
  // Those of the file that is streamed, and the one of a file that is held.
  t.ok(memories() >= 1 && memories() <= 6, `${memories()} buffers`)
})
