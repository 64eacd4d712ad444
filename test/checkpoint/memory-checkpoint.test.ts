import t from 'tap'
import { memoryCheckpoint } from '../../lib/checkpoint/memory-checkpoint.js'

await t.test('what one run appends the next one finds', async (t) => {
  const checkpoint = memoryCheckpoint()
  t.equal((await checkpoint.open()).length, 0)
  const bytes = Buffer.from('one')
  await checkpoint.append(bytes)
  bytes.fill(0)
  await checkpoint.append(Buffer.from('two'))
  await checkpoint.close()
  await checkpoint.close()
  t.equal(Buffer.from(await checkpoint.open()).toString(), 'onetwo')
  await checkpoint.setAside()
  await checkpoint.close()
  t.equal((await checkpoint.open()).length, 0)
  await checkpoint.append(Buffer.from('three'))
  t.equal(await checkpoint.remove(), true)
  t.equal((await checkpoint.open()).length, 0)
})

await t.test('it is held by one run at a time', async (t) => {
  const checkpoint = memoryCheckpoint()
  await checkpoint.open()
  await t.rejects(checkpoint.open(), { code: 'PAWL_CHECKPOINT_LOCKED' })
  await checkpoint.close()
  for (const call of [
    (): Promise<unknown> => checkpoint.append(Buffer.from('x')),
    () => checkpoint.setAside(),
    () => checkpoint.remove(),
  ]) {
    await t.rejects(call(), { code: 'PAWL_INVALID_STATE' })
  }
  await checkpoint.open()
})
