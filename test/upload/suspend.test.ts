/** Everything that suspends an upload. */
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { inspect } from 'node:util'
import t from 'tap'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import { chunksOf } from '../support/small-upload.js'
import { key, send, uploadTo } from '../support/stream-upload.js'

await t.test('a signal suspends', async (t) => {
  const dev = await devStore(t)
  const controller = new AbortController()
  const bytes = noise(6 * smallPart)
  const upload = uploadTo(dev, { signal: controller.signal })
  upload.once('part', () => controller.abort(new Error('the user said stop')))
  await t.rejects(send(upload, bytes), {
    code: 'PAWL_SUSPENDED',
    cause: { message: 'the user said stop' },
  })
  await t.rejects(upload.result, {
    code: 'PAWL_SUSPENDED',
    resumable: true,
    transient: true,
  })
  await send(uploadTo(dev), bytes)
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('what ends an upload is printed as an UploadError', async (t) => {
  const dev = await devStore(t)
  const stopped = uploadTo(dev, { signal: AbortSignal.abort() })
  dev.server.setFault(({ operation }) =>
    operation === 'CreateMultipartUpload'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const denied = uploadTo(dev)
  for (const upload of [stopped, denied]) {
    const bytes = noise(2 * smallPart)
    const error: unknown = await send(upload, bytes).catch((e: unknown) => e)
    t.match(inspect(error), /^UploadError: /)
  }
  t.match(await denied.result.catch((e: unknown) => e), {
    code: 'PAWL_ACCESS_DENIED',
  })
})

await t.test('a signal aborted before suspends at once', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { signal: AbortSignal.abort() })
  await t.rejects(send(upload, noise(10)), { code: 'PAWL_SUSPENDED' })
  t.same(dev.server.requests, [])
})

await t.test(
  'whatever the signal gives as its reason, it suspends',
  async (t) => {
    const dev = await devStore(t)
    const reasons = [
      'stopped by the user',
      7,
      null,
      new Error('stop'),
      undefined,
    ]
    for (const reason of reasons) {
      for (const isEarly of [true, false]) {
        const controller = new AbortController()
        if (isEarly) controller.abort(reason)
        const upload = uploadTo(dev, { signal: controller.signal })
        upload.on('error', () => undefined)
        if (!isEarly) controller.abort(reason)
        const error = await upload.result.catch((thrown: unknown) => thrown)
        // Nothing has been begun.
        const told = { resumable: false, transient: true }
        t.match(error, { code: 'PAWL_SUSPENDED', ...told })
        const cause = reason === undefined ? controller.signal.reason : reason
        t.equal(error instanceof Error && error.cause, cause ?? undefined)
      }
    }
  },
)

await t.test('a failing source suspends, with its error', async (t) => {
  const dev = await devStore(t)
  const bytes = noise(5 * smallPart)
  const failure = new Error('EIO')
  const upload = uploadTo(dev)
  await t.rejects(
    pipeline(function* source() {
      yield* chunksOf(bytes.subarray(0, 3 * smallPart), 16_384)
      throw failure
    }, upload),
    failure,
  )
  await t.rejects(upload.result, failure)
  await send(uploadTo(dev), bytes)
  t.ok(bytes.equals(await dev.object(key)))
})

await t.test('asyncDispose suspends', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.write(noise(smallPart + 1))
  await once(upload, 'initiated')
  await upload[Symbol.asyncDispose]()
  t.ok(upload.destroyed)
  await t.rejects(upload.result, { code: 'PAWL_SUSPENDED' })
})
