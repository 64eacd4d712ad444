/** Giving one upload up, and removing those that are forgotten. */
import { Readable } from 'node:stream'
import { existsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { createResumableUploadStream } from '../../lib/index.js'
import type { CleanUpOptions } from '../../docs/examples/clean-up.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'
import {
  exampleRunner,
  key,
  part,
  type ExampleRunner,
} from '../support/example-runner.js'
import { chunksOf } from '../support/small-upload.js'

const { keepClean } = await import('../../docs/examples/clean-up.js')
const { giveUp } = await import('../../docs/examples/give-up.js')

const bytes = noise(3 * part)

/** An upload that stops when two parts are stored. */
async function unfinished(run: ExampleRunner): Promise<void> {
  const upload = createResumableUploadStream(run.options({ concurrency: 1 }))
  let stored = 0
  upload.on('part', () => {
    if (++stored === 2) upload.destroy()
  })
  await pipeline(Readable.from(chunksOf(bytes)), upload).catch(() => undefined)
  await upload.result.catch(() => undefined)
}

await t.test('an upload of an earlier run is given up', async (t) => {
  const run = await exampleRunner(t)
  await unfinished(run)
  t.equal(run.server.openUploads().length, 1)
  t.equal(await giveUp(run.options()), true)
  t.same(run.server.openUploads(), [])
  t.notOk(existsSync(run.log))
  t.equal(await giveUp(run.options()), true, 'there is nothing: the same')
})

await t.test('an object that is complete is not given up', async (t) => {
  const run = await exampleRunner(t)
  // Complete is done, and neither its answer nor any look comes back.
  run.server.setFault(({ operation }) => {
    if (operation === 'CompleteMultipartUpload') return { kind: 'reply-lost' }
    return operation === 'HeadObject'
      ? { kind: 'status', status: 500 }
      : undefined
  })
  const upload = createResumableUploadStream(run.options())
  await t.rejects(pipeline(Readable.from(chunksOf(bytes)), upload))
  await upload.result.catch(() => undefined)
  run.server.setFault(undefined)
  t.equal(await giveUp(run.options()), false)
  t.ok(existsSync(run.log), 'the same call has its result')
})

await t.test('what cannot be reached is not given up', async (t) => {
  const run = await exampleRunner(t)
  await unfinished(run)
  run.server.setFault(() => ({ kind: 'refuse' }))
  await t.rejects(giveUp(run.options()), { code: 'PAWL_NETWORK' })
  run.server.setFault(undefined)
  t.equal(await giveUp(run.options()), true)
})

const hour = 60 * 60 * 1000

await t.test('rounds leave what is young, and outlast a failure', async (t) => {
  const run = await exampleRunner(t)
  await unfinished(run)
  const stop = new AbortController()
  const rounds: Parameters<CleanUpOptions['onRound']>[0][] = []
  const errors: unknown[] = []
  await keepClean(run.store, {
    prefix: 'backups/',
    olderThan: hour,
    every: 1,
    signal: stop.signal,
    onRound: (round) => {
      rounds.push(round)
      if (rounds.length === 2) stop.abort()
      else run.server.setFault(() => ({ kind: 'status', status: 403 }))
    },
    onError: (error) => {
      errors.push(error)
      run.server.setFault(undefined)
    },
  })
  t.match(errors, [{ code: 'PAWL_ACCESS_DENIED' }])
  t.match(rounds, [
    { removed: [], kept: { uploads: 1, bytes: 2 * part } },
    { removed: [], kept: { uploads: 1 } },
  ])
  t.equal(run.server.openUploads().length, 1)
})

await t.test(
  'what is forgotten is removed, under the prefix only',
  async (t) => {
    const directory = await temporaryDirectory(t)
    const earlier = await exampleRunner(t, { directory })
    await unfinished(earlier)
    await earlier.server.close()
    // The same uploads, seen by a server whose clock is two hours on.
    const run = await exampleRunner(t, { directory, clockOffset: 2 * hour })
    for (const prefix of ['other/', 'backups/']) {
      const stop = new AbortController()
      await keepClean(run.store, {
        prefix,
        olderThan: hour,
        signal: stop.signal,
        onRound: ({ removed, kept }) => {
          const keys = removed.map(({ key }) => key)
          t.same(keys, prefix === 'other/' ? [] : [key])
          t.match(kept, { uploads: 0, bytes: 0 })
          stop.abort()
        },
        onError: (error) => {
          stop.abort()
          t.fail(String(error))
        },
      })
      t.equal(run.server.openUploads().length, prefix === 'other/' ? 1 : 0)
    }
  },
)
