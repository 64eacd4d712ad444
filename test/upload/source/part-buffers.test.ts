import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { realEnvironment, type Timer } from '../../../lib/environment.js'
import { UploadError } from '../../../lib/errors.js'
import { loadXxh64 } from '../../../lib/hash/xxh64.js'
import { realUploadEnvironment } from '../../../lib/upload/options/environment.js'
import { FileParts, piecesOf } from '../../../lib/upload/source/file-parts.js'
import { MemoryPool } from '../../../lib/upload/source/memory-pool.js'
import {
  type PartBuffer,
  PartBuffers,
  pooled,
  together,
} from '../../../lib/upload/source/part-buffers.js'
import type { TakenPart } from '../../../lib/upload/source/part-content.js'

const KiB = 1024
const MiB = 1024 * KiB

const newPool = (): MemoryPool =>
  new MemoryPool(realEnvironment, () => undefined)

await t.test('never more buffers than there may be', async (t) => {
  const buffers = new PartBuffers(10, 2, together())
  const first = buffers.tryAcquire()
  const second = buffers.tryAcquire()
  t.equal(first?.blockAt(0).bytes.byteLength, 10)
  t.not(first?.blockAt(0).bytes, second?.blockAt(0).bytes)
  t.equal(buffers.tryAcquire(), undefined)
  t.equal(buffers.inUse, 2)
})

await t.test('memory that comes back is the next one', async (t) => {
  const buffers = new PartBuffers(10, 3, together())
  const first = buffers.tryAcquire()
  const memory = first?.blockAt(0).bytes.buffer
  first?.release()
  t.equal(buffers.inUse, 0)
  t.equal(buffers.tryAcquire()?.blockAt(0).bytes.buffer, memory)
})

await t.test(
  'a third part that has grown waits for one of two, for a second, and once',
  async (t) => {
    const large = 32 * MiB
    const rings: { ms: number; ring: () => void; isCancelled: boolean }[] = []
    const timer = (ms: number, ring: () => void): Timer => {
      const one = { ms, ring, isCancelled: false }
      rings.push(one)
      return { cancel: () => void (one.isCancelled = true) }
    }
    const room = { parts: 5, bytes: 3 * large }
    const memory = pooled(newPool(), false)
    const buffers = new PartBuffers(MiB, room, memory, { timer })
    const got: PartBuffer[] = []
    const take = (buffer: PartBuffer): void => void got.push(buffer)
    const ask = (): void => buffers.acquire(take, large)
    ask()
    ask()
    t.equal(rings.length, 0, 'nobody waits for two')
    ask()
    t.equal(got.length, 2)
    t.match(rings, [{ ms: 1000, isCancelled: false }])
    got[0]?.release()
    t.equal(got.length, 3, 'it has the place of one that was stored')
    t.equal(rings[0]?.isCancelled, true)
    ask()
    buffers.cancel(take)
    t.match(rings[1], { isCancelled: true }, 'nobody waits any more')
    ask()
    t.equal(got.length, 3)
    rings[2]?.ring()
    t.equal(got.length, 4, 'none was stored for a second')
    got[1]?.release()
    ask()
    t.equal(got.length, 5, 'from then on there is room for three')
    ask()
    got[2]?.release()
    t.equal(got.length, 6)
    t.equal(buffers.inUse, 3)
    t.equal(rings.length, 3)
    const ofOneSize = new PartBuffers(large, room, memory, { timer })
    for (const _ of [1, 2, 3]) t.ok(ofOneSize.tryAcquire())
    t.equal(rings.length, 3, 'none of these has grown')
  },
)

await t.test('who may have as many as he said, has them at once', async (t) => {
  const room = { parts: 3, bytes: Infinity }
  const memory = pooled(newPool(), false)
  const buffers = new PartBuffers(32 * MiB, room, memory)
  for (const _ of [1, 2, 3]) t.ok(buffers.tryAcquire())
  t.equal(buffers.tryAcquire(), undefined)
})

await t.test('who waits is served in turn', async (t) => {
  const buffers = new PartBuffers(1, 1, together())
  const got: string[] = []
  let held: PartBuffer | undefined
  const ask = (name: string): void =>
    buffers.acquire((buffer) => {
      got.push(name)
      held = buffer
    })
  ask('a')
  ask('b')
  ask('c')
  t.same(got, ['a'])
  held?.release()
  t.same(got, ['a', 'b'])
  t.equal(buffers.inUse, 1)
  held?.release()
  t.same(got, ['a', 'b', 'c'])
})

