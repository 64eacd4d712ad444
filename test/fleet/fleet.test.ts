import { appendFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  memoryCheckpoint,
  StoreError,
  type Checkpoint,
  type ObjectStore,
} from '../../lib/index.js'
import { FleetBucket } from '../../lib/fleet/fleet-bucket.js'
import { fleetStatus } from '../../lib/fleet/fleet-status.js'
import { encodeSlice, keyIn } from '../../lib/fleet/manifest.js'
import { planFleet, type PlannedFile } from '../../lib/fleet/plan-fleet.js'
import type { QueuedJob } from '../../lib/fleet/queue.js'
import { retryFleet } from '../../lib/fleet/retry-fleet.js'
import { walkFiles } from '../../lib/fleet/walk-files.js'
import {
  fleetBench,
  KeptQueue,
  type FleetBench,
} from '../support/fleet-bench.js'
import { failureIn } from '../support/shared-upload.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import { storeCall } from '../support/store-call.js'

const fleet = 'ingest'
const plan = ({ queue, small: store, root, retry }: FleetBench) =>
  planFleet({
    queue,
    fleet,
    store,
    retry,
    files: walkFiles(root),
    key: ({ path }) => `in/${path}`,
    sliceFiles: 3,
  })
const ask = ({ queue, small: store, retry }: FleetBench) =>
  fleetStatus({ queue, fleet, store, retry })

async function workAll(b: FleetBench): Promise<number> {
  let files = 0
  for (const { data } of b.queue.jobs.values()) {
    files += (await (await b.work(data))?.run())?.files ?? 0
  }
  return files
}

async function mustBeThere(t: Test, b: FleetBench): Promise<void> {
  for (const [path, bytes] of b.files) {
    t.ok(bytes.equals(await b.object(`in/${path}`)), path)
  }
}

await t.test('files are planned, uploaded and told of', async (t) => {
  const b = await fleetBench(t, { count: 10 })
  const planned = await plan(b)
  const bytes = [...b.files.values()].reduce((n, one) => n + one.length, 0)
  t.same(planned, { fleet, slices: 4, files: 10, bytes, added: 4 })
  t.match(await ask(b), {
    isPlanned: true,
    files: 10,
    bytes,
    filesDone: 0,
    left: 10,
    workers: 0,
  })
  const first = await b.work({ fleet, slice: 1 })
  t.match(await first?.run(), { files: 3, failed: 0, proved: 0 })
  t.match(await ask(b), { slicesDone: 1, filesDone: 3, left: 7 })
  t.equal(await workAll(b), 7)
  t.match(await ask(b), { filesDone: 10, left: 0, failed: 0 })
  await mustBeThere(t, b)
  const none = await failureIn(
    fleetStatus({ queue: b.queue, fleet: 'none', store: b.small }),
  )
  t.equal(none.code, 'PAWL_INVALID_STATE')
})

await t.test('a status is of its fleet, and of who is alive', async (t) => {
  const b = await fleetBench(t, { count: 1 })
  await plan(b)
  const job = (slice: number, processedBy?: string, of = fleet): QueuedJob => ({
    data: { fleet: of, slice },
    processedBy,
    processedOn: Date.now() - 1000 * slice,
  })
  b.queue.workers = [
    { rawname: 'bull:Zg==:w:node-1-aa' },
    { rawname: 'bull:Zg==:w:node-2-bb' },
    { rawname: 'bull:Zg==:w:node-3-cc' },
  ]
  b.queue.active = [
    job(5, 'node-1-aa'),
    job(4, 'node-1-aa'),
    job(3, 'node-2-bb', 'other'),
    job(60, 'node-9-gone'),
  ]
  b.queue.failed = [
    ...Array.from({ length: 1200 }, (_, i) => job(i + 1, undefined, 'other')),
    job(7),
    { data: 'forged' },
    { data: { fleet: { toString: () => fleet } } },
  ]
  const of = { workers: 1, workersOfQueue: 3, active: 2, abandoned: 1 }
  const status = await ask(b)
  t.match(status, { ...of, givenUp: 1, slicesDone: 0, left: 1 })
  const { oldest = 0 } = status
  t.ok(oldest >= 5000 && oldest < 60_000, 'a dead worker works on nothing')
  const [, ...others] = b.queue.workers
  b.queue.workers = others
  t.match(await ask(b), { workers: 0, active: 0, abandoned: 3 })
  // PostgreSQL cuts names, and some that are hosted give none.
  b.queue.workers = [{ rawname: 'bull:Zg==:w:node-1' }]
  t.match(await ask(b), { workers: 1, active: 2, abandoned: 1 })
  b.queue.workers = [{}]
  t.match(await ask(b), { workers: 2, active: 3, abandoned: 0 })
})

