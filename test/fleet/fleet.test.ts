import { execFileSync } from 'node:child_process'
import {
  appendFile,
  mkdir,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
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
import { encodeSlice, keyIn, planOf } from '../../lib/fleet/manifest.js'
import {
  backoffOf,
  planFleet,
  type PlannedFile,
} from '../../lib/fleet/plan-fleet.js'
import type { FleetQueue, QueuedJob } from '../../lib/fleet/queue.js'
import { retryFleet } from '../../lib/fleet/retry-fleet.js'
import { mustBeMounted } from '../../lib/fleet/volume.js'
import { walkFiles } from '../../lib/fleet/walk-files.js'
import {
  fleetBench,
  KeptQueue,
  queuedJob,
  type FleetBench,
} from '../support/fleet-bench.js'
import type { Operation } from '../../lib/dev-server/options.js'
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

const bucketOf = ({ small, retry }: FleetBench) =>
  new FleetBucket(small, { retry })

function never(): never {
  throw new Error('the slice is done')
}

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
    ...queuedJob({ fleet: of, slice }),
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
    { ...job(1), data: 'forged' },
    { ...job(1), data: { fleet: { toString: () => fleet } } },
  ]
  b.queue.delayed = [job(8), job(9), job(9, undefined, 'other')]
  const of = { workers: 1, workersOfQueue: 3, active: 2, abandoned: 1 }
  t.equal((await ask(b)).delayed, 2)
  const status = await ask(b)
  t.match(status, { ...of, givenUp: 1, slicesDone: 0, left: 1 })
  t.equal(status.isPaused, false)
  b.queue.paused = true
  t.equal((await ask(b)).isPaused, true)
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

await t.test(
  'a slice that is run again asks for nothing that is noted',
  async (t) => {
    const b = await fleetBench(t, { count: 7 })
    await planFleet({
      queue: b.queue,
      fleet,
      store: b.small,
      retry: b.retry,
      files: walkFiles(b.root),
      key: ({ path }) => `in/${path}`,
    })
    const asked = (operation: Operation) =>
      b.seen(operation).filter(({ key = '' }) => key.startsWith('in/')).length
    // Its worker dies after five files, and before its next note after three.
    let left = 5
    b.server.setFault(({ key = '', operation }) =>
      operation === 'PutObject' && key.startsWith('in/') && left-- <= 0
        ? { kind: 'status', status: 503 }
        : undefined,
    )
    const first = await b.work({ fleet, slice: 1 }, { atOnce: 3 })
    t.ok(first)
    await first?.note()
    t.equal(asked('PutObject'), 0, 'nothing is done yet, and nothing noted')
    t.equal(await bucketOf(b).get(keyIn(fleet, 'doing', 1)), undefined)
    await failureIn(first?.run() ?? Promise.resolve())
    await first?.note({ isWorth: true })
    const notes = () =>
      b.seen('PutObject').filter(({ key }) => key === keyIn(fleet, 'doing', 1))
        .length
    t.equal(notes(), 0, 'five are asked for in two turns of three')
    await first?.note()
    await first?.note()
    t.equal(notes(), 1, 'and the second time nothing is new')
    b.server.setFault(undefined)
    const heads = asked('HeadObject')
    // Also where the queue has forgotten that it was begun.
    const second = await b.work({ fleet, slice: 1 }, { atOnce: 1 }, false)
    t.equal(second?.percent, 71)
    const before = asked('PutObject')
    t.match(await second?.run(), { files: 7, proved: 5, failed: 0 })
    await second?.note({ isWorth: true })
    t.equal(notes(), 2, 'of one at once two are worth it')
    t.equal(asked('HeadObject') - heads, 2, 'of those that are not noted')
    t.equal(asked('PutObject') - before, 2)
    await mustBeThere(t, b)
    const done = await bucketOf(b).get(keyIn(fleet, 'done', 1))
    t.equal(done?.split('\n').length, 8, 'a line for each of the seven')
  },
)

