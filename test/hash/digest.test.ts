import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Crc64Hashers, type Crc64Variant } from '../../lib/hash/crc64.js'
import { Digests, type DigestKind } from '../../lib/hash/digest.js'

const kinds: DigestKind[] = ['crc64ecma', 'crc64nvme', 'md5', 'sha256']
const digests = new Digests()
const bytes = randomBytes(3 * 1024 * 1024 + 17)
const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
shared.set(bytes)

async function expected(kind: DigestKind, data: Uint8Array): Promise<string> {
  if (kind === 'md5') return createHash('md5').update(data).digest('base64')
  if (kind === 'sha256') return createHash('sha256').update(data).digest('hex')
  return crc64(kind, data)
}

async function crc64(variant: Crc64Variant, data: Uint8Array) {
  const crc = await new Crc64Hashers().create(variant)
  crc.update(data)
  return crc.digest()
}

for (const kind of kinds) {
  await t.test(`${kind} is the same here and in the worker`, async (t) => {
    digests.warmUp()
    const value = await expected(kind, bytes)
    t.equal(await digests.here(kind, bytes), value, 'here')
    t.equal(
      await digests.digest(kind, bytes),
      value,
      'memory that is not shared',
    )
    // Long enough for the worker to have started in at least one of the rounds.
    for (let round = 0; round < 20; round++) {
      t.equal(
        await digests.digest(kind, shared),
        value,
        `shared, round ${round}`,
      )
      await nextTurn()
    }
  })
}

await t.test('views of shared memory are hashed where they are', async (t) => {
  const view = shared.subarray(1000, 1000 + 512 * 1024)
  const copies = Array.from({ length: 8 }, () =>
    digests.digest('crc64ecma', view),
  )
  const value = await crc64('crc64ecma', bytes.subarray(1000, 525_288))
  t.same(await Promise.all(copies), Array(8).fill(value))
})

/** Over 20 views, all of one memory in turn, as a file is read. */
async function passed(
  by: Digests,
  kind: DigestKind,
  size: number,
): Promise<string | undefined> {
  const view = new Uint8Array(new SharedArrayBuffer(bytes.length / 20 + 1))
  const digest = await by.beside(kind, size)
  for (let at = 0; at < bytes.length; at += view.length) {
    const piece = bytes.subarray(at, at + view.length)
    view.set(piece)
    await digest.update(view.subarray(0, piece.length))
  }
  return digest.digest()
}

for (const kind of kinds) {
  await t.test(`${kind} of bytes that come one after the other`, async (t) => {
    const value = await expected(kind, bytes)
    const here = new Digests({ canThread: false })
    t.equal(await passed(here, kind, bytes.length), value, 'here')
    t.equal(await passed(digests, kind, 1), value, 'a little')
    digests.warmUp()
    const all = Array.from({ length: 3 }, () => passed(digests, kind, 1e9))
    t.same(await Promise.all(all), [value, value, value], 'in the worker')
  })
}

await t.test('pieces are hashed in order', async (t) => {
  const pieces = [shared.subarray(0, 1000), shared.subarray(1000)]
  for (const kind of kinds) {
    const value = await expected(kind, bytes)
    t.equal(await digests.digest(kind, ...pieces), value)
    t.equal(await digests.here(kind, ...pieces), value)
    t.equal(await digests.digest(kind), await expected(kind, new Uint8Array(0)))
  }
})

await t.test('what a worker that ends had begun', async (t) => {
  const workers = once(process, 'worker')
  const own = new Digests({ canThread: true })
  const digest = await own.beside('sha256', 1e9)
  const [worker] = (await workers) as [Worker]
  await digest.update(shared.subarray(0, 1000))
  const whole = own.digest('sha256', shared)
  const more = digest.update(shared)
  await worker.terminate()
  await more
  t.equal(await whole, await expected('sha256', bytes), 'is done here')
  t.equal(await digest.digest(), undefined, 'or said to be lost')
  t.equal(await passed(own, 'sha256', 1e9), await expected('sha256', bytes))
})

await t.test('where no worker starts the work is done here', async (t) => {
  let starts = 0
  const alone = new Digests({
    canThread: true,
    start: () => {
      starts += 1
      throw Object.assign(new Error('no'), { code: 'ERR_ACCESS_DENIED' })
    },
  })
  alone.warmUp()
  for (const kind of kinds) {
    t.equal(await alone.digest(kind, shared), await expected(kind, bytes))
  }
  t.equal(starts, 1, 'and none is tried again')
})

await t.test('what a worker leaves undone is done here', async (t) => {
  const ends = {
    'at once': 'process.exit(1)',
    'by an error': 'throw new Error("no such file")',
    'with a job in hand': `
      const { parentPort } = require('node:worker_threads')
      parentPort.postMessage('ready')
      parentPort.once('message', () => process.exit(1))`,
  }
  const value = await crc64('crc64ecma', bytes)
  for (const [how, text] of Object.entries(ends)) {
    const workers: Worker[] = []
    const failing = new Digests({
      canThread: true,
      start: () => {
        const worker = new Worker(text, { eval: true, execArgv: [] })
        workers.push(worker)
        return worker
      },
    })
    failing.warmUp()
    // Until it is gone, and once more.
    for (let threadId = 0; threadId !== -1;) {
      threadId = workers[0]?.threadId ?? -1
      t.equal(await failing.digest('crc64ecma', shared), value, how)
      await nextTurn()
    }
    t.equal(workers.length, 1, 'and none is started again')
  }
})

await t.test('a worker that rests ends, and another one begins', async (t) => {
  const own = new Digests({ canThread: true })
  const value = await expected('sha256', bytes)
  own.rest()
  for (let round = 1; round <= 3; round++) {
    const started = once(process, 'worker')
    const digest = await own.beside('sha256', 1e9)
    const [worker] = (await started) as [Worker]
    own.rest()
    await digest.update(shared)
    own.rest()
    t.equal(await digest.digest(), value, 'not before its work is done')
    const ended = once(worker, 'exit')
    own.rest()
    await ended
  }
})
