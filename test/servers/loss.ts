/** The gateway of a real server goes away in the middle of an upload. */
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  createResumableUploadStream,
  type UploadStreamOptions,
} from '../../lib/index.js'
import { keysOf } from '../contract/target.js'
import { environmentTarget } from '../contract/targets.js'
import { checkpointOf, failed, uploaded } from '../contract/uploads.js'
import { noise, sha256 } from '../support/dev-store.js'
import { gateway, withOutages } from './gateway.js'

const target = environmentTarget(t)
const { partSize, other } = target
const bytes = noise(12 * partSize + 99)
const outage = { afterParts: 4, holdAt: 9 * partSize }

async function* chunks() {
  for (let at = 0; at < bytes.length; at += 65_536) {
    yield bytes.subarray(at, at + 65_536)
  }
}

function uploadTo(
  t: Parameters<typeof keysOf>[0],
  options: Pick<UploadStreamOptions, 'key' | 'checkpoint' | 'retry'>,
) {
  return createResumableUploadStream({
    store: target.store(t),
    partSize,
    ...options,
  })
}

await t.test('a short outage is ridden over', async (t) => {
  const key = keysOf(t, target)('short-outage')
  const checkpoint = await checkpointOf(t)
  const upload = uploadTo(t, {
    key,
    checkpoint,
    retry: { attempts: 40, baseDelay: 500, maxDelay: 2000 },
  })
  let retries = 0
  upload.on('retry', () => retries++)
  const { source, over } = withOutages(upload, chunks(), [outage])
  await pipeline(source, upload)
  await over()
  t.match(await upload.result, { size: bytes.length, resumed: false })
  t.ok(retries > 0, `${retries} retries`)
  t.equal(await other.sha256(key), sha256(bytes))
})

await t.test('a long outage suspends, and is gone on after', async (t) => {
  const key = keysOf(t, target)('long-outage')
  const checkpoint = await checkpointOf(t)
  const upload = uploadTo(t, {
    key,
    checkpoint,
    retry: { attempts: 2, baseDelay: 1 },
  })
  const { source, over } = withOutages(upload, chunks(), [outage], {
    stays: true,
  })
  await t.rejects(pipeline(source, upload), {
    code: 'PAWL_NETWORK',
    resumable: true,
  })
  await upload.result.catch(() => undefined)
  await over()
  const still = { bytes, checkpoint, retry: { attempts: 2, baseDelay: 1 } }
  t.match(await failed(t, target, key, still), { code: 'PAWL_NETWORK' })
  await gateway.start()
  const { result, upload: again } = await uploaded(t, target, key, {
    bytes,
    checkpoint,
  })
  t.match(result, { resumed: true, uploadId: upload.uploadId, parts: 13 })
  t.ok(result.partsReused >= 4, `${result.partsReused} parts reused`)
  t.same(again.restarts, [])
  t.equal(await other.sha256(key), sha256(bytes))
})

await t.test('an outage that comes with Complete', async (t) => {
  const key = keysOf(t, target)('outage-at-complete')
  const checkpoint = await checkpointOf(t)
  const error = await failed(t, target, key, {
    bytes,
    checkpoint,
    retry: { attempts: 2, baseDelay: 1 },
    beforeComplete: () => gateway.stop(),
  })
  t.match(error, { resumable: true })
  await gateway.start()
  const { result } = await uploaded(t, target, key, { bytes, checkpoint })
  t.match(result, { resumed: true, partsReused: 13 })
  t.equal(await other.sha256(key), sha256(bytes))
})