await t.test(
  'a volume that goes away after a kill fails no file',
  async (t) => {
    const b = await fleetBench(t, { count: 3 })
    await plan(b)
    b.server.setFault(({ key = '', operation }) =>
      operation === 'PutObject' && !key.endsWith('file-0')
        ? { kind: 'status', status: 503 }
        : undefined,
    )
    const first = await b.work({ fleet, slice: 1 }, { atOnce: 1 })
    await failureIn(first?.run() ?? Promise.resolve())
    b.server.setFault(undefined)
    await first?.note()
    const second = await b.work({ fleet, slice: 1 }, {}, true)
    await rm(b.root, { recursive: true })
    await failureIn(second?.run() ?? Promise.resolve())
    t.equal(await bucketOf(b).get(keyIn(fleet, 'failed', 1)), undefined)
    t.equal(await bucketOf(b).get(keyIn(fleet, 'done', 1)), undefined)
  },
)

await t.test('a planner that dies at any step goes on', async (t) => {
  const b = await fleetBench(t, { count: 8 })
  let steps = 0
  let halves = 0
  for (let isDone = false; !isDone; steps++) {
    const queue = new KeptQueue()
    let left = steps
    // Before it, and after it has taken effect.
    const step = async <T>(run: () => Promise<T>): Promise<T> => {
      if (left-- === 0) throw new StoreError('dead', { kind: 'request' })
      const answer = await run()
      if (left-- === 0) throw new StoreError('dead', { kind: 'request' })
      return answer
    }
    const dying = wrapStore(b.small, { around: (_call, run) => step(run) })
    const dyingQueue: FleetQueue = {
      name: queue.name,
      opts: queue.opts,
      addBulk: async (jobs) => {
        for (const job of jobs) await step(() => queue.addBulk([job]))
      },
      getJob: (id) => step(() => queue.getJob(id)),
      getJobs: (types, from, end) => queue.getJobs(types, from, end),
      getWorkers: () => queue.getWorkers(),
      isPaused: () => queue.isPaused(),
    }
    const options = {
      fleet: `f${steps}`,
      retry: b.retry,
      sliceFiles: 3,
      files: [...b.files].map(([path, { length: size }]) => ({ path, size })),
    }
    isDone = await planFleet({
      ...options,
      queue: dyingQueue,
      store: dying,
    }).then(
      () => true,
      () => false,
    )
    const before = queue.jobs.size
    if (before > 0 && before < 3) halves += 1
    const planned = await planFleet({ ...options, queue, store: b.small })
    const expected = { slices: 3, files: 8, added: 3 - before }
    t.match(planned, expected, `dead at step ${steps}`)
    t.equal(queue.jobs.size, 3)
    t.match(await planFleet({ ...options, queue, store: b.small }), {
      added: 0,
    })
  }
  t.ok(steps > 20, `${steps} steps`)
  t.ok(halves > 0, `${halves} of them between two jobs`)
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

await t.test('what no worker could do is not planned', async (t) => {
  const b = await fleetBench(t)
  const { queue, small: store } = b
  const good = { path: 'a', size: 1 }
  const rows: [name: string, file: unknown][] = [
    ['a path out of the root', { ...good, path: '../a' }],
    ['one inside of a path', { ...good, path: 'a/../../b' }],
    ['an absolute path', { ...good, path: '/etc/passwd' }],
    ['a NUL', { ...good, path: 'a\0' }],
    ['no path', { size: 1 }],
    ['a long path', { ...good, path: 'a/'.repeat(3000), key: 'a' }],
    ['a long key', { ...good, key: 'k'.repeat(1025) }],
    ['half a character', { ...good, key: '\uD800' }],
    ['no size', { path: 'a' }],
    ['a size that is none', { ...good, size: NaN }],
    ['a time that is none', { ...good, mtime: '1.5' }],
    ['a place of fleets', { ...good, key: '.pawl/x/plan' }],
  ]
  for (const [index, [name, file]] of rows.entries()) {
    const files = [{ path: 'first', size: 1 }, file as PlannedFile]
    const call = planFleet({ queue, fleet: `n${index}`, store, files })
    const { code, message } = await failureIn(call)
    t.equal(code, 'PAWL_INVALID_OPTION', name)
    t.ok(message.length < 1000, `${name}: ${message.length}`)
  }
  const files = [good, { path: 'b', size: 2, key: 'a' }]
  const twice = planFleet({ queue, fleet, store, files })
  t.match(await failureIn(twice), {
    code: 'PAWL_INVALID_OPTION',
    message: /the file "b" cannot become the object "a"/,
  })
  t.equal(queue.jobs.size, 0)
})

await t.test('the longest names can be planned, and told of', async (t) => {
  const b = await fleetBench(t, { count: 1 })
  const { queue, small: store, retry } = b
  // JSON takes six bytes for each.
  const long = '\u0001'.repeat(4090)
  const files = Array.from({ length: 350 }, (_, i) => ({
    path: `${long}${i}`,
    key: `${i}`,
    size: 1,
  }))
  const planned = await planFleet({ queue, fleet, store, retry, files })
  t.match(planned, { files: 350, slices: 3 })
  t.equal(await workAll(b), 0)
  t.match(await ask(b), { left: 0, filesDone: 350, failed: 350 })
  const again = await retryFleet({ queue, fleet, store, retry })
  t.match(again, { files: 350, slices: 3 })
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

await t.test(
  'files that were planned without their time are proved',
  async (t) => {
    const b = await fleetBench(t, { count: 2 })
    const { queue, small: store } = b
    const files = [...b.files].map(([path, { length: size }]) => ({
      path,
      size,
    }))
    await planFleet({ queue, fleet, store, files })
    const job = { fleet, slice: 1 }
    await (await b.work(job))?.run()
    await store.deleteObject?.(keyIn(fleet, 'done', 1), storeCall())
    t.match(await (await b.work(job, {}, true))?.run(), { files: 2, proved: 2 })
  },
)

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
  execFileSync('mkfifo', [join(b.root, 'fifo')])
  const bad: [path: string, key: string][] = [
    ['../secret', 'in/a'],
    [join(b.directory, 'secret'), 'in/b'],
    ['link', 'in/c'],
    ['day-0/../../secret', 'in/d'],
    ['day-0/file-0', 'out/e'],
    ['day-0/file-0', '.pawl/ingest/plan'],
    ['day-0/gone', 'in/g'],
    ['day-0', 'in/h'],
    ['fifo', 'in/i'],
  ]
  const { bucket } = b.means()
  const nonce = 'ab'.repeat(16)
  const plan = planOf(nonce)
  const text = encodeSlice({
    fleet,
    slice: 1,
    store: b.small.identity,
    nonce,
    files: [
      ...bad.map(([path, key]) => ({ path, key, size: 6 })),
      { path: 'day-0/file-0', key: 'in/good', size: 100 },
    ],
  })
  await bucket.put(keyIn(fleet, 'manifest', 1), text)
  const work = await b.work({ fleet, plan, slice: 1 }, { prefix: 'in/' })
  t.match(await work?.run(), { files: 1, failed: bad.length })
  const put = b.seen('PutObject').map(({ key }) => key)
  t.same(put.slice(1), [
    'in/good',
    keyIn(fleet, 'failed', 1),
    keyIn(fleet, 'done', 1),
  ])
  const codes = (await bucket.get(keyIn(fleet, 'failed', 1))) ?? ''
  t.equal(codes.match(/PAWL_INVALID_OPTION/g)?.length, 8)
  t.equal(codes.match(/PAWL_SOURCE_IO/g)?.length, 1)
  for (const job of [
    { fleet, plan, slice: 2 },
    { fleet: 'other', plan, slice: 1 },
    { fleet, plan: planOf('cd'.repeat(16)), slice: 1 },
  ]) {
    t.equal((await failureIn(b.work(job))).code, 'PAWL_INVALID_STATE')
  }
})

await t.test('a link that is put on the way leads nowhere', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  await plan(b)
  const outside = join(b.directory, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'file-0'), Buffer.alloc(100))
  // It is asked for between the look at the file and its opening.
  const store = wrapStore(b.small, {
    around: async (name, send) => {
      const answer = await send()
      if (name === 'headObject' && !isMoved) {
        isMoved = true
        await rename(join(b.root, 'day-0'), join(b.directory, 'moved'))
        await symlink(outside, join(b.root, 'day-0'))
      }
      return answer
    },
  })
  let isMoved = true
  const bucket = new FleetBucket(store, { retry: b.retry })
  const work = await b.work(
    { fleet, slice: 1 },
    { bucket, atOnce: 1, prefix: 'in/' },
    true,
  )
  isMoved = false
  await writeFile(join(b.root, 'other'), 'so that the root is not empty')
  t.match(await work?.run(), { files: 0, failed: 3 })
  const put = b
    .seen('PutObject')
    .filter(({ key = '', applied }) => applied && key.startsWith('in/'))
  t.same(put, [])
  const told = (await bucket.get(keyIn(fleet, 'failed', 1))) ?? ''
  t.match(told, /a link has been put on the way/)
})

