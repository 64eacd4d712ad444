import { existsSync } from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { memoryCheckpoint, type Checkpoint } from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import {
  exampleRunner,
  key,
  onRequest,
  part,
} from '../support/example-runner.js'

const { decryptInto, uploadEncrypted } =
  await import('../../docs/examples/encrypt.js')

const masterKey = randomBytes(32)
const bytes = noise(5 * part + 123)

async function setUp(t: Parameters<typeof exampleRunner>[0], content = bytes) {
  const run = await exampleRunner(t)
  const path = join(run.directory, 'plain')
  await writeFile(path, content)
  const decrypted = async (object: Buffer, options = {}) => {
    const into = join(run.directory, 'decrypted')
    await decryptInto(into, Readable.from([object]), {
      masterKey,
      objectKey: key,
      ...options,
    })
    return readFile(into)
  }
  return { run, path, decrypted }
}

await t.test('an interrupted upload of the same file goes on', async (t) => {
  const { run, path, decrypted } = await setUp(t)
  const stop = new AbortController()
  run.server.setFault(onRequest('UploadPart', 3, () => stop.abort()))
  await t.rejects(
    uploadEncrypted(path, masterKey, run.options({ signal: stop.signal })),
    { code: 'PAWL_SUSPENDED' },
  )
  run.server.setFault(undefined)
  const stored = await run.storedParts()
  t.ok(stored >= 1)
  const since = run.server.requests.length
  const result = await uploadEncrypted(path, masterKey, run.options())
  t.ok(result.partsReused >= stored)
  t.notOk(run.sentSince(since).some((number) => number <= stored))
  const object = await run.object(key)
  t.equal(object.length, bytes.length + 32)
  t.ok((await decrypted(object)).equals(bytes))
})

await t.test('empty and short files come back', async (t) => {
  for (const size of [0, 1, 31, 32, 33]) {
    const content = noise(size)
    const { run, path, decrypted } = await setUp(t, content)
    await uploadEncrypted(path, masterKey, run.options())
    t.ok((await decrypted(await run.object(key))).equals(content), `${size}`)
  }
})

await t.test('two plaintexts never meet the same keystream', async (t) => {
  const changed = Buffer.from(bytes)
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
  const objects: Buffer[] = []
  for (const [content, name] of [
    [bytes, key],
    [changed, key],
    [bytes, 'another/name'],
  ] as const) {
    const { run, path } = await setUp(t, content)
    await uploadEncrypted(path, masterKey, run.options({ key: name }))
    objects.push(await run.object(name))
  }
  // With one keystream for both, equal plaintext would be equal ciphertext.
  for (const [a, b] of [
    [0, 1],
    [0, 2],
  ] as const) {
    const [one, two] = [objects[a], objects[b]]
    const equal = one?.filter((byte, i) => byte === two?.[i]).length ?? 0
    t.ok(equal < bytes.length / 100, `${equal} equal bytes`)
  }
})

await t.test('what was tampered with is refused, and not left', async (t) => {
  const { run, path, decrypted } = await setUp(t)
  await uploadEncrypted(path, masterKey, run.options())
  const object = await run.object(key)
  const flipped = (at: number) => {
    const copy = Buffer.from(object)
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }
  const cases: [string, Buffer, object][] = [
    ['the first byte', flipped(0), {}],
    ['a byte of the ciphertext', flipped(32), {}],
    ['the last byte', flipped(object.length - 1), {}],
    ['cut', object.subarray(0, -1), {}],
    ['longer', Buffer.concat([object, Buffer.of(0)]), {}],
    ['another master key', object, { masterKey: randomBytes(32) }],
    ['another name', object, { objectKey: 'another/name' }],
    ['no whole synthetic IV', object.subarray(0, 31), {}],
  ]
  for (const [what, tampered, options] of cases) {
    await t.rejects(
      decrypted(tampered, options),
      { message: /not what was encrypted|too short/ },
      what,
    )
    t.notOk(existsSync(join(run.directory, 'decrypted')))
    t.notOk(existsSync(join(run.directory, 'decrypted.unproved')))
  }
})

await t.test('a file that changes while it is read is no object', async (t) => {
  // Longer than what all streams between file and upload hold together.
  const { run, path } = await setUp(t, noise(30 * part))
  const log = memoryCheckpoint()
  const checkpoint: Checkpoint = {
    name: log.name,
    // It comes after the first reading, and no byte is taken before it.
    async open() {
      const file = await open(path, 'r+')
      await file.write(Buffer.from('changed'), 0, 7, 29 * part)
      await file.close()
      return log.open()
    },
    append: (records) => log.append(records),
    setAside: () => log.setAside(),
    remove: () => log.remove(),
    close: () => log.close(),
  }
  await t.rejects(
    uploadEncrypted(path, masterKey, run.options({ checkpoint })),
    { code: 'PAWL_BEFORE_COMPLETE', message: /changed while it was read/ },
  )
  t.equal(run.server.objectPath('examplebucket', key), undefined)
})
