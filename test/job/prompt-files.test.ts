import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { PromptFiles } from '../../lib/job/prompt-files.js'
import { temporaryDirectory } from '../support/dev-store.js'

/** Files whose calls take as long as is said, by a clock turned by hand. */
function timed() {
  let now = 0
  const files = new PromptFiles(() => now)
  return {
    files,
    call: (ms: number) => files.here(() => (now += ms)),
    pass: (ms: number) => (now += ms),
  }
}

const bigint = true as const

for (const { name, late, isPrompt } of [
  { name: 'this thread', late: 0, isPrompt: true },
  { name: 'the thread pool', late: 3000, isPrompt: false },
]) {
  await t.test(`a file reads the same by ${name}`, async (t) => {
    const path = join(await temporaryDirectory(t), 'file')
    await writeFile(path, 'bytes of it')
    const { files, call } = timed()
    const before = await files.open(path)
    call(late)
    for (const handle of [before, await files.open(path)]) {
      t.equal(files.arePrompt, isPrompt)
      const into = new Uint8Array(20)
      const { bytesRead } = await handle.read(into, 3, 17, 6)
      t.equal(Buffer.from(into).toString('latin1', 3, 3 + bytesRead), 'of it')
      const [open, named] = [
        await handle.stat({ bigint }),
        await files.stat(path),
      ]
      t.equal(open.ino, named.ino)
      t.equal(open.size, 11n)
      await handle.close()
      await t.rejects(handle.stat({ bigint }), { code: 'EBADF' })
    }
    await t.rejects(files.open(`${path}-not`), { code: 'ENOENT' })
    await t.rejects(files.stat(`${path}-not`), { code: 'ENOENT' })
    const looked = files.look(path, false)
    t.equal(looked instanceof Promise, !isPrompt)
    t.equal((await looked).size, 11n)
    const link = `${path}-link`
    await symlink(path, link)
    t.ok((await files.look(link, false)).isSymbolicLink())
    t.ok((await files.look(link, true)).isFile())
    const missing = async () => files.look(`${path}-not`, true)
    await t.rejects(missing, { code: 'ENOENT' })
  })
}

await t.test('a long read is not made on this thread', async (t) => {
  const path = join(await temporaryDirectory(t), 'file')
  await writeFile(path, Buffer.alloc(1024 * 1024, 1))
  let looks = 0
  const files = new PromptFiles(() => (looks += 1))
  const handle = await files.open(path)
  const before = looks
  const into = new Uint8Array(1024 * 1024)
  const { bytesRead } = await handle.read(into, 0, into.length, 0)
  t.equal(bytesRead, into.length)
  t.equal(looks, before, 'nobody asked how long it takes')
  await handle.close()
})

await t.test('one late call is none too many', (t) => {
  const { files, call } = timed()
  call(99)
  for (let i = 0; i < 10_000; i++) call(0.05)
  t.ok(files.arePrompt)
  t.end()
})

await t.test('calls that are late again and again are no longer made', (t) => {
  const { files, call, pass } = timed()
  let calls = 0
  for (; files.arePrompt; calls++) call(10)
  t.equal(calls, 12)
  pass(10)
  t.notOk(files.arePrompt, 'not for a while')
  pass(1000)
  t.ok(files.arePrompt, 'they may be prompt by now')
  call(200)
  t.notOk(files.arePrompt)
  t.end()
})
