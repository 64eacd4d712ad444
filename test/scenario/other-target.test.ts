/**
 * A call whose checkpoint is the log of another upload touches neither: not the
 * log, and nothing of that upload on the server.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { discardFileUpload, uploadFile } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { smallStore } from '../support/small-store.js'
import {
  failureOf,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'

const bytes = noise(5 * part)
const mismatch = { code: 'PAWL_CHECKPOINT_MISMATCH' }

function veto(): never {
  throw new Error('not whole')
}

/** What the calls below share. */
function fileOptions(dev: SmallUploads, key: string) {
  return { store: dev.small, key, partSize: part, checkpoint: dev.log }
}

const calls: Record<string, (dev: SmallUploads) => Promise<unknown>> = {
  'a stream': (dev) => dev.run(bytes, { key: 'other' }),
  'discard() of a stream': (dev) => {
    const upload = dev.upload({ key: 'other' })
    upload.on('error', () => undefined)
    return upload.discard()
  },
  'discard() of a stream that has failed': async (dev) => {
    const upload = dev.upload({ key: 'other' })
    await send(upload, bytes).catch(() => undefined)
    t.match(await failureOf(upload), mismatch)
    return upload.discard()
  },
  uploadFile: (dev) =>
    uploadFile(join(dev.directory, 'source'), fileOptions(dev, 'other')),
  discardFileUpload: (dev) =>
    discardFileUpload(join(dev.directory, 'source'), fileOptions(dev, 'other')),
}

for (const [name, call] of Object.entries(calls)) {
  await t.test(`${name} leaves another upload's log alone`, async (t) => {
    const dev = await smallUploads(t)
    await writeFile(join(dev.directory, 'source'), bytes)
    await dev.fail(bytes, { key: 'terabyte', beforeComplete: veto })
    const log = await readFile(dev.log)
    const asked = dev.server.requests.length
    await t.rejects(call(dev), mismatch)
    t.ok(log.equals(await readFile(dev.log)), 'not one byte of the log')
    t.equal(dev.server.requests.length, asked, 'nothing was asked')
    const result = await dev.run(bytes, { key: 'terabyte' })
    t.equal(result.partsReused, 5, 'the other upload goes on')
  })
}

await t.test(
  'under another host name of the same server a log is refused, unless the bucket has a name for both',
  async (t) => {
    const dev = await smallUploads(t)
    const storeAt = (host: string, identity: string | undefined) =>
      smallStore(
        dev.another({
          endpoint: `http://${host}:${dev.server.port}`,
          ...(identity === undefined ? {} : { identity }),
        }),
      )
    for (const identity of [undefined, 'nas/backups']) {
      const here = storeAt('127.0.0.1', identity)
      const there = storeAt('localhost', identity)
      await dev.fail(bytes, { store: here, beforeComplete: veto })
      if (identity === undefined) {
        await t.rejects(dev.run(bytes, { store: there }), {
          ...mismatch,
          message: /belongs to another target.*127\.0\.0\.1/,
        })
      }
      const store = identity === undefined ? here : there
      t.match(await dev.run(bytes, { store }), { partsReused: 5 })
    }
    t.same(dev.server.openUploads(), [])
  },
)
