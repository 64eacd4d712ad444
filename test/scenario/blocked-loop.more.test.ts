/** What has arrived is read before a limit that has passed counts. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  createResumableUploadStream,
  ossStore,
  type UploadEvents,
} from '../../lib/index.js'
import { cliDesk, endpointOf } from '../support/cli-desk.js'
import { bucket, keys, noise, smallPart } from '../support/dev-store.js'

/** As work that does not let the event loop turn. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

await t.test('a loop that is blocked sends no part twice', async (t) => {
  const d = await cliDesk(t)
  const server = d.start(['serve', 'objects', '--port', '0'])
  t.teardown(() => server.kill('SIGKILL'))
  const store = ossStore({
    endpoint: await endpointOf(server),
    region: 'cn-hangzhou',
    bucket,
    credentials: keys,
  })
  t.teardown(() => store.close())
  const bytes = noise(30 * smallPart)
  const limit = 300
  // The answer to a part may take what a slow line takes for it as well.
  const past = 2 * (limit + (smallPart / 100_000) * 1000)
  const upload = createResumableUploadStream({
    store,
    key: 'backups/db.dump',
    checkpoint: false,
    partSize: smallPart,
    timeout: { connect: limit, stall: limit, headers: limit },
  })
  const retries: UploadEvents['retry'][] = []
  upload.on('retry', (event: UploadEvents['retry']) => retries.push(event))
  const parts: UploadEvents['part'][] = []
  upload.on('part', (event: UploadEvents['part']) => {
    // While the next ones are on their way.
    if (parts.push(event) % 6 === 0) block(past)
  })
  await pipeline(Readable.from([bytes]), upload)
  t.match(await upload.result, { size: bytes.length, verified: 'crc64' })
  t.same(retries, [])
  t.equal(parts.length, 30)
  t.ok(parts.every(({ attempts }) => attempts === 1))
})
