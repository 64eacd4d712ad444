/**
 * A fleet on real Redis: workers that are killed, and the queue as well. Every
 * object is compared; what is repeated and what it costs Redis is told.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Queue, type Telemetry, Worker } from 'bullmq'
import t, { type Test } from 'tap'
import { fleetWorker, planFleet, walkFiles } from '../../lib/fleet/index.js'
import { bareNode } from '../support/bare-node.js'
import { compiledSources } from '../support/compiled.js'
import { devStore, noise } from '../support/dev-store.js'
import { fleetBench } from '../support/fleet-bench.js'
import { sized, tier } from '../support/tier.js'
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

await t.test(
  'a worker has the prefix and the telemetry of its queue',
  async (t) => {
    const b = await fleetBench(t, { count: 3 })
    const { port } = await startRedis(t)
    const spans: string[] = []
    const span = {
      addEvent: () => undefined,
      end: () => undefined,
      recordException: () => undefined,
      setAttribute: () => undefined,
      setAttributes: () => undefined,
      setSpanOnContext: () => ({}),
    }
    const telemetry: Telemetry = {
      tracer: {
        startSpan(name) {
          spans.push(name)
          return span
        },
      },
      contextManager: {
        active: () => ({}),
        fromMetadata: () => ({}),
        getMetadata: () => '',
        with: (_context, run) => run() as ReturnType<typeof run>,
      },
    }
    const connection = { host: '127.0.0.1', port }
    const queue = new Queue('fleet', { connection, prefix: 'own', telemetry })
    const { small: store, root } = b
    await planFleet({ queue, fleet: 'own', store, files: walkFiles(root) })
    const worker = fleetWorker({ queue, store, root })
    const { runner } = worker
    t.ok(runner instanceof Worker)
    if (!(runner instanceof Worker)) return
    // Of BullMQ's own events, such as a program listens to.
    const result = await new Promise((resolve) => {
      runner.once('completed', (_job, made: unknown) => resolve(made))
    })
    t.match(result, { files: 3, failed: 0 })
    t.ok(
      spans.some((name) => name.startsWith('process')),
      spans.join(),
    )
    await worker.close()
    await queue.close()
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
  const pawl = (...words: string[]): ChildProcess =>
    spawn(
      ...bareNode(
        join(compiledSources(), 'lib/cli/main.js'),
        'fleet',
        ...words,
        '--queue',
        `redis://127.0.0.1:${redis.port}`,
        '--json',
      ),
      {
        env: {
          ...process.env,
          OSS_ACCESS_KEY_ID: 'dev',
          OSS_ACCESS_KEY_SECRET: 'dev-secret',
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
  for (;;) {
    const { out } = await run('status', 'nightly', `${url}/`)
    if (out['left'] === 0) break
  }
  const told = await run('status', 'nightly', `${url}/`)
  t.match(told, {
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
  worker.kill('SIGTERM')
  const [code] = (await once(worker, 'close')) as [number]
  t.equal(code, 0, 'stopped, as it was asked')
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
