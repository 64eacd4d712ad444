/** Giving an upload up, at any moment. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  discardFileUpload,
  fileCheckpoint,
  StoreError,
  type ObjectReceipt,
  type ObjectStore,
} from '../../lib/index.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'
import { wrapStore } from '../support/small-store.js'
import {
  key,
  logExists,
  send,
  sendSome,
  uploadTo,
} from '../support/stream-upload.js'

await t.test('discard removes the upload and the log', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.on('error', () => undefined)
  const stored = once(upload, 'part')
  upload.write(noise(3 * smallPart))
  await stored
  await upload.discard()
  await upload.discard()
  await t.rejects(upload.result, { code: 'PAWL_DISCARDED' })
  t.same(dev.server.openUploads(), [])
  t.notOk(logExists(dev))
})

await t.test('discard works on an upload that is suspended', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  await sendSome(upload, noise(5 * smallPart), 2)
  t.equal(dev.server.openUploads().length, 1)
  await upload.discard()
  t.same(dev.server.openUploads(), [])
  t.notOk(logExists(dev))
})

await t.test('discard right after the call, before anything', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  upload.on('error', () => undefined)
  await upload.discard()
  t.notOk(logExists(dev))
  await t.rejects(upload.result, { code: 'PAWL_DISCARDED' })
})

await t.test('discard after completion says that it is too late', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev)
  await send(upload, noise(smallPart * 2))
  await t.rejects(upload.discard(), {
    code: 'PAWL_INVALID_STATE',
    completed: true,
  })
  t.equal((await dev.object(key)).length, smallPart * 2)
})

await t.test(
  'discard of what only its callback failed is too late',
  async (t) => {
    const failing = (store: ObjectStore): ObjectStore => {
      const whole = wrapStore(store)
      const callbackFailed = new StoreError('the receiver answered 500', {
        kind: 'request',
        status: 203,
      })
      const fails = async (receipt: Promise<ObjectReceipt>) => ({
        ...(await receipt),
        callbackFailed,
      })
      whole.completeUpload = (request, call) =>
        fails(store.completeUpload(request, call))
      whole.putObject = (request, call) => fails(store.putObject(request, call))
      return whole
    }
    for (const size of [10, 2 * smallPart]) {
      const dev = await devStore(t)
      const upload = uploadTo(dev, { store: failing(dev.store) })
      const failed = { code: 'PAWL_CALLBACK_FAILED', completed: true }
      await t.rejects(send(upload, noise(size)), failed)
      await t.rejects(upload.result, failed)
      const late = { code: 'PAWL_INVALID_STATE', completed: true }
      await t.rejects(upload.discard(), late)
      t.same(dev.seen('AbortMultipartUpload'), [])
    }
  },
)

await t.test(
  'discard that fails again and again leaves no listener',
  async (t) => {
    const dev = await devStore(t)
    await sendSome(uploadTo(dev), noise(4 * smallPart), 2)
    const upload = uploadTo(dev, { retry: { attempts: 1 } })
    dev.server.setFault(() => ({ kind: 'status', status: 500 }))
    for (let i = 0; i < 12; i++) await t.rejects(upload.discard())
    await upload[Symbol.asyncDispose]()
    t.equal(upload.listenerCount('error'), 1)
  },
)

await t.test(
  'discard does not say that nothing is left of what it could not look at',
  async (t) => {
    const dev = await devStore(t)
    const log = join(dev.directory, 'log.pawl')
    const source = join(dev.directory, 'source')
    await writeFile(source, 'bytes')
    const held = fileCheckpoint(log)
    await held.open()
    t.teardown(() => held.close())
    const places: [checkpoint: string, code: string][] = [
      [log, 'PAWL_CHECKPOINT_LOCKED'],
      [join(source, 'log.pawl'), 'PAWL_CHECKPOINT_IO'],
      [source, 'PAWL_NOT_A_CHECKPOINT'],
    ]
    for (const [checkpoint, code] of places) {
      const upload = uploadTo(dev, { checkpoint })
      upload.on('error', () => undefined)
      await t.rejects(upload.discard(), { code })
      const { store } = dev
      const options = { store, key, checkpoint }
      await t.rejects(discardFileUpload(source, options), { code })
    }
    t.same(dev.server.requests, [])
  },
)

await t.test('discard keeps the log when the server is away', async (t) => {
  const dev = await devStore(t)
  const upload = uploadTo(dev, { retry: { attempts: 2, baseDelay: 1 } })
  await sendSome(upload, noise(4 * smallPart), 2)
  dev.server.setFault(() => ({ kind: 'refuse' }))
  await t.rejects(upload.discard(), {
    code: 'PAWL_NETWORK',
    // What is stored is given up, though not removed.
    resumable: false,
    transient: true,
  })
  t.ok(logExists(dev))
  dev.server.setFault(undefined)
  await upload.discard()
  t.notOk(logExists(dev))
  t.same(dev.server.openUploads(), [])
})
