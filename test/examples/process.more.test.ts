/** The examples that are about the process they run in: input and signals. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { ExampleChildJob } from '../fixtures/example-child.js'
import { besideEachOther } from '../support/beside.js'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { noise } from '../support/dev-store.js'
import { exampleRunner, key, part } from '../support/example-runner.js'

const test = besideEachOther(t)

const path = compiledFixture('example-child')
const bytes = noise(5 * part + 33)

/** A child, and what it says when it ends. */
function start(job: ExampleChildJob) {
  const child = spawn(...bareNode(path, JSON.stringify(job)), {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined)
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const ended = once(child, 'close').then(async ([code]: unknown[]) => {
    const [out, err] = await said
    return { code, said: JSON.parse(out) as { event: string }, err }
  })
  return { child, ended }
}

test('standard input that breaks off is gone on with', async (t) => {
  const run = await exampleRunner(t)
  const { store: _, ...options } = run.options({ size: bytes.length })
  const job = { endpoint: run.server.endpoint, options }
  const first = start(job)
  first.child.stdin.write(bytes.subarray(0, 3 * part + 1))
  await run.logHas(3)
  first.child.stdin.end()
  t.match(await first.ended, {
    said: { event: 'failed', code: 'PAWL_SIZE_MISMATCH', resumable: true },
  })
  t.equal(run.server.objectPath('examplebucket', key), undefined)
  const since = run.server.requests.length
  const second = start(job)
  second.child.stdin.end(bytes)
  t.match(await second.ended, {
    code: 0,
    said: { event: 'done', partsReused: 3, size: bytes.length },
    err: /parts are stored already/,
  })
  t.same(run.sentSince(since), [4, 5, 6])
  t.ok(bytes.equals(await run.object(key)))
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} suspends, and the same call goes on`, async (t) => {
    const run = await exampleRunner(t)
    const path = join(run.directory, 'source')
    await writeFile(path, bytes)
    const { store: _, ...options } = run.options({ concurrency: 1 })
    const job = { endpoint: run.server.endpoint, path, options }
    const first = start(job)
    // `env` becomes the child, so the signal is the child's.
    run.server.setFault(({ operation, partNumber = 0 }) => {
      if (operation !== 'UploadPart' || partNumber < 3) return undefined
      first.child.kill(signal)
      return { kind: 'silence' }
    })
    t.match(await first.ended, { code: 0, said: { event: 'stopped' } })
    run.server.setFault(undefined)
    const since = run.server.requests.length
    const second = start(job)
    t.match(await second.ended, { said: { event: 'done', partsReused: 2 } })
    t.same(run.sentSince(since), [3, 4, 5, 6])
    t.ok(bytes.equals(await run.object(key)))
  })
}
