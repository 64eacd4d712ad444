/** Wherever a path is taken, a `file:` URL is too. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import {
  createResumableUploadStream,
  discardFileUpload,
  fileCheckpoint,
  readCheckpoint,
  uploadFile,
} from '../../lib/index.js'
import { devStore, noise, smallPart } from '../support/dev-store.js'

const dev = await devStore(t)
const bytes = noise(3 * smallPart)
const path = join(dev.directory, 'a file with % and ü')
await writeFile(path, bytes)
const at = (name: string) => pathToFileURL(join(dev.directory, name))

await t.test('a file, its log, and giving it up', async (t) => {
  const options = {
    store: dev.store,
    key: 'of-a-url',
    partSize: smallPart,
    concurrency: 1,
  }
  for (const more of [
    {},
    { checkpoint: at('log of a file') },
    { checkpointDir: pathToFileURL(dev.directory) },
  ]) {
    const stop = new AbortController()
    const given = { ...options, ...more }
    const stopped = uploadFile(pathToFileURL(path), {
      ...given,
      signal: stop.signal,
      on: { part: () => stop.abort() },
    })
    await t.rejects(stopped, { code: 'PAWL_SUSPENDED' })
    // A path and its URL are one file, with one log.
    const result = await uploadFile(path, given)
    t.match(result, { resumed: true, size: bytes.length })
    const again = new AbortController()
    const left = uploadFile(path, {
      ...given,
      signal: again.signal,
      on: { part: () => again.abort() },
    })
    await t.rejects(left, { code: 'PAWL_SUSPENDED' })
    t.equal(dev.server.openUploads().length, 1)
    await discardFileUpload(pathToFileURL(path), given)
    t.equal(dev.server.openUploads().length, 0)
  }
})

await t.test('the log of a stream, and what it says', async (t) => {
  const log = at('log of a stream')
  for (const checkpoint of [log, fileCheckpoint(log)]) {
    const upload = createResumableUploadStream({
      store: dev.store,
      key: 'stream',
      checkpoint,
      partSize: smallPart,
    })
    upload.on('error', () => undefined)
    upload.once('part', () => upload.destroy())
    upload.write(bytes)
    await upload.result.catch(() => undefined)
    t.match(await readCheckpoint(log), { key: 'stream', state: 'uploading' })
    await upload.discard()
    t.notOk(existsSync(log))
  }
})

await t.test('the directory of the dev server', async (t) => {
  const directory = at('objects')
  const server = await startDevServer({ directory })
  t.equal(server.directory, join(dev.directory, 'objects'))
  await server.close()
})

await t.test('a URL of another realm', async (t) => {
  const { href } = pathToFileURL(path)
  const url: URL = runInContext(
    `({ href, protocol: 'file:', pathname: new String(pathname).toString(), hostname: '' })`,
    createContext({ href, pathname: new URL(href).pathname }),
  )
  const result = await uploadFile(url, { store: dev.store, key: 'realm' })
  t.equal(result.size, bytes.length)
})

const refused: [string, unknown][] = [
  ['of another scheme', new URL('https://example.com/db.dump')],
  ['with a host', new URL('file://host/db.dump')],
  ['with an encoded slash', new URL('file:///a%2Fb')],
  ['with NUL', new URL('file:///a%00b')],
  ['as a Buffer', Buffer.from(path)],
]

for (const [what, given] of refused) {
  await t.test(`a path ${what} is refused`, async (t) => {
    const isOption = { code: 'PAWL_INVALID_OPTION' }
    const file = { store: dev.store, key: 'refused' }
    const calls: [(...args: never[]) => unknown, unknown[]][] = [
      [uploadFile, [given, file]],
      [discardFileUpload, [given, file]],
      [uploadFile, [path, { ...file, checkpointDir: given }]],
      [uploadFile, [path, { ...file, checkpoint: given }]],
      [createResumableUploadStream, [{ ...file, checkpoint: given }]],
      [fileCheckpoint, [given]],
      [readCheckpoint, [given]],
      [startDevServer, [{ directory: given }]],
    ]
    for (const [call, args] of calls) {
      const done = async (): Promise<unknown> =>
        Reflect.apply(call, undefined, args)
      await t.rejects(done(), isOption, call.name)
    }
  })
}
