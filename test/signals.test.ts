import { getEventListeners } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { listUploads, uploadFile } from '../lib/index.js'
import { followSignal, ownSignal } from '../lib/signals.js'
import { devStore, noise } from './support/dev-store.js'
import { storeCall } from './support/store-call.js'
import { uploadTo } from './support/stream-upload.js'

/** A signal as another realm or a polyfill has it: of no class that Node knows. */
class OtherSignal {
  aborted = false
  reason: unknown
  readonly #listeners = new Set<() => void>()

  addEventListener(_name: string, listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_name: string, listener: () => void): void {
    this.#listeners.delete(listener)
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  abort(reason: unknown): void {
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) listener()
  }

  get size(): number {
    return this.#listeners.size
  }
}

const asSignal = (signal: OtherSignal) => signal as unknown as AbortSignal

await t.test('a signal is listened to once, whoever follows it', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = () => getEventListeners(signal, 'abort').length
  const heard: unknown[] = []
  const hear = (reason: unknown) => void heard.push(reason)
  const letGo = [hear, hear, hear].map((end) => followSignal(signal, end))
  t.equal(listeners(), 1)
  letGo[0]?.()
  letGo[0]?.()
  t.equal(listeners(), 1)
  controller.abort('enough')
  t.same(heard, ['enough', 'enough'])
  for (const end of letGo) end()

  const other = new AbortController()
  followSignal(other.signal, hear)()
  t.equal(getEventListeners(other.signal, 'abort').length, 0)
  followSignal(undefined, hear)()
  t.equal(ownSignal(signal).signal.reason, 'enough')
})

await t.test('many uploads with one signal are no leak', async (t) => {
  const dev = await devStore(t)
  const warnings: Error[] = []
  const warn = (warning: Error) => void warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const controller = new AbortController()
  const { signal } = controller
  const uploads = Array.from({ length: 20 }, (_, i) =>
    uploadTo(dev, { signal, key: `k${i}`, checkpoint: false }).on(
      'error',
      // `result` says it too.
      () => undefined,
    ),
  )
  t.equal(getEventListeners(signal, 'abort').length, 1)
  const lists = Array.from({ length: 20 }, async () => {
    for await (const upload of listUploads(dev.store, { signal })) {
      throw new Error(`${upload.key} is left`)
    }
  })
  await Promise.all(lists)
  controller.abort()
  for (const { result } of uploads) {
    await t.rejects(result, { code: 'PAWL_SUSPENDED' })
  }
  t.equal(getEventListeners(signal, 'abort').length, 0)
  // Node tells of a warning in a tick of its own.
  await new Promise(setImmediate)
  t.same(warnings, [])
})

await t.test(
  'a signal of another realm suspends, lists and ends',
  async (t) => {
    const dev = await devStore(t)
    const file = join(dev.directory, 'source')
    await writeFile(file, noise(1000))
    const signal = new OtherSignal()
    const { store } = dev
    await uploadFile(file, { store, key: 'whole', signal: asSignal(signal) })
    for await (const upload of listUploads(store, {
      signal: asSignal(signal),
    })) {
      throw new Error(`${upload.key} is left`)
    }
    t.equal(signal.size, 0, 'nothing listens any more')
    const upload = uploadTo(dev, { signal: asSignal(signal) })
    upload.on('error', () => undefined)
    signal.abort(new Error('enough'))
    await t.rejects(upload.result, {
      code: 'PAWL_SUSPENDED',
      cause: { message: 'enough' },
    })
    // A store may be called without any upload around it.
    const call = { ...storeCall(), signal: asSignal(new OtherSignal()) }
    await t.resolves(store.listUploads({ prefix: 'x' }, call))
  },
)
