import t from 'tap'
import { PartBuffers } from '../../../lib/upload/source/part-buffers.js'

await t.test('never more buffers than there may be', async (t) => {
  const buffers = new PartBuffers(10, 2)
  const first = buffers.tryAcquire()
  const second = buffers.tryAcquire()
  t.equal(first?.byteLength, 10)
  t.not(first, second)
  t.equal(buffers.tryAcquire(), undefined)
  t.equal(buffers.inUse, 2)
})

await t.test('a buffer that comes back is the next one', async (t) => {
  const buffers = new PartBuffers(10, 3)
  const first = buffers.tryAcquire()
  if (first !== undefined) buffers.release(first)
  t.equal(buffers.inUse, 0)
  t.equal(buffers.tryAcquire(), first)
})

await t.test('who waits is served in turn', async (t) => {
  const buffers = new PartBuffers(1, 1)
  const got: string[] = []
  let held: Uint8Array | undefined
  const ask = (name: string): void =>
    buffers.acquire((buffer) => {
      got.push(name)
      held = buffer
    })
  ask('a')
  ask('b')
  ask('c')
  t.same(got, ['a'])
  if (held !== undefined) buffers.release(held)
  t.same(got, ['a', 'b'])
  t.equal(buffers.inUse, 1)
  if (held !== undefined) buffers.release(held)
  t.same(got, ['a', 'b', 'c'])
})

await t.test('who has gone is passed over', async (t) => {
  const buffers = new PartBuffers(1, 1)
  const held = buffers.tryAcquire()
  const gone = (): void => void t.fail('it had gone')
  let isServed = false
  buffers.acquire(gone)
  buffers.acquire(() => {
    isServed = true
  })
  buffers.cancel(gone)
  buffers.cancel(gone)
  if (held !== undefined) buffers.release(held)
  t.ok(isServed)
})

await t.test('a worker can read them', async (t) => {
  const buffer = new PartBuffers(4, 1).tryAcquire()
  t.ok(buffer?.buffer instanceof SharedArrayBuffer)
})
