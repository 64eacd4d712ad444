import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  createResumableUploadStream,
  listUploads,
  StoreError,
  uploadFile,
  type ObjectStore,
} from '../../lib/index.js'
import { storeContract } from '../../lib/testing/index.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'
import { numbers } from '../support/example-runner.js'
import { chunksOf, part, until } from '../support/small-upload.js'
import { bodyFrom, storeCall } from '../support/store-call.js'

const { directoryStore } =
  await import('../../docs/examples/directory-store.js')

const key = 'backups/../ü😀/db.dump'
const call = storeCall()
const bytes = noise(5 * part + 1)

async function setUp(t: Test) {
  const root = join(await temporaryDirectory(t), 'store')
  await mkdir(root)
  return { root, store: directoryStore(root) }
}

/** The bytes that a key's record names. */
async function objectOf(root: string): Promise<Buffer> {
  const [name = ''] = await readdir(join(root, 'objects'))
  const text = await readFile(join(root, 'objects', name), 'utf8')
  const { file } = JSON.parse(text) as { file: string }
  return readFile(join(root, 'bytes', file))
}

function md5(data: Buffer): string {
  return createHash('md5').update(data).digest('base64')
}

function sendPart(
  store: ObjectStore,
  uploadId: string,
  partNumber: number,
  data: Buffer,
) {
  return store.uploadPart(
    { key, uploadId, partNumber, size: data.length, body: bodyFrom(data) },
    call,
  )
}

await t.test('the store keeps the contract', async (t) => {
  const { root } = await setUp(t)
  const cases = storeContract({
    store: () => directoryStore(root, { pageSize: 3 }),
    async read(wanted) {
      for (const name of await readdir(join(root, 'objects'))) {
        const text = await readFile(join(root, 'objects', name), 'utf8')
        const found = JSON.parse(text) as { key: string; file: string }
        if (found.key === wanted) {
          return readFile(join(root, 'bytes', found.file))
        }
      }
      return undefined
    },
  })
  for (const { name, run } of cases) await t.test(name, run)
})

await t.test('an upload into it is suspended and goes on', async (t) => {
  const { root, store } = await setUp(t)
  const options = {
    store,
    key,
    checkpoint: join(root, '..', 'log'),
    partSize: part,
    concurrency: 1,
    object: { contentType: 'text/plain', metadata: { a: 'b' } },
  }
  const first = createResumableUploadStream(options)
  let stored = 0
  first.on('part', () => {
    if (++stored === 3) first.destroy()
  })
  await t.rejects(pipeline(Readable.from(chunksOf(bytes)), first))
  await first.result.catch(() => undefined)
  for await (const upload of listUploads(store)) {
    t.match(upload, { key, parts: 3, size: 3 * part })
  }
  const second = createResumableUploadStream(options)
  const again: number[] = []
  second.on('part', ({ partNumber, reused }) => {
    if (!reused) again.push(partNumber)
  })
  await pipeline(Readable.from(chunksOf(bytes)), second)
  t.match(await second.result, { partsReused: 3, verified: 'md5', parts: 6 })
  t.same(again, numbers(4, 6))
  t.ok(bytes.equals(await objectOf(root)))
  t.match(await store.headObject(key, call), {
    size: bytes.length,
    headers: { 'content-type': 'text/plain', 'meta-a': 'b' },
  })
  t.same(await readdir(join(root, 'uploads')), [])
})

await t.test('files, short ones, and an object that is replaced', async (t) => {
  const { root, store } = await setUp(t)
  const path = join(root, '..', 'source')
  for (const size of [0, 10, 3 * part]) {
    await writeFile(path, bytes.subarray(0, size))
    await uploadFile(path, { store, key, partSize: part })
    t.ok(bytes.subarray(0, size).equals(await objectOf(root)))
    t.equal((await readdir(join(root, 'bytes'))).length, 1, 'the old bytes go')
  }
})