await t.test('bytes are counted too, and two parts always have room', (t) => {
  const rows: [parts: number, bytes: number, sizes: number[], fit: number][] = [
    [5, 96, [8, 8, 8, 8, 8, 8], 5],
    [5, 96, [32, 32, 32, 32], 3],
    // Small ones are under way still when the first large one is begun.
    [5, 96, [8, 8, 8, 32, 32], 5],
    [5, 96, [8, 8, 32, 32, 32], 4],
    [5, 20, [8, 8, 8], 2],
    [5, 20, [8, 32, 32], 2],
    [5, 1, [8, 8, 8], 2],
    [2, Infinity, [8, 32, 32], 2],
  ]
  for (const [parts, bytes, sizes, fit] of rows) {
    const buffers = new PartBuffers(8, { parts, bytes }, together())
    const got = sizes.map((size) => buffers.tryAcquire(size))
    const first = got.indexOf(undefined)
    t.equal(
      first < 0 ? sizes.length : first,
      fit,
      `${sizes.join(', ')} in ${bytes}`,
    )
  }
  t.end()
})

await t.test('a large part waits for the room of several small ones', (t) => {
  const room = { parts: 5, bytes: 64 }
  const buffers = new PartBuffers(8, room, pooled(newPool(), true))
  const small = [1, 2, 3, 4, 5].map(() => buffers.tryAcquire())
  const got: number[] = []
  const held: PartBuffer[] = []
  const ask = (): void =>
    buffers.acquire((buffer) => {
      got.push(buffer.size)
      held.push(buffer)
    }, 32)
  ask()
  ask()
  t.same(got, [], 'no part more at once')
  const give = (): void => {
    const buffer = small.pop()
    buffer?.release()
  }
  give()
  t.same(got, [32], '4 of 8 bytes are in hand, and 32 more')
  for (let more = 0; more < 3; more++) {
    give()
    t.same(got, [32], 'no room for another')
  }
  give()
  t.same(got, [32, 32])
  t.equal(buffers.inUse, 2)
  t.end()
})

await t.test('who has gone is passed over', async (t) => {
  const buffers = new PartBuffers(1, 1, together())
  const held = buffers.tryAcquire()
  const gone = (): void => void t.fail('it had gone')
  let isServed = false
  buffers.acquire(gone)
  buffers.acquire(() => {
    isServed = true
  })
  buffers.cancel(gone)
  buffers.cancel(gone)
  held?.release()
  t.ok(isServed)
})

await t.test('more may be allowed, and fewer', async (t) => {
  const buffers = new PartBuffers(1, 1, together())
  const held: PartBuffer[] = []
  const ask = (): void => buffers.acquire((buffer) => held.push(buffer))
  for (let asked = 0; asked < 5; asked++) ask()
  t.equal(held.length, 1)
  buffers.allow({ parts: 3, bytes: Infinity })
  t.equal(held.length, 3, 'who waited has them')
  buffers.allow({ parts: 2, bytes: Infinity })
  for (const buffer of held.splice(0, 2)) buffer.release()
  t.equal(held.length, 2, 'of those given back one was too many')
  t.equal(buffers.inUse, 2)
})

await t.test('a worker can read what is pooled for it', async (t) => {
  for (const isShared of [true, false]) {
    const buffers = new PartBuffers(4, 1, pooled(newPool(), isShared))
    const memory = buffers.tryAcquire()?.blockAt(0).bytes.buffer
    t.equal(memory instanceof SharedArrayBuffer, isShared)
  }
})

await t.test('a part takes the blocks that it needs, and no more', (t) => {
  const rows: [size: number, isFirst: boolean, blocks: number[]][] = [
    [1, false, [1]],
    [64 * KiB, false, [64 * KiB]],
    [100 * KiB, false, [64 * KiB, 36 * KiB]],
    [5 * MiB, false, [4 * MiB, MiB]],
    [8 * MiB, false, [4 * MiB, 4 * MiB]],
    [
      6 * MiB + 300_000,
      false,
      [4 * MiB, MiB, MiB, 256 * KiB, 300_000 - 256 * KiB],
    ],
    // It may end anywhere.
    [
      8 * MiB,
      true,
      [
        64 * KiB,
        256 * KiB,
        MiB,
        4 * MiB,
        MiB,
        MiB,
        256 * KiB,
        256 * KiB,
        64 * KiB,
        64 * KiB,
        64 * KiB,
      ],
    ],
  ]
  for (const [size, isFirst, blocks] of rows) {
    const pool = newPool()
    const buffers = new PartBuffers(size, 1, pooled(pool, true), {
      isShortFirst: isFirst,
    })
    const buffer = buffers.tryAcquire()
    t.equal(pool.bytesInUse, 0, 'nothing before the first byte')
    const views = [...(buffer?.views(size) ?? [])]
    t.same(
      views.map(({ byteLength }) => byteLength),
      blocks,
      `${size} bytes`,
    )
    t.ok(pool.bytesInUse < size + 64 * KiB, `${pool.bytesInUse} bytes`)
    t.throws(() => buffer?.blockAt(size), RangeError)
    buffer?.release()
    t.equal(pool.bytesInUse, 0)
  }
  t.end()
})

