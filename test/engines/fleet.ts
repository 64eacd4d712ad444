/**
 * A fleet on real Redis: workers that are killed, and the queue as well. Every
 * object is compared; what is repeated and what it costs Redis is told.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Queue, type Telemetry, UnrecoverableError, Worker } from 'bullmq'
import t, { type Test } from 'tap'
import {
  fleetStatus,
  type FleetStatus,
  fleetWorker,
  planFleet,
  retryFleet,
  walkFiles,
} from '../../lib/fleet/index.js'
import type { FleetChildJob } from '../fixtures/fleet-child.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture, compiledSources } from '../support/compiled.js'
import { devStore, noise } from '../support/dev-store.js'
import { fleetBench } from '../support/fleet-bench.js'
import { sized, tier } from '../support/tier.js'
import { startChild } from '../support/upload-child.js'
import {
  runFleet,
  type FleetEngine,
  type FleetSize,
} from './support/fleet-run.js'
import { RedisCost } from './support/redis-cost.js'
import { startRedis } from './support/redis-server.js'

const KiB = 1024
const MiB = 1024 * KiB
const killed = { lease: 10_000, killEvery: 10_000, queueKills: 2 }
const small = sized<FleetSize>({
  fast: {
    files: [
      [300, 16 * KiB],
      [4, 8 * MiB],
    ],
    lease: 5000,
    killEvery: 3000,
    queueKills: 1,
  },
  more: {
    files: [
      [10_000, 16 * KiB],
      [100, 8 * MiB],
    ],
    ...killed,
  },
  long: {
    files: [
      [100_000, 16 * KiB],
      [1000, 8 * MiB],
    ],
    ...killed,
  },
})
const large = sized<FleetSize>({
  fast: { files: [[2, 80 * MiB]], lease: 5000, killEvery: 3000, queueKills: 0 },
  more: {
    files: [
      [20, 8 * MiB],
      [4, 200 * MiB],
    ],
    lease: 5000,
    killEvery: 4000,
    queueKills: 1,
  },
  long: {
    files: [
      [100, 8 * MiB],
      [4, 1200 * MiB],
    ],
    lease: 5000,
    killEvery: 4000,
    queueKills: 2,
  },
})

/** A queue in Redis, and what it costs there. */
async function onRedis(t: Test): Promise<FleetEngine & { cost: RedisCost }> {
  const settings = { 'maxmemory-policy': 'noeviction', appendfsync: 'everysec' }
  const [redis, idle] = [
    await startRedis(t, settings),
    await startRedis(t, settings),
  ]
  const { port } = redis
  const queue = new Queue('fleet', { connection: { host: '127.0.0.1', port } })
  queue.on('error', () => undefined)
  t.teardown(() => queue.close())
  const cost = new RedisCost(redis.client(), idle.client())
  await cost.begin()
  return {
    queue,
    cost,
    reach: { queue: 'fleet', redis: port },
    async fall() {
      await cost.add()
      await redis.kill()
      await redis.restart()
      await cost.begin()
    },
  }
}

async function onRedisOf(t: Test, size: FleetSize): Promise<void> {
  const { cost, ...engine } = await onRedis(t)
  await runFleet(t, engine, size, async ({ files }) => {
    await cost.add()
    const [work, all] = [cost.work / files, cost.all / files]
    t.comment(`Redis: ${work.toFixed(1)} µs of CPU a file`)
    t.comment(`${all.toFixed(1)} with its idling and its starts`)
    for (const line of cost.lines(5)) t.comment(line)
    // A few hundred files do not pay for the connections of workers.
    if (files >= 10_000) t.ok(work <= 10, `${work} µs of Redis a file`)
  })
}

await t.test('files on a queue in Redis, with kills', (t) =>
  onRedisOf(t, small),
)

await t.test('large files are gone on with after kills', (t) =>
  onRedisOf(t, large),
)

if (tier === 'long') {
  await t.test('a million files of 1 KiB, with kills', (t) =>
    onRedisOf(t, {
      files: [[1_000_000, KiB]],
      lease: 10_000,
      killEvery: 10_000,
      queueKills: 2,
    }),
  )
}