await t.test('planned again, nothing is added or sent', async (t) => {
  const b = await fleetBench(t, { count: 7 })
  await plan(b)
  await (await b.work({ fleet, slice: 2 }))?.run()
  const puts = b.seen('PutObject').length
  t.match(await plan(b), { slices: 3, added: 0 })
  t.equal(b.queue.jobs.size, 3)
  t.equal(b.seen('PutObject').length, puts)
  t.equal(await b.work({ fleet, slice: 2 }), undefined, 'it is done')
})

await t.test('a queue that lost everything sends nothing twice', async (t) => {
  const b = await fleetBench(t, { count: 7 })
  await plan(b)
  await (await b.work({ fleet, slice: 2 }))?.run()
  // A worker is in the middle of another one.
  b.server.setFault(({ key, operation }) =>
    operation === 'PutObject' && key?.includes('/done/') === true
      ? { kind: 'status', status: 503 }
      : undefined,
  )
  const first = await b.work({ fleet, slice: 1 })
  await failureIn(first?.run() ?? Promise.resolve())
  b.server.setFault(undefined)
  b.queue.jobs.clear()
  t.match(await plan(b), { added: 2 })
  const jobs = [...b.queue.jobs.values()].map(({ data }) => data)
  t.ok(
    jobs.every(({ again }) => again),
    'they may have been begun',
  )
  let proved = 0
  for (const { fleet: of, slice, again = false } of jobs) {
    const work = await b.work({ fleet: of, slice }, {}, again)
    proved += (await work?.run())?.proved ?? 0
  }
  t.equal(proved, 3)
  const keys = b
    .seen('PutObject')
    .filter(({ applied, key = '' }) => applied && key.startsWith('in/'))
    .map(({ key }) => key)
  t.equal(keys.length, new Set(keys).size)
  t.match(await plan(b), { added: 0 })
  await mustBeThere(t, b)
})

await t.test('a planner that dies at any step goes on', async (t) => {
  const b = await fleetBench(t, { count: 8 })
  let steps = 0
  for (let isDone = false; !isDone; steps++) {
    const queue = new KeptQueue()
    let left = steps
    const dying = wrapStore(b.small, {
      around: async (_call, run) => {
        // Before it, and after it has taken effect.
        if (left-- === 0) throw new StoreError('dead', { kind: 'request' })
        const answer = await run()
        if (left-- === 0) throw new StoreError('dead', { kind: 'request' })
        return answer
      },
    })
    const fleetHere = `f${steps}`
    const options = {
      queue,
      fleet: fleetHere,
      retry: b.retry,
      sliceFiles: 3,
      files: [...b.files].map(([path, { length: size }]) => ({ path, size })),
    }
    isDone = await planFleet({ ...options, store: dying }).then(
      () => true,
      () => false,
    )
    const planned = await planFleet({ ...options, store: b.small })
    t.match(planned, { slices: 3, files: 8 }, `dead at step ${steps}`)
    t.equal(queue.jobs.size, 3)
  }
  t.ok(steps > 10, `${steps} steps`)
})

