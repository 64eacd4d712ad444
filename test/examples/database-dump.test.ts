import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { noise } from '../support/dev-store.js'
import {
  exampleRunner,
  key,
  onRequest,
  part,
} from '../support/example-runner.js'

const { uploadDump } = await import('../../docs/examples/database-dump.js')

const bytes = noise(5 * part + 77)

await t.test('a dump is compressed on its way to an object', async (t) => {
  const run = await exampleRunner(t)
  const path = join(run.directory, 'dump')
  await writeFile(path, bytes)
  const result = await uploadDump(['cat', path], run.options())
  t.equal(result.verified, 'crc64')
  t.ok(gunzipSync(await run.object(key)).equals(bytes))
})

await t.test(
  'a dump that dies is no object, and is gone on with',
  async (t) => {
    const run = await exampleRunner(t)
    const path = join(run.directory, 'dump')
    await writeFile(path, bytes)
    const half = ['-c', `head -c ${3 * part} "$0"; exit 3`, path] as const
    await t.rejects(uploadDump(['sh', ...half], run.options()), {
      code: 'PAWL_BEFORE_COMPLETE',
      cause: { message: 'sh ended with 3' },
      resumable: true,
      transient: false,
    })
    t.equal(run.server.objectPath('examplebucket', key), undefined)
    const stored = await run.storedParts()
    t.ok(stored >= 2, `${stored} parts are stored`)
    const since = run.server.requests.length
    await uploadDump(['cat', path], run.options())
    t.notOk(
      // The compressor ends the first dump's last block as it ends no other.
      run.sentSince(since).some((number) => number < stored),
      'what is stored is not sent again',
    )
    t.ok(gunzipSync(await run.object(key)).equals(bytes))
  },
)

const failures = [
  {
    what: 'a signal',
    command: ['sh', '-c', 'kill -9 $$'] as [string, ...string[]],
    cause: { message: 'sh ended with SIGKILL' },
  },
  {
    what: 'not being there',
    command: ['pawl-no-such-program'] as [string, ...string[]],
    cause: { code: 'ENOENT' },
  },
]

for (const { what, command, cause } of failures) {
  await t.test(`a dump that ends by ${what} is no object`, async (t) => {
    const run = await exampleRunner(t)
    await t.rejects(uploadDump(command, run.options()), {
      code: 'PAWL_BEFORE_COMPLETE',
      cause,
    })
    t.same(run.seen('PutObject'), [])
  })
}

await t.test('an upload that fails ends the dump', async (t) => {
  const run = await exampleRunner(t)
  const stop = new AbortController()
  const endless = ['sh', '-c', 'while cat /dev/urandom; do :; done'] as [
    string,
    ...string[],
  ]
  run.server.setFault(onRequest('UploadPart', 0, () => stop.abort()))
  await t.rejects(uploadDump(endless, run.options({ signal: stop.signal })), {
    code: 'PAWL_SUSPENDED',
  })
})
