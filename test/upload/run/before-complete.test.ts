/** The last word before an object is made. */
import t from 'tap'
import { devStore, noise, smallPart } from '../../support/dev-store.js'
import { key, send, uploadTo } from '../../support/stream-upload.js'

await t.test('beforeComplete sees size and CRC and can suspend', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(2 * smallPart)
  const seen: unknown[] = []
  const upload = uploadTo(dev, {
    beforeComplete: (candidate) => {
      seen.push(candidate)
      throw new Error('pg_dump exited with 1')
    },
  })
  await t.rejects(send(upload, bytes), {
    code: 'PAWL_BEFORE_COMPLETE',
    message: /pg_dump exited with 1/,
    resumable: true,
    transient: false,
  })
  await upload.result.catch(() => undefined)
  t.equal(dev.server.objectPath('examplebucket', key), undefined)
  const again = uploadTo(dev, {
    beforeComplete: (candidate) => void seen.push(candidate),
  })
  await send(again, bytes)
  const { crc64, partsReused } = await again.result
  t.same(seen, [
    { size: bytes.length, crc64 },
    { size: bytes.length, crc64 },
  ])
  t.equal(partsReused, 2)
})

await t.test('beforeComplete guards a single PutObject too', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, {
    beforeComplete: () => {
      throw new Error('no')
    },
  })
  await t.rejects(send(upload, noise(10)), { code: 'PAWL_BEFORE_COMPLETE' })
  t.same(dev.server.requests, [])
})

for (const [name, given, size, resumable] of [
  ['shorter', 3 * smallPart, 3 * smallPart + 1, true],
  ['longer', 3 * smallPart, 2 * smallPart + 5, true],
  ['shorter than a part', 10, 11, false],
] as const) {
  await t.test(`a source ${name} than size is not completed`, async (t) => {
    const dev = await devStore(t)
    // The last part is cut when the first is stored.
    const upload = uploadTo(dev, { size, concurrency: 1 })
    await t.rejects(send(upload, noise(given)), {
      code: 'PAWL_SIZE_MISMATCH',
      resumable,
      transient: false,
    })
    await upload.result.catch(() => undefined)
    t.equal(dev.server.objectPath('examplebucket', key), undefined)
    t.same(dev.seen('CompleteMultipartUpload'), [])
    const again = uploadTo(dev, { size: given })
    await send(again, noise(given))
    t.equal((await dev.object(key)).length, given)
  })
}