await t.test('a plan that has begun is of its files alone', async (t) => {
  const b = await fleetBench(t, { count: 6 })
  const files: PlannedFile[] = [...b.files].map(([path, { length: size }]) => ({
    path,
    size,
  }))
  async function* broken() {
    yield* files.slice(0, 4)
    throw new Error('killed')
  }
  const options = { queue: b.queue, fleet, store: b.small, sliceFiles: 2 }
  await t.rejects(planFleet({ ...options, files: broken() }))
  t.match(await ask(b), { isPlanned: false, files: 2 })
  const others = files.toReversed()
  // As a versioned bucket of OSS, which puts whatever the condition says.
  const deaf: ObjectStore = {
    ...wrapStore(b.small),
    putObject: (
      { object: { forbidOverwrite: _is, ...object }, ...rest },
      call,
    ) => b.small.putObject({ ...rest, object }, call),
  }
  for (const store of [b.small, deaf]) {
    const call = planFleet({ ...options, store, files: others })
    t.equal((await failureIn(call)).code, 'PAWL_SOURCE_CHANGED')
  }
  t.match(await planFleet({ ...options, files }), { slices: 3, files: 6 })
  const own = [{ path: 'a', size: 1, key: '.pawl/x/plan' }]
  const below = await failureIn(
    planFleet({ ...options, fleet: 'below', files: own }),
  )
  t.equal(below.code, 'PAWL_INVALID_OPTION')
})

await t.test('a slice is planned for its bytes, too', async (t) => {
  const b = await fleetBench(t)
  const gib = 1024 ** 3
  const sizes = [gib / 2, gib / 2, 1, 3 * gib, 1, 1]
  const files = sizes.map((size, i) => ({ path: `${i}`, size }))
  const { queue, small: store } = b
  t.match(await planFleet({ queue, fleet, store, files }), { slices: 4 })
})

await t.test('a slice that is run again proves its own objects', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  await plan(b)
  const job = { fleet, slice: 1 }
  b.server.setFault(({ key, operation }) =>
    operation === 'PutObject' && key?.includes('/done/') === true
      ? { kind: 'status', status: 503 }
      : undefined,
  )
  const first = await b.work(job)
  const error = await failureIn(first?.run() ?? Promise.resolve())
  t.equal(error.transient, true)
  b.server.setFault(undefined)
  t.equal(first?.percent, 100)
  // Since then another has put one, and one file was written to.
  await b.small.putObject(
    {
      key: 'in/day-0/file-0',
      object: {},
      size: 100,
      async *body() {
        yield Buffer.alloc(100)
      },
    },
    storeCall(),
  )
  await writeFile(join(b.root, 'day-0/file-1'), 'another')
  b.files.set('day-0/file-1', Buffer.from('another'))
  const result = await (await b.work(job, {}, true))?.run()
  t.match(result, { files: 3, proved: 1, failed: 0 })
  await mustBeThere(t, b)
})

await t.test('a first run asks for no object', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  await plan(b)
  await (await b.work({ fleet, slice: 1 }))?.run()
  const asked = b.seen('HeadObject').map(({ key }) => key ?? '')
  t.same(
    asked.filter((key) => key.startsWith('in/')),
    [],
  )
})

await t.test(
  'of a large file only what was under way is sent again',
  async (t) => {
    const b = await fleetBench(t)
    await b.write('large', 20 * 1024 ** 2)
    await b.write('small', 10)
    // The store takes no more than a MiB at once, and is gone after two parts.
    let isDying = true
    const sent: Promise<unknown>[] = []
    const store = wrapStore(smallStore(b.store, { maxPutSize: 1024 ** 2 }), {
      async around(name, send) {
        if (!isDying || name !== 'uploadPart') return send()
        if (sent.length === 2) {
          await Promise.all(sent)
          throw new StoreError('gone', { kind: 'server' })
        }
        const answer = send()
        sent.push(answer)
        return answer
      },
    })
    await planFleet({ queue: b.queue, fleet, store, files: walkFiles(b.root) })
    const logs = new Map<string, Checkpoint>()
    const checkpoint = (name: string): Checkpoint => {
      const log = logs.get(name) ?? memoryCheckpoint()
      logs.set(name, log)
      return log
    }
    const bucket = new FleetBucket(store, { retry: b.retry })
    const job = { fleet, slice: 1 }
    const first = await b.work(job, { checkpoint, bucket })
    const error = await failureIn(first?.run() ?? Promise.resolve())
    t.equal(error.transient, true)
    t.equal(logs.size, 1, 'only what is sent in parts has a log')
    isDying = false
    const again = await (await b.work(job, { checkpoint, bucket }, true))?.run()
    t.match(again, { files: 2, proved: 1, failed: 0 })
    t.equal(b.seen('UploadPart').length, 3, 'no part was stored twice')
    t.equal(b.seen('CreateMultipartUpload').length, 1)
    t.ok(b.files.get('large')?.equals(await b.object('large')))
    // Its mark is the line's: run once more it is not sent once more.
    await b.small.deleteObject?.(keyIn(fleet, 'done', 1), storeCall())
    const once = await (await b.work(job, { checkpoint, bucket }, true))?.run()
    t.match(once, { proved: 2 })
  },
)

