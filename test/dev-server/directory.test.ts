import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import { holdDirectory } from '../../lib/dev-server/storage/directory-lock.js'
import { call, create, element, putPart } from './raw-client.js'

/** A directory with an object under each key and an upload of one part. */
async function filled(directory: string, keys: readonly string[]) {
  const server = await startDevServer({ directory })
  for (const key of keys) {
    await call(server, { method: 'PUT', key, body: `bytes of ${key}` })
  }
  await call(server, { method: 'PUT', bucket: 'made-here' })
  const uploadId = await create(server, 'up')
  await putPart(server, 'up', uploadId, 1, 'part')
  const paths = keys.map(
    (key) => server.objectPath('examplebucket', key) ?? key,
  )
  await server.close()
  return { uploadId, paths }
}

/** What it says while it starts. */
async function startAgain(directory: string) {
  const words: string[] = []
  const server = await startDevServer({
    directory,
    onWarning: (text) => words.push(text),
  })
  return { server, words }
}

const get = (server: DevServer, key: string) =>
  call(server, { method: 'GET', key })

await t.test('what is not its own is passed over, with a word', async (t) => {
  const directory = t.testdir()
  const { uploadId } = await filled(directory, ['k'])
  const foreign = [
    '.DS_Store',
    'objects/.DS_Store',
    'objects/notes.txt',
    'objects/copy of 0.json',
    'objects/mine.data',
    'uploads/.DS_Store',
    `uploads/${uploadId}/.DS_Store`,
  ]
  for (const name of foreign) writeFileSync(join(directory, name), 'not ours')
  const { server, words } = await startAgain(directory)
  t.teardown(() => server.close())
  t.equal((await get(server, 'k')).text, 'bytes of k')
  t.match(server.openUploads(), [{ uploadId, parts: 1 }])
  for (const name of foreign) {
    t.equal(readFileSync(join(directory, name), 'utf8'), 'not ours', name)
  }
  const told = foreign.filter((name) =>
    words.some((text) => text.startsWith(join(directory, name))),
  )
  t.same(told, [
    'objects/.DS_Store',
    'objects/notes.txt',
    'objects/copy of 0.json',
    'objects/mine.data',
    'uploads/.DS_Store',
  ])
  t.equal(words.length, 5)
})

