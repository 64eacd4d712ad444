/** A fleet on a queue in PostgreSQL, at a tenth of the size of that on Redis. */
import { createPostgresBackend, withBackend } from 'bullmq'
import t from 'tap'
import { postgresTables } from '../../lib/lease/postgres.js'
import { sized } from '../support/tier.js'
import { runFleet, type FleetSize } from './support/fleet-run.js'
import { startPostgres } from './support/postgres-server.js'

const KiB = 1024
const MiB = 1024 * KiB
const size = sized<FleetSize>({
  fast: {
    files: [
      [100, 16 * KiB],
      [1, 80 * MiB],
    ],
    lease: 5000,
    killEvery: 3000,
    queueKills: 0,
  },
  more: {
    files: [
      [1000, 16 * KiB],
      [10, 8 * MiB],
      [1, 200 * MiB],
    ],
    lease: 5000,
    killEvery: 5000,
    queueKills: 1,
  },
  long: {
    files: [
      [10_000, 16 * KiB],
      [100, 8 * MiB],
      [1, 1200 * MiB],
    ],
    lease: 10_000,
    killEvery: 10_000,
    queueKills: 2,
  },
})

await t.test('files on a queue in PostgreSQL, with kills', async (t) => {
  const server = await startPostgres(t)
  const { url } = server
  await server.pool().query(postgresTables)
  const { Queue } = withBackend(createPostgresBackend)
  const queue = new Queue('fleet', {
    connection: { connectionString: url, migrate: true },
  })
  queue.on('error', () => undefined)
  await queue.waitUntilReady()
  t.teardown(() => queue.close())
  await runFleet(
    t,
    {
      queue,
      reach: { queue: 'fleet', postgres: url },
      async fall() {
        await server.kill()
        await server.restart()
      },
    },
    size,
  )
})
