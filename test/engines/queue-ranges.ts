/** The recipe of a flow over ranges of parts, by machines of which one is killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import t from 'tap'
import { bareNode } from '../support/bare-node.js'
import { compiledSources } from '../support/compiled.js'
import { devStore, keys, noise } from '../support/dev-store.js'
import { startRedis } from './support/redis-server.js'

const MiB = 1024 * 1024
const example = join(compiledSources(), 'docs/examples/queue-ranges.js')
const key = 'backups/db.dump'

await t.test('machines take ranges of parts from a queue', async (t) => {
  const dev = await devStore(t)
  const redis = await startRedis(t, { 'maxmemory-policy': 'noeviction' })
  const root = join(dev.directory, 'mnt')
  const source = join(root, 'db.dump')
  const bytes = noise(44 * MiB + 7)
  await mkdir(root)
  await writeFile(source, bytes)
  const start = (step: string) => {
    const child = spawn(...bareNode(example), {
      env: {
        ...process.env,
        STEP: step,
        SOURCE: source,
        KEY: key,
        ROOT: root,
        PARTS_A_JOB: '2',
        LEASE: '2000',
        REDIS_PORT: String(redis.port),
        OSS_ENDPOINT: dev.server.endpoint,
        OSS_ACCESS_KEY_ID: keys.accessKeyId,
        OSS_ACCESS_KEY_SECRET: keys.accessKeySecret,
      },
      stdio: 'inherit',
    })
    const ended = once(child, 'close') as Promise<[number | null, string]>
    t.teardown(async () => {
      child.kill('SIGKILL')
      await ended
    })
    return { child, ended }
  }
  const plan = async (): Promise<void> => {
    const [code] = await start('plan').ended
    t.equal(code, 0, 'planned')
  }
  const queue = new Queue('ranges', { connection: { port: redis.port } })
  queue.on('error', () => undefined)
  t.teardown(() => queue.close())
  const jobs = async (): Promise<number> => {
    const counts = await queue.getJobCounts()
    return Object.values(counts).reduce((sum, count) => sum + count, 0)
  }
  await plan()
  const planned = await jobs()
  await plan()
  t.equal(await jobs(), planned, 'planned again, nothing is added')
  t.ok(planned > 2, `${planned} jobs`)

  // Whoever has it when this machine dies is not heard of again.
  dev.server.setFault(({ operation }) =>
    operation === 'UploadPart' ? { kind: 'silence' } : undefined,
  )
  const dying = start('work')
  while (dev.seen('UploadPart').length === 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  dying.child.kill('SIGKILL')
  await dying.ended
  dev.server.setFault(undefined)
  const workers = [start('work'), start('work')]
  for (;;) {
    const { completed = 0, failed = 0 } = await queue.getJobCounts()
    if (failed > 0) throw new Error(`${failed} jobs have failed`)
    if (completed === planned) break
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
  t.ok(bytes.equals(await dev.object(key)), 'the object is the source')
  t.equal(dev.seen('CreateMultipartUpload').length, 1)
  t.equal(dev.seen('CompleteMultipartUpload').length, 1)
  for (const { child } of workers) child.kill('SIGTERM')
  for (const { ended } of workers) {
    const [code] = await ended
    t.equal(code, 0, 'stopped, as it was asked')
  }
})