await t.test('uploads and parts of more than a page', async (t) => {
  const { root } = await setUp(t)
  const store = directoryStore(root, { pageSize: 4 })
  const { uploadId } = await store.createUpload({ key, object: {} }, call)
  for (let number = 1; number <= 9; number++) {
    await sendPart(store, uploadId, number, noise(number))
  }
  const pages: number[][] = []
  for (let after: number | undefined = 0; after !== undefined;) {
    const page = await store.listParts({ key, uploadId, after }, call)
    pages.push(page.parts.map(({ partNumber }) => partNumber))
    after = page.next
  }
  t.same(pages, [[1, 2, 3, 4], [5, 6, 7, 8], [9]])
  for (let i = 0; i < 9; i++) {
    await store.createUpload({ key: `p/${i % 2}`, object: {} }, call)
  }
  await store.createUpload({ key: 'q', object: {} }, call)
  const listed: string[] = []
  for await (const upload of listUploads(store, { prefix: 'p/' })) {
    listed.push(`${upload.key} ${upload.uploadId}`)
  }
  t.equal(new Set(listed).size, 9)
  t.same(listed, listed.toSorted())
})

type Act = (store: ObjectStore, uploadId: string, root: string) => unknown

const body = { size: 3, body: bodyFrom(Buffer.from('abc')) }
const failures: [string, string, Act][] = [
  [
    'an upload that was aborted',
    'no-upload',
    async (store, uploadId) => {
      await store.abortUpload({ key, uploadId }, call)
      await store.abortUpload({ key, uploadId }, call)
      return sendPart(store, uploadId, 1, noise(1))
    },
  ],
  [
    'an upload of another key',
    'no-upload',
    (store, uploadId) => store.listParts({ key: 'other', uploadId }, call),
  ],
  [
    'an upload ID that leads out of the directory',
    'no-upload',
    (store) => store.listParts({ key, uploadId: '../../etc' }, call),
  ],
  [
    'bytes that are not those of their MD5',
    'digest',
    (store) =>
      store.putObject(
        { ...body, key, object: {}, md5: md5(Buffer.from('abd')) },
        call,
      ),
  ],
  [
    'a body that is not as long as it says',
    'request',
    (store) => store.putObject({ ...body, size: 4, key, object: {} }, call),
  ],
  [
    'an object that may not be replaced',
    'exists',
    async (store) => {
      const object = { forbidOverwrite: true }
      await store.putObject({ ...body, key, object }, call)
      return store.putObject({ ...body, key, object }, call)
    },
  ],
  [
    'a directory that is gone',
    'no-bucket',
    async (store, _uploadId, root) => {
      await rm(root, { recursive: true })
      return store.headObject(key, call)
    },
  ],
  [
    'a part that has rotted',
    'invalid-part',
    async (store, uploadId, root) => {
      const { etag } = await sendPart(store, uploadId, 1, noise(1000))
      const directory = join(root, 'uploads', uploadId)
      for (const name of await readdir(directory)) {
        if (!name.endsWith('.json')) {
          await writeFile(join(directory, name), noise(1000, 2))
        }
      }
      const parts = [{ partNumber: 1, etag }]
      return store.completeUpload(
        { key, uploadId, parts, object: {}, size: 1000 },
        call,
      )
    },
  ],
  [
    'a disk in whose way something is',
    'server',
    async (store, uploadId, root) => {
      await writeFile(join(root, 'objects'), 'a file')
      const { etag } = await sendPart(store, uploadId, 1, noise(1))
      const parts = [{ partNumber: 1, etag }]
      return store.completeUpload(
        { key, uploadId, parts, object: {}, size: 1 },
        call,
      )
    },
  ],
]

for (const [what, kind, act] of failures) {
  await t.test(`${what}: ${kind}`, async (t) => {
    const { root, store } = await setUp(t)
    const { uploadId } = await store.createUpload({ key, object: {} }, call)
    const error: unknown = await Promise.resolve()
      .then(() => act(store, uploadId, root))
      .catch((reason: unknown) => reason)
    t.type(error, StoreError)
    t.match(error, { kind })
  })
}

await t.test('options that a directory has no place for', async (t) => {
  const { store } = await setUp(t)
  t.throws(() => store.fixedHeaders({ acl: 'private' }), {
    code: 'PAWL_INVALID_OPTION',
  })
})

await t.test('an aborted call no longer reads its body', async (t) => {
  const { root, store } = await setUp(t)
  const stop = new AbortController()
  let isOver = false
  const endless = async function* () {
    try {
      for (;;) yield noise(1000)
    } finally {
      isOver = true
    }
  }
  const put = store.putObject(
    { key, size: 1e12, body: endless, object: {} },
    storeCall({ signal: stop.signal }),
  )
  const bytesOf = () => readdir(join(root, 'bytes')).catch(() => [])
  while ((await bytesOf()).length === 0) await until(() => true)
  stop.abort()
  await t.rejects(put)
  t.ok(isOver)
  t.same(await bytesOf(), [], 'what was written is removed')
})
