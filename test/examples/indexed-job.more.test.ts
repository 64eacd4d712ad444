import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { bareNode } from '../support/bare-node.js'
import { compiledSources } from '../support/compiled.js'
import { devStore, keys, noise } from '../support/dev-store.js'

const MiB = 1024 * 1024
const example = join(compiledSources(), 'docs/examples/indexed-job.js')

await t.test('the pods of an Indexed Job upload one file', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(20 * MiB + 7)
  const source = join(dev.directory, 'db.dump')
  await writeFile(source, bytes)
  // One more than there are parts.
  const pods = 4
  const start = (step: string, index = 0) => {
    const child = spawn(...bareNode(example), {
      env: {
        ...process.env,
        STEP: step,
        SOURCE: source,
        KEY: 'backups/db.dump',
        LEASE: '1000',
        PODS: String(pods),
        JOB_COMPLETION_INDEX: String(index),
        OSS_ENDPOINT: dev.server.endpoint,
        OSS_ACCESS_KEY_ID: keys.accessKeyId,
        OSS_ACCESS_KEY_SECRET: keys.accessKeySecret,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = text(child.stdout)
    const ended = once(child, 'close').then(async ([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
      said: await said,
    }))
    return { child, ended }
  }
  const run = async (step: string, index?: number) => {
    const { code, said } = await start(step, index).ended
    t.equal(code, 0, `${step} ${index ?? ''}`)
    return said
  }
  await run('begin')
  await run('begin')
  // A pod is evicted in the middle of its part, and started again.
  dev.server.setFault(({ operation }) =>
    operation === 'UploadPart' ? { kind: 'silence' } : undefined,
  )
  const evicted = start('send', 1)
  while (dev.seen('UploadPart').length === 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  evicted.child.kill('SIGKILL')
  t.equal((await evicted.ended).signal, 'SIGKILL')
  dev.server.setFault(undefined)
  await Promise.all(
    Array.from({ length: pods }, (_, index) => run('send', index)),
  )
  t.match(await run('complete'), /^backups\/db\.dump [0-9A-F]{32}-3\n$/)
  t.match(await run('complete'), /^backups\/db\.dump [0-9A-F]{32}-3\n$/)
  t.ok(bytes.equals(await dev.object('backups/db.dump')))
  t.equal(dev.seen('CreateMultipartUpload').length, 1)
  t.equal(dev.seen('CompleteMultipartUpload').length, 1)
  t.equal(dev.seen('UploadPart').length, 4, 'three, and the evicted one')
})