/** What BullMQ tells of spans, with the span that each was begun in. */
class SpanRecorder implements Telemetry<SpanContext> {
  readonly spans: RecordedSpan[] = []
  readonly #active = new AsyncLocalStorage<SpanContext>()
  readonly tracer = {
    startSpan: (name: string, _options?: unknown, context?: SpanContext) => {
      const recorded: RecordedSpan = {
        name,
        attributes: {},
        within: context?.span?.name,
        isEnded: false,
        failures: [],
      }
      this.spans.push(recorded)
      return {
        addEvent: () => undefined,
        end: () => {
          recorded.isEnded = true
        },
        recordException: (failure: unknown) => {
          recorded.failures.push(failure)
        },
        setAttribute: (key: string, value: unknown) => {
          recorded.attributes[key] = value
        },
        setAttributes: (attributes: object) => {
          Object.assign(recorded.attributes, attributes)
        },
        setSpanOnContext: () => ({ span: recorded }),
      }
    },
  }
  readonly contextManager = {
    active: () => this.#active.getStore() ?? {},
    fromMetadata: () => ({}),
    getMetadata: () => '',
    with: <A extends (...args: never[]) => unknown>(
      context: SpanContext,
      run: A,
    ) => this.#active.run(context, run as () => ReturnType<A>),
  }
}

interface SpanContext {
  span?: RecordedSpan
}

interface RecordedSpan {
  name: string
  attributes: Record<string, unknown>
  /** The name of the span around it. */
  within: string | undefined
  isEnded: boolean
  failures: unknown[]
}

await t.test(
  'a worker has the prefix and the telemetry of its queue',
  async (t) => {
    const b = await fleetBench(t, { count: 3 })
    const { port } = await startRedis(t)
    const telemetry = new SpanRecorder()
    const connection = { host: '127.0.0.1', port }
    const queue = new Queue('fleet', { connection, prefix: 'own', telemetry })
    const { small: store, root } = b
    await planFleet({ queue, fleet: 'own', store, files: walkFiles(root) })
    // The first run of its slice fails.
    let isFailing = true
    b.server.setFault(({ operation, key = '' }) =>
      operation === 'PutObject' && !key.startsWith('.pawl/') && isFailing
        ? { kind: 'status', status: 503 }
        : undefined,
    )
    const retry = { attempts: 2, baseDelay: 1 }
    const worker = fleetWorker({ queue, store, root, retry })
    const { runner } = worker
    t.ok(runner instanceof Worker)
    if (!(runner instanceof Worker)) return
    runner.once('failed', () => {
      isFailing = false
    })
    // Of BullMQ's own events, such as a program listens to.
    const result = await new Promise((resolve) => {
      runner.once('completed', (_job, made: unknown) => resolve(made))
    })
    t.match(result, { files: 3, failed: 0 })
    await worker.close()
    await queue.close()
    const own = telemetry.spans.filter(({ name }) => name === 'pawl slice')
    const expected = {
      attributes: { 'pawl.fleet': 'own', 'pawl.slice': 1 },
      within: 'process fleet',
      isEnded: true,
    }
    t.match(own, [expected, expected])
    t.match(own[0]?.failures, [/503/])
    t.same(own[1]?.failures, [])
  },
)

