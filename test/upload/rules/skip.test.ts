/** Going on in the middle of a source that can. */
import t from 'tap'
import type { ResumableUploadStream } from '../../../lib/index.js'
import { devStore, noise, smallPart } from '../../support/dev-store.js'
import { key, send, sendSome, uploadTo } from '../../support/stream-upload.js'

await t.test('skipUploaded passes over what is stored', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(9 * smallPart + 3)
  const options = { sourceId: 'db.dump 2026-01-01', concurrency: 1 }
  await sendSome(uploadTo(dev, options), bytes, 5)
  const stored = dev.seen('UploadPart').filter(({ applied }) => applied).length
  const upload = uploadTo(dev, options)
  const offset = await upload.skipUploaded()
  t.ok(offset >= 5 * smallPart && offset % smallPart === 0, `${offset}`)
  await send(upload, bytes.subarray(offset))
  const result = await upload.result
  t.ok(bytes.equals(await dev.object(key)))
  t.equal(result.size, bytes.length)
  t.equal(result.bytesReused, offset)
  t.equal(
    dev.seen('UploadPart').filter(({ applied }) => applied).length,
    Math.max(stored, 10),
  )
})

await t.test('end() without data completes what is all stored', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(3 * smallPart + 50)
  const options = { sourceId: 'x' }
  const first = uploadTo(dev, {
    ...options,
    beforeComplete: () => Promise.reject(new Error('not yet')),
  })
  await t.rejects(send(first, bytes), { code: 'PAWL_BEFORE_COMPLETE' })
  await first.result.catch(() => undefined)
  const upload = uploadTo(dev, options)
  t.equal(await upload.skipUploaded(), bytes.length)
  upload.end()
  t.match(await upload.result, { size: bytes.length, partsReused: 4 })
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('skipping wants somebody to vouch for the source', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(4 * smallPart)
  await sendSome(uploadTo(dev, { sourceId: 'a', concurrency: 1 }), bytes, 2)
  for (const sourceId of ['b', undefined]) {
    const upload = uploadTo(dev, sourceId === undefined ? {} : { sourceId })
    await t.rejects(upload.skipUploaded(), {
      code: 'PAWL_SOURCE_ID_REQUIRED',
      resumable: true,
      transient: false,
    })
    await upload[Symbol.asyncDispose]()
  }
  const upload = uploadTo(dev)
  const offset = await upload.skipUploaded({ trustSource: true })
  t.ok(offset >= 2 * smallPart)
  await t.rejects(upload.skipUploaded(), { code: 'PAWL_INVALID_STATE' })
  await send(upload, bytes.subarray(offset))
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test(
  'nothing is written before skipUploaded has resolved',
  async (t) => {
    const dev = await devStore(t)
    const bytes = noise(4 * smallPart)
    const options = { sourceId: 'a', concurrency: 1 }
    await sendSome(uploadTo(dev, options), bytes, 2)
    const early: Record<string, (upload: ResumableUploadStream) => unknown> = {
      'a write': (upload) => upload.write(bytes.subarray(0, 10)),
      'a pipeline': (upload) => send(upload, bytes).catch(() => undefined),
      'an end': (upload) => upload.end(),
    }
    for (const [name, write] of Object.entries(early)) {
      const asked = dev.seen('UploadPart').length
      const upload = uploadTo(dev, options)
      upload.on('error', () => undefined)
      const skipped = upload.skipUploaded()
      write(upload)
      const told = { resumable: false, transient: false }
      const expected = { code: 'PAWL_INVALID_STATE', ...told }
      await t.rejects(skipped, expected, name)
      await t.rejects(upload.result, expected, name)
      t.equal(dev.seen('UploadPart').length, asked, `${name}: nothing was sent`)
    }
    const upload = uploadTo(dev, options)
    await send(upload, bytes.subarray(await upload.skipUploaded()))
    t.ok(bytes.equals(await dev.object(key)), 'the upload can go on')
  },
)

await t.test('skipUploaded of a new upload is 0', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  t.equal(await upload.skipUploaded(), 0)
  await send(upload, noise(smallPart))
  t.equal((await upload.result).parts, 1)
})
