import { createHash, randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Crc64Hashers, type Crc64Variant } from '../../lib/hash/crc64.js'
import { Digests, type DigestKind } from '../../lib/hash/digest.js'

const kinds: DigestKind[] = ['crc64ecma', 'crc64nvme', 'md5', 'sha256']
const digests = new Digests()
const bytes = randomBytes(3 * 1024 * 1024 + 17)
const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
shared.set(bytes)

async function expected(kind: DigestKind, data: Uint8Array): Promise<string> {
  if (kind === 'md5') return createHash('md5').update(data).digest('base64')
  if (kind === 'sha256') return createHash('sha256').update(data).digest('hex')
  return crc64(kind, data)
}

async function crc64(variant: Crc64Variant, data: Uint8Array) {
  const crc = await new Crc64Hashers().create(variant)
  crc.update(data)
  return crc.digest()
}

for (const kind of kinds) {
  await t.test(`${kind} is the same here and in the worker`, async (t) => {
    digests.warmUp()
    const value = await expected(kind, bytes)
    t.equal(await digests.here(kind, bytes), value, 'here')
    t.equal(
      await digests.digest(kind, bytes),
      value,
      'memory that is not shared',
    )
    // Long enough for the worker to have started in at least one of the rounds.
    for (let round = 0; round < 20; round++) {
      t.equal(
        await digests.digest(kind, shared),
        value,
        `shared, round ${round}`,
      )
      await nextTurn()
    }
  })
}

await t.test('views of shared memory are hashed where they are', async (t) => {
  const view = shared.subarray(1000, 1000 + 512 * 1024)
  const copies = Array.from({ length: 8 }, () =>
    digests.digest('crc64ecma', view),
  )
  const value = await crc64('crc64ecma', bytes.subarray(1000, 525_288))
  t.same(await Promise.all(copies), Array(8).fill(value))
})