await t.test(
  'with all workers dead a status is true, and a queue that lost everything is planned again',
  async (t) => {
    const dev = await devStore(t)
    const root = join(dev.directory, 'data')
    await mkdir(root)
    const all = 60
    for (let i = 0; i < all; i++) {
      await writeFile(join(root, `file-${i}`), noise(KiB, i))
    }
    const redis = await startRedis(t, { 'maxmemory-policy': 'noeviction' })
    const { port } = redis
    const queue = new Queue('fleet', {
      connection: { host: '127.0.0.1', port },
    })
    t.teardown(() => queue.close())
    const { store } = dev
    const of = { queue, fleet: 'lost', store }
    const key = ({ path }: { path: string }): string => `in/${path}`
    const plan = () =>
      planFleet({ ...of, files: walkFiles(root), key, sliceFiles: 10 })
    t.match(await plan(), { slices: 6, added: 6 })
    // From the 26th file on nobody is answered.
    let asked = 0
    dev.server.setFault(({ operation, key: put = '' }) =>
      operation === 'PutObject' && put.startsWith('in/') && ++asked > 25
        ? { kind: 'silence' }
        : undefined,
    )
    const start = () => {
      const child = startChild(compiledFixture('fleet-child'), {
        redis: port,
        queue: 'fleet',
        endpoint: dev.server.endpoint,
        root,
        prefix: 'in/',
        lease: 60_000,
      } satisfies FleetChildJob)
      t.teardown(() => child.kill())
      return child
    }
    const until = async (isSo: (status: FleetStatus) => boolean) => {
      for (;;) {
        const status = await fleetStatus(of)
        const { files, filesDone, left, workers, active } = status
        const isTrue = filesDone + left === files && workers <= active
        if (!isTrue) t.fail('a status that cannot be true', { status })
        if (isSo(status)) return status
      }
    }
    const workers = [start(), start()]
    const stuck = await until(
      ({ workers: at, active }) => at === 2 && active === 2 && asked > 25,
    )
    t.match(stuck, { files: all, abandoned: 0, workersOfQueue: 2 })
    for (const worker of workers) worker.kill()
    await Promise.all(workers.map(({ ended }) => ended))
    const dead = await until(({ workersOfQueue }) => workersOfQueue === 0)
    t.match(dead, { workers: 0, active: 0, oldest: undefined })
    t.equal(dead.abandoned, await queue.getActiveCount())
    t.ok(dead.left > 0)
    await redis.client().flushall()
    const lost = { slicesDone: dead.slicesDone, left: dead.left, abandoned: 0 }
    t.match(await fleetStatus(of), lost)
    dev.server.setFault(undefined)
    t.match(await plan(), { slices: 6, added: 6 - dead.slicesDone })
    t.match(await plan(), { added: 0 })
    const last = start()
    t.match(await until(({ left }) => left === 0), { failed: 0 })
    last.kill()
    await last.ended
    const put = dev
      .seen('PutObject')
      .filter(({ applied, key: to = '' }) => applied && to.startsWith('in/'))
    t.equal(put.length, all, 'nothing was sent twice')
    t.equal(new Set(put.map(({ key: to }) => to)).size, all)
  },
)

await t.test(
  'slices are waited for, while a volume is away, and run again when they were given up',
  async (t) => {
    const b = await fleetBench(t, { count: 3 })
    const { port } = await startRedis(t)
    const connection = { host: '127.0.0.1', port }
    const queue = new Queue('fleet', { connection })
    t.teardown(() => queue.close())
    const { small: store, root } = b
    const of = { queue, fleet: 'away', store }
    await planFleet({ ...of, files: walkFiles(root) })
    const giver = new Worker(
      'fleet',
      async () => {
        throw new UnrecoverableError('not to be tried again')
      },
      { connection },
    )
    await new Promise((resolve) => {
      giver.once('failed', resolve)
    })
    await giver.close()
    await queue.pause()
    t.match(await fleetStatus(of), { givenUp: 1, left: 3, isPaused: true })
    t.match(await retryFleet(of), { files: 0, slicesAgain: 1 })
    await queue.resume()
    t.match(await fleetStatus(of), { givenUp: 0, left: 3, isPaused: false })

    const away = join(b.directory, 'away')
    await rename(root, away)
    const worker = fleetWorker({ queue, store, root, lease: 1000 })
    const { runner } = worker
    t.ok(runner instanceof Worker)
    if (!(runner instanceof Worker)) return
    const why = await new Promise((resolve) => {
      runner.once('failed', (_job, error) => resolve(error))
    })
    t.match(why, { code: 'PAWL_SOURCE_IO' })
    await rename(away, root)
    const made = await new Promise((resolve) => {
      runner.once('completed', (_job, result: unknown) => resolve(result))
    })
    t.match(made, { files: 3, failed: 0 })
    await worker.close()
    for (const [path, bytes] of b.files) {
      t.ok(bytes.equals(await b.object(path)), path)
    }
  },
)

