/** Engines that are killed at any moment, and a failover that loses the end. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import {
  createResumableUploadStream,
  UploadError,
  type Checkpoint,
} from '../../lib/index.js'
import { postgresTables } from '../../lib/lease/postgres.js'
import { redisCheckpoint } from '../../lib/lease/redis.js'
import {
  devStore,
  noise,
  smallPart,
  type DevStore,
} from '../support/dev-store.js'
import { openPlace, type LeasedPlace } from '../support/leased-job.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { sized } from '../support/tier.js'
import type { Engine } from './support/engine.js'
import { freshName } from './support/hold.js'
import { startPostgres } from './support/postgres-server.js'
import { startRedis, startSentinel } from './support/redis-server.js'

const kills = sized({ fast: 4, more: 25, long: 100 })
const size = 8 * smallPart + 7

/** Runs of one upload until one has made the object; how many it took. */
async function untilMade(
  dev: DevStore,
  key: string,
  checkpoint: () => Checkpoint,
  onPart: () => void = () => undefined,
): Promise<number> {
  for (let runs = 1; ; runs++) {
    const upload = createResumableUploadStream({
      store: dev.store,
      key,
      partSize: smallPart,
      concurrency: 2,
      checkpoint: checkpoint(),
    })
    upload.on('part', onPart)
    try {
      await pipeline(
        Readable.from([noise(size, runs % 3 === 0 ? 2 : 1)]),
        upload,
      )
      await upload.result
      return runs
    } catch {
      const failure: unknown = await upload.result.catch((error) => error)
      if (!(failure instanceof UploadError)) throw failure
      if (!failure.transient) throw failure
      const wait = Math.max(50, failure.retryAfter ?? 0)
      await new Promise((resolve) => {
        setTimeout(resolve, wait)
      })
    }
  }
}

async function killAtRandom(
  t: Test,
  server: Engine & { url: string },
  engine: LeasedPlace['engine'],
): Promise<void> {
  const dev = await devStore(t)
  const seed = seedFor()
  t.comment(`PAWL_SEED=${seed}`)
  const random = randomFrom(seed)
  for (let kill = 1; kill <= kills; kill++) {
    const name = freshName()
    const place = await openPlace({
      engine,
      url: server.url,
      name,
      lease: 2000,
    })
    const key = `object-${kill}`
    // Behind the call or a part, and a moment of its own after it.
    const at = Math.floor(random() * 10)
    const pause = Math.floor(random() * 15)
    let parts = -1
    let restarting: Promise<void> | undefined
    const onPart = (): void => {
      if (++parts < at || restarting !== undefined) return
      restarting = new Promise((resolve) => {
        setTimeout(resolve, pause)
      }).then(async () => {
        await server.kill()
        await server.restart()
      })
    }
    onPart()
    const runs = await untilMade(dev, key, () => place.checkpoint(), onPart)
    await restarting
    const made = await dev.object(key)
    const last = noise(size, runs % 3 === 0 ? 2 : 1)
    t.ok(made.equals(last), `kill ${kill}: the last run’s bytes`)
    const { length } = dev
      .seen('CompleteMultipartUpload')
      .filter((request) => request.key === key && request.status === 200)
    t.ok(length <= runs, `kill ${kill}: ${length} Completes`)
    await place.close()
  }
}

for (const appendfsync of ['always', 'everysec']) {
  await t.test(`Redis is killed, appendfsync ${appendfsync}`, async (t) => {
    await killAtRandom(t, await startRedis(t, { appendfsync }), 'redis')
  })
}

await t.test('PostgreSQL is killed', async (t) => {
  const server = await startPostgres(t)
  await server.pool().query(postgresTables)
  await killAtRandom(t, server, 'postgres')
})

await t.test('a failover that loses the end of a log', async (t) => {
  const master = await startRedis(t)
  const replica = await startRedis(t, { replicaof: `127.0.0.1 ${master.port}` })
  const admin = master.client()
  for (;;) {
    if (/connected_slaves:1\r?\n.*state=online/.test(await admin.info())) break
  }
  const sentinel = await startSentinel(t, 'logs', master.port)
  const asked = new Redis(sentinel.port, '127.0.0.1')
  t.teardown(() => asked.disconnect())
  for (;;) {
    const replicas = (await asked.call(
      'SENTINEL',
      'REPLICAS',
      'logs',
    )) as unknown[]
    if (replicas.length === 1) break
  }
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    name: 'logs',
  })
  client.on('error', () => undefined)
  t.teardown(() => client.disconnect())
  const dev = await devStore(t)
  const name = freshName()
  let parts = 0
  let lagging: Promise<void> | undefined
  let failingOver: Promise<void> | undefined
  const runs = await untilMade(
    dev,
    'object',
    () => redisCheckpoint({ client, name, lease: 2000 }),
    () => {
      parts++
      // From here on it does not hear what the master answers for.
      if (parts === 2) lagging = replica.kill()
      if (parts !== 6 || failingOver !== undefined) return
      failingOver = (async () => {
        await lagging
        await master.kill()
        await replica.restart()
      })()
    },
  )
  await failingOver
  t.ok(runs > 1, 'the loss ended a run, and the next one made it')
  const seed = runs % 3 === 0 ? 2 : 1
  t.ok((await dev.object('object')).equals(noise(size, seed)))
  const completed = dev.server.requests.filter(
    ({ operation, status }) =>
      operation === 'CompleteMultipartUpload' && status === 200,
  )
  t.equal(completed.length, 1)
})
