import { appendFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { StoreError, type ObjectStore } from '../../lib/index.js'
import { fleetStatus } from '../../lib/fleet/fleet-status.js'
import { encodeSlice, keyIn } from '../../lib/fleet/manifest.js'
import { planFleet, type PlannedFile } from '../../lib/fleet/plan-fleet.js'
import { retryFleet } from '../../lib/fleet/retry-fleet.js'
import { walkFiles } from '../../lib/fleet/walk-files.js'
import {
  fleetBench,
  KeptQueue,
  type FleetBench,
} from '../support/fleet-bench.js'
import { failureIn } from '../support/shared-upload.js'
import { wrapStore } from '../support/small-store.js'

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
    workers: 2,
  })
  const first = await b.work({ fleet, slice: 1 })
  t.match(await first?.run(), { files: 3, failed: 0, proved: 0 })
  t.match(await ask(b), { slicesDone: 1, filesDone: 3, left: 7 })
  b.queue.active = [
    { data: { fleet, slice: 2 }, progress: 0, processedOn: Date.now() - 5000 },
    { data: { fleet: 'other', slice: 2 }, progress: 0 },
  ]
  const during = await ask(b)
  t.equal(during.active, 1)
  t.ok((during.oldest ?? 0) >= 5000)
  t.equal(await workAll(b), 7)
  t.match(await ask(b), { filesDone: 10, left: 0, failed: 0 })
  await mustBeThere(t, b)
  const none = await failureIn(
    fleetStatus({ queue: b.queue, fleet: 'none', store: b.small }),
  )
  t.equal(none.code, 'PAWL_INVALID_STATE')
})

await t.test('planned again, nothing is added or sent', async (t) => {
  const b = await fleetBench(t, { count: 7 })
  await plan(b)
  await (await b.work({ fleet, slice: 2 }))?.run()
  const puts = b.seen('PutObject').length
  t.match(await plan(b), { slices: 3, added: 2 })
  t.equal(b.queue.jobs.size, 3)
  t.equal(b.seen('PutObject').length, puts)
  // The queue has lost everything.
  b.queue.jobs.clear()
  t.match(await plan(b), { added: 2 })
  t.equal(await workAll(b), 4)
  t.equal(await b.work({ fleet, slice: 2 }), undefined, 'it is done')
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
  const hint: unknown = JSON.parse(JSON.stringify(first?.progress))
  const second = await b.work(job, {}, hint)
  t.same(second?.progress.toJSON(), hint, 'what was made is not forgotten')
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
    {
      signal: new AbortController().signal,
      timeouts: { connect: 1000, stall: 1000, headers: 1000 },
    },
  )
  await writeFile(join(b.root, 'day-0/file-1'), 'another')
  b.files.set('day-0/file-1', Buffer.from('another'))
  const result = await (await b.work(job, {}, hint))?.run()
  t.match(result, { files: 3, proved: 1, failed: 0 })
  await mustBeThere(t, b)
})

await t.test('a forged hint proves nothing', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  const hints: unknown[] = [
    { made: '//8=' },
    { made: '/'.repeat(1e6) },
    { made: 7 },
    'all',
  ]
  for (const [index, hint] of hints.entries()) {
    const own = `forged-${index}`
    const { queue, small: store, root } = b
    await planFleet({ queue, fleet: own, store, files: walkFiles(root) })
    const before = b.seen('PutObject').length
    const work = await b.work({ fleet: own, slice: 1 }, {}, hint)
    t.match(await work?.run(), { files: 3, proved: 0 })
    t.equal(b.seen('PutObject').length, before + 4)
  }
})

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
