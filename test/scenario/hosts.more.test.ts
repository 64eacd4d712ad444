/** What a host takes away or adds: descriptors, workers, addons. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { devStore, noise, type DevStore } from '../support/dev-store.js'
import { startUpload, type UploadChildJob } from '../support/upload-child.js'

const execute = promisify(execFile)

/** Parts large enough for the worker, and a file of some of them. */
const partSize = 512 * 1024
const bytes = noise(4 * partSize + 1)

async function jobOn({ server, directory }: DevStore): Promise<UploadChildJob> {
  const file = join(directory, 'source')
  await writeFile(file, bytes)
  return {
    endpoint: server.endpoint,
    key: 'backups/db.dump',
    checkpoint: join(directory, 'log.pawl'),
    file,
    partSize,
    concurrency: 1,
    gzip: false,
  }
}

await t.test(
  'a moment without file descriptors spoils no later call',
  { skip: process.platform === 'win32' },
  async (t) => {
    const { server, directory } = await devStore(t)
    const file = join(directory, 'source.csv')
    await writeFile(file, 'a;b\n')
    const child = compiledFixture('few-descriptors-child')
    const [command, args] = bareNode(child, server.endpoint, directory, file)
    const { stdout } = await execute('sh', [
      '-c',
      'ulimit -n 512; exec "$0" "$@"',
      command,
      ...args,
    ])
    const lines: Record<string, unknown>[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.equal(lines.length, 24)
    for (const { name, free, how, after } of lines) {
      const which = `${String(name)} with ${String(free)} left`
      t.equal(after, 'done', `after ${which}`)
      if (how === 'done') continue
      t.match(how, { code: /^PAWL_/, transient: true }, which)
    }
    for (const { name, free, how } of lines) {
      if (free === 0)
        t.not(how, 'done', `${String(name)}: there was a shortage`)
    }
  },
)

await t.test(
  'under the permission model, with neither worker nor addon, a killed upload is gone on with',
  async (t) => {
    const dev = await devStore(t)
    const job = await jobOn(dev)
    const known = process.allowedNodeEnvironmentFlags
    const flags = [
      known.has('--permission') ? '--permission' : '--experimental-permission',
      '--allow-fs-read=*',
      `--allow-fs-write=${dev.directory}/`,
      ...(known.has('--allow-net') ? ['--allow-net'] : []),
      '--no-warnings',
    ]
    // The third part is held, so that the child is killed with two stored.
    dev.server.setFault(({ partNumber }) =>
      partNumber === 3 ? { kind: 'silence' } : undefined,
    )
    const killed = startUpload(job, { flags })
    await killed.hearsThat((said) => said['partNumber'] === 2)
    killed.kill()
    await killed.ended
    dev.server.setFault(undefined)
    const resumed = startUpload(job, { flags })
    const result = await resumed.hears('result')
    t.match(await resumed.ended, { code: 0 })
    t.match(result, { verified: 'crc64', resumed: true, parts: 5 })
    t.ok(Number(result?.['partsReused']) >= 2)
    t.ok((await dev.object(job.key)).equals(bytes))
  },
)

await t.test(
  'what the process was started with is not started again in the worker',
  { skip: availableParallelism() === 1 && 'no worker on a single core' },
  async (t) => {
    const dev = await devStore(t)
    const job = await jobOn(dev)
    const hook = `--import=${compiledFixture('worker-hook')}`
    const child = startUpload(job, { flags: [hook] })
    t.match(await child.ended, { code: 0 })
    const events = child.said.map(({ event }) => event)
    t.ok(events.includes('hook'))
    t.ok(events.includes('worker'), 'there was a worker')
    t.notOk(events.includes('hook in a worker'))
  },
)

await t.test(
  'without an MD5 (FIPS) all goes on that needs none, and the rest is refused at once',
  async (t) => {
    const { server, directory } = await devStore(t)
    const file = join(directory, 'source')
    await writeFile(file, noise(6 * 1024 * 1024))
    const [command, args] = bareNode(
      `--import=${compiledFixture('no-md5')}`,
      compiledFixture('fips-child'),
      server.endpoint,
      directory,
      file,
    )
    const { stdout } = await execute(command, args)
    const found = stdout
      .trim()
      .split('\n')
      .map((line): { name: string; how: string } => JSON.parse(line))
    const expected: Record<string, string> = {
      'oss, undefined': 'crc64',
      'oss, false': 'none',
      'oss, md5': 'PAWL_VERIFY_UNSUPPORTED',
      's3, undefined': 'PAWL_VERIFY_UNSUPPORTED',
      's3, false': 'none',
      's3, md5': 'PAWL_VERIFY_UNSUPPORTED',
      's3 with CRC-64, undefined': 'crc64',
      's3 with CRC-64, false': 'none',
      's3 with CRC-64, md5': 'PAWL_VERIFY_UNSUPPORTED',
    }
    t.equal(found.length, 4 * Object.keys(expected).length)
    for (const { name, how } of found) {
      const [store = '', verify = ''] = name.split(', ')
      t.equal(how, expected[`${store}, ${verify}`], name)
    }
  },
)