await t.test('a volume that is away fails no file for good', async (t) => {
  const b = await fleetBench(t, { count: 2 })
  await plan(b)
  const job = { fleet, slice: 1 }
  const work = await b.work(job)
  const away = join(b.directory, 'away')
  await rename(b.root, away)
  // As a mount point without its volume.
  for (const isThere of [false, true]) {
    if (isThere) await mkdir(b.root)
    await t.rejects(mustBeMounted(b.root), { code: 'PAWL_SOURCE_IO' })
    const error = await failureIn((await b.work(job))?.run() ?? never())
    t.equal(error.code, 'PAWL_SOURCE_IO', `${isThere}`)
  }
  t.match(await ask(b), { left: 2, failed: 0 })
  await rm(b.root, { recursive: true })
  await rename(away, b.root)
  await mustBeMounted(b.root)
  t.match(await work?.run(), { files: 2 })
})

await t.test(
  'a slice of another root or prefix waits for its worker',
  async (t) => {
    const b = await fleetBench(t, { count: 3 })
    await plan(b)
    const job = { fleet, slice: 1 }
    const other = await b.work(job, { prefix: 'out/' })
    t.throws(() => other?.mustBeOwn(), {
      code: 'PAWL_INVALID_OPTION',
      message: /is not for this worker/,
    })
    const root = join(b.directory, 'other')
    await mkdir(join(root, 'not empty'), { recursive: true })
    const elsewhere = await failureIn(
      (await b.work(job, { root }))?.run() ?? never(),
    )
    t.equal(elsewhere.code, 'PAWL_SOURCE_IO')
    t.match(await ask(b), { left: 3, failed: 0 })
    const own = await b.work(job, { prefix: 'in/' }, true)
    own?.mustBeOwn()
    t.match(await own?.run(), { files: 3, failed: 0 })
    await mustBeThere(t, b)
  },
)