await t.test('a damaged record costs its object, and no byte', async (t) => {
  const ways: [string, (record: string) => string][] = [
    ['empty', () => ''],
    ['half', (record) => record.slice(0, record.length / 2)],
    ['another thing', () => '[1]'],
    ['without a size', (record) => record.replace('"size"', '"length"')],
    ['of another key', (record) => record.replace('"key":"k"', '"key":"x"')],
    [
      'with bytes elsewhere',
      (record) => record.replace(/"data":"[^"]*"/, '"data":"../lock"'),
    ],
  ]
  for (const [words, damage] of ways) {
    const directory = t.testdir()
    const { paths } = await filled(directory, ['k', 'other'])
    const [data = ''] = paths
    const record = data.replace(/\.[0-9a-f]+\.data$/, '.json')
    writeFileSync(record, damage(readFileSync(record, 'utf8')))
    const again = await startAgain(directory)
    t.match(again.words, [/no object's record; passed over$/], words)
    t.equal((await get(again.server, 'k')).status, 404, words)
    t.equal((await get(again.server, 'other')).text, 'bytes of other')
    t.equal(readFileSync(data, 'utf8'), 'bytes of k', words)
    await call(again.server, { method: 'PUT', key: 'k', body: 'new' })
    await again.server.close()
    const third = await startAgain(directory)
    t.same(third.words, [])
    t.equal((await get(third.server, 'k')).text, 'new', words)
    await third.server.close()
  }
})

await t.test('an object whose bytes are gone is none', async (t) => {
  const directory = t.testdir()
  const { paths } = await filled(directory, ['k'])
  const [data = ''] = paths
  renameSync(data, `${directory}/elsewhere`)
  const { server, words } = await startAgain(directory)
  t.teardown(() => server.close())
  t.equal(words.length, 1)
  t.match(await get(server, 'k'), { status: 404, code: 'NoSuchKey' })
})

await t.test('a damaged upload is passed over', async (t) => {
  const directory = t.testdir()
  const { uploadId } = await filled(directory, [])
  writeFileSync(join(directory, 'uploads', uploadId, 'upload.json'), '')
  const { server, words } = await startAgain(directory)
  t.teardown(() => server.close())
  t.match(words, [/is no upload; passed over$/])
  t.same(server.openUploads(), [])
  t.equal(readdirSync(join(directory, 'uploads', uploadId)).length, 2)
})

await t.test('a damaged marker costs the buckets that were made', async (t) => {
  const directory = t.testdir()
  await filled(directory, ['k'])
  const marker = join(directory, 'dev-server.json')
  writeFileSync(marker, '')
  const { server, words } = await startAgain(directory)
  t.teardown(() => server.close())
  t.match(words, [/the buckets that were made are forgotten$/])
  t.equal((await get(server, 'k')).status, 200)
  const head = { method: 'HEAD', bucket: 'made-here' }
  t.equal((await call(server, head)).status, 404)
})

await t.test('a directory of another version is refused', async (t) => {
  const directory = t.testdir({ 'dev-server.json': '{"format":2}' })
  await t.rejects(startDevServer({ directory }), {
    code: 'PAWL_INVALID_OPTION',
    message: /another version/,
  })
  const { server } = await startAgain(t.testdir())
  await server.close()
})

await t.test(
  'litter of file managers does not make a directory full',
  async (t) => {
    const directory = t.testdir({ '.DS_Store': '' })
    const { server, words } = await startAgain(directory)
    t.teardown(() => server.close())
    t.same(words, [])
  },
)

await t.test('a second server on a directory is refused', async (t) => {
  const directory = t.testdir()
  const first = await startDevServer({ directory })
  await call(first, { method: 'PUT', key: 'k', body: 'x' })
  const uploadId = await create(first, 'up')
  await t.rejects(startDevServer({ directory }), {
    code: 'PAWL_INVALID_OPTION',
    message: `directory: another dev server uses ${directory}; stop it, or name another one`,
  })
  t.equal((await get(first, 'k')).text, 'x')
  t.equal((await putPart(first, 'up', uploadId, 1, 'part')).status, 200)
  await first.close()
  await first.close()
  const second = await startDevServer({ directory })
  t.teardown(() => second.close())
  t.equal((await get(second, 'k')).text, 'x')
})

await t.test('what cannot start lets go of its directory', async (t) => {
  const directory = t.testdir()
  const other = await startDevServer()
  t.teardown(() => other.close())
  await t.rejects(startDevServer({ directory, port: other.port }), {
    code: 'EADDRINUSE',
  })
  const { server } = await startAgain(directory)
  await server.close()
})

await t.test(
  'without a native lock it says so, and holds nothing',
  async (t) => {
    const root = t.testdir()
    const words: string[] = []
    const held = await holdDirectory(
      root,
      (text) => words.push(text),
      () => Promise.reject(new Error('no binary\nfor this platform')),
    )
    t.match(words, [
      /cannot be locked; start no second server on it \(no binary\)$/,
    ])
    held.release()
    t.ok(existsSync(join(root, 'lock')))
  },
)

await t.test(
  'without a listener the words are warnings of the process',
  async (t) => {
    const directory = t.testdir()
    await filled(directory, [])
    writeFileSync(join(directory, 'objects', 'x'), '')
    const warned = new Promise<Error>((resolve) => {
      process.once('warning', resolve)
    })
    const server = await startDevServer({ directory })
    t.teardown(() => server.close())
    t.match(await warned, { name: 'DevServerWarning', message: /passed over/ })
  },
)

await t.test('a deleted bucket is gone with the uploads to it', async (t) => {
  const directory = t.testdir()
  const server = await startDevServer({ directory, buckets: '*' })
  await call(server, { method: 'PUT', bucket: 'made-here' })
  const head = { method: 'HEAD', bucket: 'made-here' }
  t.equal((await call(server, head)).status, 200)
  t.equal((await call(server, { ...head, method: 'DELETE' })).status, 204)
  t.equal((await call(server, head)).status, 404)
  const put = { method: 'PUT', bucket: 'made-here', key: 'k' }
  t.match(await call(server, put), { status: 404, code: 'NoSuchBucket' })
  t.equal((await call(server, { ...head, method: 'PUT' })).status, 200)
  t.equal((await call(server, put)).status, 200)
  await server.close()
  const { server: again } = await startAgain(directory)
  t.teardown(() => again.close())
  const { text } = await call(again, { method: 'GET', bucket: 'made-here' })
  t.equal(element(text, 'Key'), 'k')
})
