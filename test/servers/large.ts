/** 2 GiB, and the gateway is killed and started twice on the way. */
import { createCipheriv, createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { createResumableUploadStream } from '../../lib/index.js'
import { keysOf } from '../contract/target.js'
import { environmentTarget } from '../contract/targets.js'
import { checkpointOf } from '../contract/uploads.js'
import { withOutages } from './gateway.js'

const MiB = 1024 * 1024
const partSize = 16 * MiB
const size = 2048 * MiB

await t.test('2 GiB with two outages are their source', async (t) => {
  const target = environmentTarget(t)
  const key = keysOf(t, target)('large')
  const upload = createResumableUploadStream({
    store: target.store(t),
    key,
    checkpoint: await checkpointOf(t),
    partSize,
    size,
    retry: { attempts: 40, baseDelay: 500, maxDelay: 2000 },
  })
  let retries = 0
  upload.on('retry', () => retries++)
  const hash = createHash('sha256')
  async function* bytes() {
    const cipher = createCipheriv(
      'aes-256-ctr',
      Buffer.alloc(32, 7),
      Buffer.alloc(16),
    )
    const zeros = Buffer.alloc(MiB)
    for (let at = 0; at < size; at += MiB) {
      const chunk = cipher.update(zeros)
      hash.update(chunk)
      yield chunk
    }
  }
  const { source, over } = withOutages(upload, bytes(), [
    { afterParts: 40, holdAt: 60 * partSize },
    { afterParts: 85, holdAt: 105 * partSize },
  ])
  await pipeline(source, upload)
  await over()
  t.match(await upload.result, { size, parts: 128, verified: 'md5' })
  t.ok(retries > 0, `${retries} retries`)
  t.equal(await target.other.sha256(key), hash.digest('hex'))
})
