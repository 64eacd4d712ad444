/**
 * A fleet on real Redis: workers that are killed, and the queue as well. Every
 * object is compared; what is repeated and what it costs Redis is told.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import t from 'tap'
import {
  fleetStatus,
  planFleet,
  retryFleet,
  walkFiles,
} from '../../lib/fleet/index.js'
import { Crc64Hashers } from '../../lib/hash/crc64.js'
import type { FleetChildJob } from '../fixtures/fleet-child.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture, compiledSources } from '../support/compiled.js'
import { devStore, noise } from '../support/dev-store.js'
import { sized } from '../support/tier.js'
import { startChild, type UploadChild } from '../support/upload-child.js'
import { startRedis } from './support/redis-server.js'

const KiB = 1024
const MiB = 1024 * KiB
const size = sized({
  fast: { small: 300, large: 4, killEvery: 3000, redisKills: 1 },
  more: { small: 10_000, large: 100, killEvery: 10_000, redisKills: 2 },
  long: { small: 100_000, large: 1000, killEvery: 10_000, redisKills: 2 },
})
const machines = 4
/** ms; a real one is longer, so that a busy machine is not taken for a dead one. */
const lease = 5000
const fleet = 'engines'

await t.test(
  `${size.small} files of 16 KiB and ${size.large} of 8 MiB, with kills`,
  async (t) => {
    const dev = await devStore(t)
    const root = join(dev.directory, 'data')
    await writeFiles(root)
    const redis = await startRedis(t, { 'maxmemory-policy': 'noeviction' })
    const { port } = redis
    const queue = new Queue('fleet', {
      connection: { host: '127.0.0.1', port },
    })
    queue.on('error', () => undefined)
    const { store } = dev
    const files = () => walkFiles(root)
    const key = ({ path }: { path: string }) => `in/${path}`
    const planned = await planFleet({
      queue,
      fleet,
      store,
      files: files(),
      key,
      sliceFiles: 500,
    })
    t.equal(planned.files, size.small + size.large)
    const job: FleetChildJob = {
      endpoint: dev.server.endpoint,
      port,
      queue: 'fleet',
      root,
      prefix: 'in/',
      lease,
    }
    const start = (): UploadChild =>
      startChild(compiledFixture('fleet-child'), job)
    const workers = Array.from({ length: machines }, start)
    t.teardown(() => workers.forEach((worker) => worker.kill()))
    let kills = 0
    let redisKills = 0
    let cpu = 0
    const client = redis.client()
    let isEnding = false
    const killing = setInterval(() => {
      if (isEnding) return
      const index = kills++ % machines
      workers[index]?.kill()
      workers[index] = start()
      if (redisKills < size.redisKills && kills % 2 === 0) {
        redisKills += 1
        void cpuOf(client)
          .then((spent) => (cpu += spent))
          .then(() => redis.kill())
          .then(() => redis.restart())
      }
    }, size.killEvery)
    try {
      for (;;) {
        const status = await fleetStatus({ queue, fleet, store }).catch(
          () => undefined,
        )
        if (status?.isPlanned === true && status.slicesDone === status.slices) {
          t.match(status, { left: 0, failed: 0, filesDone: planned.files })
          break
        }
        await new Promise((resolve) => {
          setTimeout(resolve, 500)
        })
      }
    } finally {
      isEnding = true
      clearInterval(killing)
    }
    const puts = dev
      .seen('PutObject')
      .filter(({ applied, key = '' }) => applied && key.startsWith('in/'))
    const repeated = puts.length - planned.files
    t.comment(`${kills} workers killed, Redis ${redisKills} times`)
    t.comment(`${repeated} files sent a second time`)
    const again = await planFleet({ queue, fleet, store, files: files(), key })
    t.equal(again.added, 0, 'planned again, nothing is added')
    cpu += await cpuOf(client)
    const micros = (cpu / planned.files) * 1e6
    t.comment(`Redis: ${micros.toFixed(1)} µs of CPU a file`)
    for (const worker of workers) worker.kill()
    await Promise.all(workers.map(({ ended }) => ended))
    const failed = await retryFleet({ queue, fleet, store })
    t.equal(failed.files, 0, 'nothing has failed')
    await queue.close()

    const hashers = new Crc64Hashers()
    let wrong = 0
    for await (const { path } of files()) {
      const object = dev.server.objectPath('examplebucket', `in/${path}`)
      const one = await crc64Of(hashers, join(root, path))
      const other = object && (await crc64Of(hashers, object))
      if (one !== other) wrong += 1
    }
    t.equal(wrong, 0, 'every object is its file, by CRC-64')
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
  t.match(told, { code: 1, out: { filesDone: 3, failed: 1, workers: 1 } })
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

async function writeFiles(root: string): Promise<void> {
  const block = noise(9 * MiB)
  for (let i = 0; i < size.small + size.large; i++) {
    const bytes = i < size.small ? 16 * KiB : 8 * MiB
    const folder = join(root, `${Math.floor(i / 100)}`)
    if (i % 100 === 0) await mkdir(folder, { recursive: true })
    const at = (i * 97) % (block.length - bytes)
    await writeFile(join(folder, `file-${i}`), block.subarray(at, at + bytes))
  }
}

async function crc64Of(hashers: Crc64Hashers, path: string): Promise<string> {
  const hash = await hashers.create('crc64ecma')
  const handle = await open(path)
  const stream = handle.createReadStream()
  stream.on('data', (chunk) => {
    if (typeof chunk !== 'string') hash.update(chunk)
  })
  await once(stream, 'close')
  return hash.digest()
}

/** Seconds of CPU that Redis has taken since it was started, user and system. */
async function cpuOf(client: Redis): Promise<number> {
  const text = await client.info('cpu')
  const of = (name: string): number =>
    Number(new RegExp(`${name}:([0-9.]+)`).exec(text)?.[1])
  return of('used_cpu_user') + of('used_cpu_sys')
}
