import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { PromptFiles } from '../../lib/job/prompt-files.js'
import { temporaryDirectory } from '../support/dev-store.js'

/** Every call takes the next of these, ms, and none when there is none left. */
function takes(...calls: number[]): () => number {
  let now = 0
  let isCall = false
  return () => {
    if (isCall) now += calls.shift() ?? 0
    isCall = !isCall
    return now
  }
}

for (const { name, calls, isPrompt } of [
  { name: 'at once', calls: [0, 0, 0, 0], isPrompt: true },
  { name: 'once late', calls: [90, 0, 0, 0], isPrompt: true },
  { name: 'of a disk that wakes up', calls: [3000, 0, 0, 0], isPrompt: false },
  { name: 'late again and again', calls: [30, 30, 30, 30], isPrompt: false },
]) {
  await t.test(`a file reads the same when calls are ${name}`, async (t) => {
    const path = join(await temporaryDirectory(t), 'file')
    await writeFile(path, 'bytes of it')
    const files = new PromptFiles(takes(...calls))
    const handle = await files.open(path)
    const into = new Uint8Array(20)
    const { bytesRead } = await handle.read(into, 3, 17, 6)
    t.equal(Buffer.from(into).toString('latin1', 3, 3 + bytesRead), 'of it')
    const bigint = true as const
    const [open, named] = [
      await handle.stat({ bigint }),
      await files.stat(path),
    ]
    t.equal(open.ino, named.ino)
    t.equal(open.size, 11n)
    t.equal(files.arePrompt, isPrompt)
    await handle.close()
    await t.rejects(handle.stat({ bigint }), { code: 'EBADF' })
    await t.rejects(files.open(`${path}-not`), { code: 'ENOENT' })
    await t.rejects(files.stat(`${path}-not`), { code: 'ENOENT' })
  })
}

await t.test('a long read is not made on this thread', async (t) => {
  const path = join(await temporaryDirectory(t), 'file')
  await writeFile(path, Buffer.alloc(1024 * 1024, 1))
  let calls = 0
  const files = new PromptFiles(() => (calls += 1))
  const handle = await files.open(path)
  const before = calls
  const into = new Uint8Array(1024 * 1024)
  const { bytesRead } = await handle.read(into, 0, into.length, 0)
  t.equal(bytesRead, into.length)
  t.equal(calls, before)
  await handle.close()
})

await t.test(
  'calls that were late once and then are not count less',
  async (t) => {
    const path = join(await temporaryDirectory(t), 'file')
    await writeFile(path, '')
    const calls = Array.from({ length: 40 }, (_, i) => (i === 0 ? 99 : 0))
    const files = new PromptFiles(takes(...calls, 2))
    for (let i = 0; i < 41; i++) await files.stat(path)
    t.ok(files.arePrompt, '97 ms are left of it')
    await t.test('and those that are late for ever add up', async (t) => {
      const slow = new PromptFiles(takes(...Array<number>(60).fill(2)))
      for (let i = 0; i < 60; i++) await slow.stat(path)
      t.notOk(slow.arePrompt)
    })
  },
)