await t.test('a forged slice leads nowhere', async (t) => {
  const b = await fleetBench(t, { count: 1 })
  await writeFile(join(b.directory, 'secret'), 'secret')
  await symlink(join(b.directory, 'secret'), join(b.root, 'link'))
  const bad: [path: string, key: string][] = [
    ['../secret', 'in/a'],
    [join(b.directory, 'secret'), 'in/b'],
    ['link', 'in/c'],
    ['day-0/../../secret', 'in/d'],
    ['day-0/file-0', 'out/e'],
    ['day-0/file-0', '.pawl/ingest/plan'],
    ['day-0/gone', 'in/g'],
  ]
  const { bucket } = b.means()
  const text = encodeSlice({
    fleet,
    slice: 1,
    store: b.small.identity,
    nonce: 'ab'.repeat(16),
    files: [
      ...bad.map(([path, key]) => ({ path, key, size: 6 })),
      { path: 'day-0/file-0', key: 'in/good', size: 100 },
    ],
  })
  await bucket.put(keyIn(fleet, 'manifest', 1), text)
  const work = await b.work({ fleet, slice: 1 }, { prefix: 'in/' })
  t.match(await work?.run(), { files: 1, failed: bad.length })
  const put = b.seen('PutObject').map(({ key }) => key)
  t.same(put.slice(1), [
    'in/good',
    keyIn(fleet, 'failed', 1),
    keyIn(fleet, 'done', 1),
  ])
  const codes = (await bucket.get(keyIn(fleet, 'failed', 1))) ?? ''
  t.equal(codes.match(/PAWL_INVALID_OPTION/g)?.length, 6)
  t.equal(codes.match(/PAWL_SOURCE_IO/g)?.length, 1)
  for (const job of [
    { fleet, slice: 2 },
    { fleet: 'other', slice: 1 },
  ]) {
    t.equal((await failureIn(b.work(job))).code, 'PAWL_INVALID_STATE')
  }
})

await t.test('what failed is a fleet of its own', async (t) => {
  const b = await fleetBench(t, { count: 4 })
  await plan(b)
  b.server.setFault(({ key, operation }) =>
    operation === 'PutObject' && key === 'in/day-0/file-2'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  await workAll(b)
  b.server.setFault(undefined)
  t.match(await ask(b), { filesDone: 4, left: 0, failed: 1 })
  b.queue.jobs.clear()
  const { queue, small: store } = b
  const again = await retryFleet({ queue, fleet, store, retry: b.retry })
  t.match(again, { fleet: 'ingest.r1', files: 1, added: 1 })
  t.equal(await workAll(b), 1)
  await mustBeThere(t, b)
  const next = await retryFleet({ queue, fleet, store })
  t.match(next, { fleet: 'ingest.r2' })
})

await t.test('an object of the same bytes is left, when asked', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  await plan(b)
  await workAll(b)
  const { queue, small: store, root } = b
  const again = { queue, fleet: 'again', store, sliceFiles: 3 }
  await appendFile(join(root, 'day-0/file-1'), 'more')
  await planFleet({
    ...again,
    files: walkFiles(root),
    key: ({ path }) => `in/${path}`,
  })
  const before = b.seen('PutObject').length
  const work = await b.work({ fleet: 'again', slice: 1 }, { ifSame: 'skip' })
  t.match(await work?.run(), { files: 3 })
  t.equal(b.seen('PutObject').length, before + 2, 'one, and what is done')
})
