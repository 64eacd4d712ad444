/** One request in five fails in a random way. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { noise, sha256 } from '../support/dev-store.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { key, smallUploads } from '../support/small-upload.js'
import { sized } from '../support/tier.js'

const [parts, partSize] = sized({
  fast: [64, 128 << 10],
  more: [256, 128 << 10],
  // A GiB.
  long: [128, 8 << 20],
})

const faults: Fault[] = [
  { kind: 'refuse' },
  { kind: 'reset-body', afterBytes: partSize >> 1 },
  { kind: 'reply-lost' },
  { kind: 'reply-cut' },
  { kind: 'status', status: 500, code: 'InternalError' },
  {
    kind: 'status',
    status: 503,
    code: 'ServiceUnavailable',
    headers: { 'retry-after': '0' },
    early: true,
  },
  { kind: 'status', status: 400, code: 'RequestTimeout' },
  { kind: 'wrong-crc' },
]

await t.test('one request in five fails', async (t) => {
  const seed = seedFor()
  t.comment(`PAWL_SEED=${seed}`)
  const random = randomFrom(seed)
  const dev = await smallUploads(t, {})
  const block = noise(partSize, seed)
  // No two parts are the same, and not all of it has to be in memory.
  const partOf = (number: number): Buffer => {
    const bytes = Buffer.from(block)
    bytes.writeUInt32LE(number)
    return bytes
  }
  const failed: number[] = []
  dev.server.setFault(({ index, operation }) => {
    if (random() >= 0.2) return undefined
    const fault = faults[Math.floor(random() * faults.length)]
    // Of the whole object it says that the object is damaged, which ends an upload.
    if (fault?.kind === 'wrong-crc' && operation !== 'UploadPart') {
      return undefined
    }
    if (operation === 'UploadPart') failed.push(index)
    return fault
  })
  const upload = dev.upload({
    partSize,
    retry: { attempts: 12, baseDelay: 1, maxDelay: 5 },
  })
  await pipeline(
    Readable.from(
      (function* source() {
        for (let number = 1; number <= parts; number++) yield partOf(number)
      })(),
    ),
    upload,
  )
  const { size } = await upload.result
  t.equal(size, parts * partSize)
  const object = await dev.object(key)
  const expected = Buffer.concat(
    Array.from({ length: parts }, (_, index) => partOf(index + 1)),
  )
  t.equal(sha256(object), sha256(expected))
  const sent = dev.seen('UploadPart').length
  t.comment(
    `${sent} requests for ${parts} parts, ${failed.length} of which failed`,
  )
  t.equal(sent, parts + failed.length, 'only what failed was sent again')
  const bytes = dev.seen('UploadPart').reduce((sum, one) => sum + one.bytes, 0)
  t.ok(bytes <= (parts + failed.length) * partSize)
})