await t.test('only the first part begins small', (t) => {
  const buffers = new PartBuffers(8 * MiB, 2, pooled(newPool(), true), {
    isShortFirst: true,
  })
  const firstBlock = (): number | undefined =>
    buffers.tryAcquire()?.blockAt(0).bytes.byteLength
  t.same([firstBlock(), firstBlock()], [64 * KiB, 4 * MiB])
  t.end()
})

await t.test('each byte has its block', (t) => {
  const buffer = new PartBuffers(6 * MiB, 1, pooled(newPool(), true), {
    isShortFirst: true,
  }).tryAcquire()
  if (buffer === undefined) throw new Error('there is room')
  for (let at = 0; at < 6 * MiB; at += 64 * KiB) {
    const { start, bytes } = buffer.blockAt(at)
    t.ok(start <= at && at < start + bytes.byteLength)
    for (const before of [0, at >> 1, at]) {
      const block = buffer.blockAt(before)
      t.ok(block.start <= before)
      t.ok(before < block.start + block.bytes.byteLength)
    }
  }
  t.end()
})

await t.test('parts of a file that are held are read ahead', async (t) => {
  // Of its hash nothing is to be waited for.
  await loadXxh64()
  let read = 0
  const source = {
    read: async (into: Uint8Array) => void (read += into.byteLength),
    mustBeUnchanged: async () => undefined,
    changed: (how: string) => new UploadError('PAWL_SOURCE_CHANGED', how),
  }
  let allowed = 1
  let tell = (): void => undefined
  const atOnce = {
    get allowed() {
      return allowed
    },
    watch: (listener: () => void) => void (tell = listener),
  }
  const largest = 10
  const parts = new FileParts(
    source,
    { largest, atOnce, needsXxh64: true, needsDigests: true, held: 4 },
    realUploadEnvironment,
    () => undefined,
  )
  const taken: TakenPart[] = []
  const takeAll = async (): Promise<void> => {
    for (const piece of piecesOf(80, { partSize: largest })) {
      taken.push(await parts.take(piece, new AbortController().signal))
    }
  }
  const all = takeAll()
  const settled = async (): Promise<void> => {
    for (let turns = 0; turns < 5; turns++) await turn()
  }
  await settled()
  t.equal(read, 30)
  allowed = 2
  tell()
  await settled()
  t.equal(read, 40)
  for (let next = 0; next < 8; next++) {
    taken[next]?.release()
    await settled()
  }
  await all
  t.equal(read, 80)
})

await t.test('behind its first 96 MiB a file has larger views', async (t) => {
  const source = {
    read: async (): Promise<void> => undefined,
    mustBeUnchanged: async (): Promise<void> => undefined,
    changed: () => new UploadError('PAWL_SOURCE_CHANGED', 'never'),
  }
  const partSize = 8 * MiB
  const parts = new FileParts(
    source,
    {
      largest: partSize,
      atOnce: { allowed: 4, watch: () => undefined },
      needsXxh64: false,
      needsDigests: false,
      held: 0,
    },
    { ...realUploadEnvironment, pool: newPool() },
    () => undefined,
  )
  const pace = { size: 64 * MiB, start: () => () => undefined }
  const sizes: number[][] = []
  for (const piece of piecesOf(14 * partSize + 1, { partSize })) {
    const part = await parts.take(piece, new AbortController().signal)
    const views = part.content.body(pace, () => undefined)()
    const of: number[] = []
    for await (const { byteLength } of views) of.push(byteLength / MiB)
    sizes.push(of)
    part.release()
  }
  const small = Array.from({ length: 8 }, () => 1)
  const expected = [...Array.from({ length: 12 }, () => small), [4, 4], [4, 4]]
  t.same(sizes, [...expected, [1 / MiB]])
})