await t.test('two fleets of one name keep apart on one queue', async (t) => {
  const b = await fleetBench(t, { count: 2 })
  const other = b.server.store('other')
  const { queue, small, root, retry } = b
  const of = { queue, fleet, retry }
  for (const store of [small, other]) {
    const planned = await planFleet({ ...of, store, files: walkFiles(root) })
    t.match(planned, { slices: 1, added: 1 })
  }
  const jobs = [...queue.jobs.values()].map(({ data }) => data)
  t.equal(jobs.length, 2)
  const [own, others] = jobs
  if (own === undefined || others === undefined) return
  t.match(await (await b.work(own))?.run(), { files: 2 })
  // What is done of the one is not taken for the other's.
  const error = await failureIn(b.work(others))
  t.match(error, { code: 'PAWL_INVALID_STATE', message: /another bucket/ })
  const bucket = new FleetBucket(other, { retry })
  t.match(await (await b.work(others, { bucket }))?.run(), { files: 2 })
  for (const store of [small, other]) {
    t.match(await fleetStatus({ ...of, store }), { left: 0 })
  }
})

await t.test(
  'what is left of an earlier fleet of the name stops a plan',
  async (t) => {
    const b = await fleetBench(t, { count: 7 })
    const forget = async (...names: string[]) => {
      for (const name of names) await b.small.deleteObject?.(name, storeCall())
    }
    const key = (what: Parameters<typeof keyIn>[1], slice?: number) =>
      keyIn(fleet, what, slice)
    await plan(b)
    await workAll(b)
    b.queue.jobs.clear()
    const steps: string[][] = [
      [key('plan')],
      [key('end')],
      // The second slice of another plan would be taken for this one's.
      [key('manifest', 1)],
      [key('done', 1)],
      [key('plan'), key('manifest', 2)],
      [key('plan'), key('manifest', 3)],
    ]
    for (const [index, names] of steps.entries()) {
      await forget(...names)
      const error = await failureIn(plan(b))
      t.match(error, { code: 'PAWL_INVALID_STATE' }, `${index}`)
      t.match(error.message, /remove all that is below .pawl\/ingest\//)
      t.equal(b.queue.jobs.size, 0)
    }
    await forget(key('done', 2), key('done', 3), key('plan'))
    await forget(...[1, 2, 3].map((slice) => key('manifest', slice)))
    t.match(await plan(b), { slices: 3, added: 3 })
    t.equal(await workAll(b), 7)
  },
)

await t.test(
  'a job that is over, of a slice that is not, is added again',
  async (t) => {
    const b = await fleetBench(t, { count: 7 })
    await plan(b)
    await workAll(b)
    for (const id of b.queue.jobs.keys()) b.queue.completed.add(id)
    t.match(await plan(b), { added: 0 })
    await b.small.deleteObject?.(keyIn(fleet, 'done', 2), storeCall())
    t.match(await plan(b), { added: 1 })
    t.match([...b.queue.jobs.values()].at(-1), {
      data: { slice: 2, again: true },
    })
  },
)

await t.test("times are by the server's clock", async (t) => {
  for (const clockOffset of [-7_200_000, 7_200_000]) {
    const b = await fleetBench(t, { count: 4, server: { clockOffset } })
    await plan(b)
    await workAll(b)
    const { bytes, rate } = await ask(b)
    t.equal(Math.round(rate * 300), bytes, `${clockOffset}`)
    b.queue.active = [
      {
        ...queuedJob({ fleet, slice: 1 }),
        processedOn: Date.now() + clockOffset,
      },
    ]
    const { oldest = -1 } = await ask(b)
    t.ok(oldest >= 0)
  }
})

await t.test('a worker that dies at any step is gone on with', async (t) => {
  const b = await fleetBench(t, { count: 5 })
  const { queue, small, retry } = b
  // One that fails for good.
  const files = [...b.files].map(([path, { length: size }]) => ({ path, size }))
  files.splice(2, 0, { path: 'gone', size: 1 })
  let steps = 0
  for (let isDone = false; !isDone; steps++) {
    const of = `w${steps}`
    const key = ({ path }: PlannedFile) => `${of}/${path}`
    await planFleet({ queue, fleet: of, store: small, retry, files, key })
    let left = steps
    let isDead = false
    // Before it, and after it has taken effect; nothing of it works on after that.
    const step = () => {
      isDead ||= left-- === 0
      if (isDead) throw new StoreError('dead', { kind: 'request' })
    }
    const dying = wrapStore(small, {
      around: async (_call, run) => {
        step()
        const answer = await run()
        step()
        return answer
      },
    })
    const bucket = new FleetBucket(dying, { retry })
    isDone = await b
      .work({ fleet: of, slice: 1 }, { bucket, atOnce: 1 })
      .then(async (work) => {
        const result = await work?.run()
        return result !== undefined && !isDead
      })
      .catch(() => false)
    const again = await b.work({ fleet: of, slice: 1 }, { atOnce: 1 }, true)
    if (again !== undefined) {
      t.match(await again.run(), { files: 5, failed: 1 }, `step ${steps}`)
    }
    const status = await fleetStatus({ queue, fleet: of, store: small })
    t.match(status, { left: 0, failed: 1 }, `step ${steps}`)
    const put = b
      .seen('PutObject')
      .filter(({ key: to = '', applied }) => applied && to.startsWith(`${of}/`))
    t.equal(put.length, 5, `dead at step ${steps}, each was sent once`)
    t.equal(new Set(put.map(({ key: to }) => to)).size, 5)
    for (const [path, bytes] of b.files) {
      t.ok(bytes.equals(await b.object(`${of}/${path}`)))
    }
  }
  t.ok(steps > 15, `${steps} steps`)
})

await t.test('files that are nowhere have failed for good', async (t) => {
  const b = await fleetBench(t, { count: 4 })
  await plan(b)
  const job = { fleet, slice: 2 }
  await rm(join(b.root, 'day-0/file-3'))
  await failureIn((await b.work(job))?.run() ?? never())
  t.match(await (await b.work(job, {}, true))?.run(), { files: 0, failed: 1 })
})

if (process.platform === 'linux') {
  await t.test('a disk that fails is tried again, and then told', async (t) => {
    const b = await fleetBench(t, { count: 1 })
    const { queue, small: store, retry } = b
    const files = [
      // Read from its beginning it says EIO.
      { path: 'proc/self/mem', key: 'in/mem', size: 0 },
      { path: join(b.root, 'day-0/file-0').slice(1), key: 'in/a', size: 100 },
    ]
    await planFleet({ queue, fleet, store, retry, files })
    const job = { fleet, slice: 1 }
    const first = await b.work(job, { root: '/' })
    const error = await failureIn(first?.run() ?? never())
    t.match(error, { code: 'PAWL_SOURCE_IO', message: /EIO/ })
    const again = await b.work(job, { root: '/' }, true)
    t.match(await again?.run(), { files: 1, failed: 1 })
  })
}

await t.test(
  'what had failed, and has not any more, is taken back',
  async (t) => {
    const b = await fleetBench(t, { count: 2 })
    await plan(b)
    const job = { fleet, slice: 1 }
    b.server.setFault(({ key = '', operation }) =>
      operation !== 'PutObject'
        ? undefined
        : key === 'in/day-0/file-1'
          ? { kind: 'status', status: 403, code: 'AccessDenied' }
          : key.includes('/done/')
            ? { kind: 'status', status: 503 }
            : undefined,
    )
    await failureIn((await b.work(job))?.run() ?? never())
    b.server.setFault(undefined)
    t.match(await (await b.work(job, {}, true))?.run(), { files: 2, failed: 0 })
    t.match(await ask(b), { filesDone: 2, failed: 0 })
  },
)

await t.test('what refuses all files is no matter of a slice', async (t) => {
  const b = await fleetBench(t, { count: 40 })
  const { queue, small: store, root, retry } = b
  await planFleet({ queue, fleet, store, retry, files: walkFiles(root) })
  const refusing = (names: string[]) =>
    b.server.setFault(({ key = '', operation }) =>
      operation === 'PutObject' && names.some((name) => key.includes(name))
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
  refusing(['day-'])
  const work = await b.work({ fleet, slice: 1 })
  const refused = await failureIn(work?.run() ?? never())
  t.equal(refused.code, 'PAWL_ACCESS_DENIED')
  t.equal(work?.isRefused, true)
  t.match(await ask(b), { left: 40, failed: 0 })
  refusing(['/done/'])
  const other = await b.work({ fleet, slice: 1 }, {}, true)
  await failureIn(other?.run() ?? never())
  t.equal(other?.isRefused, false)
})

await t.test('after failures a slice waits for minutes at most', async (t) => {
  t.equal(backoffOf(1), 1000)
  t.equal(backoffOf(2), 2000)
  t.equal(backoffOf(10), 512_000)
  t.equal(backoffOf(11), 600_000)
  t.equal(backoffOf(5000), 600_000)
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
  t.match(next, { fleet: 'ingest.r2', slicesAgain: 0 })
})

await t.test('a retry is of what no retry before it has', async (t) => {
  const b = await fleetBench(t, { count: 7 })
  const { queue, small: store, retry } = b
  await plan(b)
  let refused = ['day-0/file-1', 'day-1/file-1', '/done/000002']
  b.server.setFault(({ key = '', operation }) =>
    operation === 'PutObject' && refused.some((name) => key.endsWith(name))
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const work = async (of: string, slice: number, isAgain = false) =>
    (await b.work({ fleet: of, slice }, {}, isAgain))?.run()
  const again = () => retryFleet({ queue, fleet, store, retry })
  t.match(await work(fleet, 1), { failed: 1 })
  // What has failed of a slice that is not done may be made by its next run.
  await failureIn(work(fleet, 2))
  t.match(await again(), { fleet: 'ingest.r1', files: 1 })
  t.match(await again(), { fleet: 'ingest.r2', files: 0 })
  refused = refused.slice(0, 2)
  t.match(await work(fleet, 2, true), { failed: 1 })
  t.match(await work('ingest.r1', 1), { files: 0, failed: 1 })
  t.match(await again(), { fleet: 'ingest.r3', files: 2 })
  refused = []
  t.match(await work('ingest.r3', 1), { files: 2, failed: 0 })
  t.match(await work(fleet, 3), { files: 1 })
  t.match(await again(), { fleet: 'ingest.r4', files: 0 })
  await mustBeThere(t, b)
})

await t.test(
  'a retry that was killed does not stop the next one',
  async (t) => {
    const b = await fleetBench(t, { count: 6 })
    const { queue, small: store, retry } = b
    const long = 'f'.repeat(64)
    await planFleet({
      queue,
      fleet: long,
      store,
      files: walkFiles(b.root),
      sliceFiles: 3,
    })
    const fail = async (slice: number) => {
      await rm(join(b.root, slice === 1 ? 'day-0/file-0' : 'day-1/file-0'))
      t.match(await (await b.work({ fleet: long, slice }))?.run(), {
        failed: 1,
      })
    }
    await fail(2)
    // It dies before the end of its plan, and more fails then.
    const dying = wrapStore(store, {
      around: (name, send, { size }) => {
        if (name === 'putObject' && puts++ >= 2) throw new Error(`at ${size}`)
        return send()
      },
    })
    let puts = 0
    const of = { queue, fleet: long, retry }
    await t.rejects(retryFleet({ ...of, store: dying }))
    await fail(1)
    const again = await retryFleet({ ...of, store })
    t.match(again, { fleet: `${'f'.repeat(61)}.r2`, files: 2, added: 1 })
  },
)

await t.test('slices that were given up are run again', async (t) => {
  const b = await fleetBench(t, { count: 3 })
  await plan(b)
  const retried: unknown[] = []
  const job = (of: string): QueuedJob => ({
    ...queuedJob({ fleet: of, slice: 1 }),
    retry: async (...how) => retried.push(of, ...how),
  })
  // Another one has it run again first.
  const gone = async () => Promise.reject(new Error('not in the failed state'))
  const taken = { ...job(fleet), retry: gone, getState: async () => 'waiting' }
  b.queue.failed = [job('other'), taken, job(fleet)]
  const { queue, small: store } = b
  const again = await retryFleet({ queue, fleet, store })
  t.match(again, { files: 0, slicesAgain: 1 })
  t.same(retried, [fleet, 'failed', { resetAttemptsMade: true }])
  b.queue.failed = [{ ...job(fleet), retry: gone }]
  await t.rejects(retryFleet({ queue, fleet, store }), /not in the failed/)
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