await t.test('the command plans, works, tells and tries again', async (t) => {
  const dev = await devStore(t)
  const root = join(dev.directory, 'data')
  await mkdir(join(root, 'a b'), { recursive: true })
  for (const name of ['1', '2', 'a b/3']) {
    await writeFile(join(root, name), noise(100, name.length))
  }
  const redis = await startRedis(t)
  const url = `${dev.server.endpoint}/examplebucket`
  const queue = `redis://127.0.0.1:${redis.port}`
  const pawl = (...words: string[]): ChildProcess =>
    spawn(
      ...bareNode(
        join(compiledSources(), 'lib/cli/main.js'),
        'fleet',
        ...words,
        // Status is told of a queue that a flag names, all else of the environment's.
        ...(words[0] === 'status' ? ['--queue', queue] : []),
        '--json',
      ),
      {
        env: {
          ...process.env,
          OSS_ACCESS_KEY_ID: 'dev',
          OSS_ACCESS_KEY_SECRET: 'dev-secret',
          ...(words[0] === 'status' ? {} : { PAWL_QUEUE: queue }),
        },
      },
    )
  const run = async (...words: string[]) => {
    const child = pawl(...words)
    const [out, [code]] = await Promise.all([said(child), once(child, 'close')])
    return { code: code as number, out: out === '' ? {} : asJson(out) }
  }
  const planned = await run('plan', root, `${url}/in/`, '--name', 'nightly')
  t.match(planned, { code: 0, out: { files: 3, slices: 1, added: 1 } })
  await rm(join(root, '2'))
  const worker = pawl('work', `${url}/in/`, '--root', root)
  const told = said(worker)
  for (;;) {
    const { out } = await run('status', 'nightly', `${url}/`)
    if (out['left'] === 0) break
  }
  const status = await run('status', 'nightly', `${url}/`)
  t.match(status, {
    code: 1,
    out: { filesDone: 3, failed: 1, workers: 0, workersOfQueue: 1 },
  })
  await writeFile(join(root, '2'), noise(100, 1))
  const again = await run('retry', 'nightly', `${url}/`)
  t.match(again, { code: 0, out: { fleet: 'nightly.r1', files: 1 } })
  for (;;) {
    const { code, out } = await run('status', 'nightly.r1', `${url}/`)
    if (out['left'] === 0) {
      t.equal(code, 0)
      break
    }
  }
  // A list instead of a directory; each is named by itself.
  const list = join(dev.directory, 'list.csv')
  await writeFile(list, '"bucket","a+b%2F3","100"\n')
  const of = ['--name', 'listed', '--columns', 'Bucket, Key, Size']
  const listed = await run('plan', '--from', list, `${url}/in/from/`, ...of)
  t.match(listed, { code: 0, out: { files: 1, slices: 1, added: 1 } })
  for (;;) {
    const { out } = await run('status', 'listed', `${url}/`)
    if (out['left'] === 0) break
  }
  t.ok(noise(100, 5).equals(await dev.object('in/from/a b/3')))
  for (const words of [
    ['plan', root, `${url}/in/`, '--from', list],
    ['plan', `${url}/in/`, '--columns', 'path, size'],
    ['plan', root],
  ]) {
    const misused = await run(...words, '--name', 'none')
    t.match(misused, { code: 2, out: { code: 'PAWL_INVALID_OPTION' } })
  }
  worker.kill('SIGTERM')
  const [code] = (await once(worker, 'close')) as [number]
  t.equal(code, 0, 'stopped, as it was asked')
  t.match((await told).trim().split('\n').map(asJson), [
    { event: 'working', queue: 'pawl' },
    { event: 'slice', fleet: 'nightly', slice: 1, files: 2, failed: 1 },
    { event: 'slice', fleet: 'nightly.r1', slice: 1, files: 1, failed: 0 },
    { event: 'slice', fleet: 'listed', slice: 1, files: 1, failed: 0 },
  ])
  t.ok(noise(100, 5).equals(await dev.object('in/a b/3')))
  t.ok(noise(100, 1).equals(await dev.object('in/2')))
  await redis.kill()
  const away = await run('status', 'nightly', `${url}/`)
  t.equal(away.code, 1, 'a queue that does not answer is told')
})

async function said({ stdout }: ChildProcess): Promise<string> {
  return stdout === null ? '' : text(stdout)
}

function asJson(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>
}
