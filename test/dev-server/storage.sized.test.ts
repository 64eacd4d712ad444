import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { startDevServer } from '../../lib/dev-server/index.js'
import { formatPartFileName } from '../../lib/dev-server/storage/part-file-name.js'
import { sized } from '../support/tier.js'
import {
  call,
  complete,
  create,
  element,
  elements,
  putPart,
} from './raw-client.js'

const bytes = Buffer.alloc(102_400, 'stored')

await t.test('a restart on the same directory finds everything', async (t) => {
  const directory = join(t.testdir(), 'new', 'store')
  const first = await startDevServer({ directory })
  t.equal(first.directory, directory)
  const headers = { 'x-oss-meta-a': 'b', 'content-type': 'text/x' }
  await call(first, { method: 'PUT', key: 'dir/k', body: bytes, headers })
  await call(first, { method: 'PUT', bucket: 'made-here' })
  const query = { sequential: '' }
  const uploadId = await create(first, 'up', { headers, query })
  await putPart(first, 'up', uploadId, 1, bytes)
  await putPart(first, 'up', uploadId, 2, 'tail')
  const listing = { method: 'GET', key: 'up', query: { uploadId } }
  const before = await call(first, listing)
  await first.close()

  const second = await startDevServer({ directory })
  t.teardown(() => second.close())
  const got = await call(second, { method: 'GET', key: 'dir/k' })
  t.match(got, { status: 200, text: bytes.toString(), headers })
  t.equal(
    (await call(second, { method: 'HEAD', bucket: 'made-here' })).status,
    200,
  )
  t.strictSame(second.openUploads(), [
    { bucket: 'examplebucket', key: 'up', uploadId, parts: 2 },
  ])
  t.equal((await call(second, listing)).text, before.text)
  t.match(await putPart(second, 'up', uploadId, 2, 'again'), {
    code: 'PartAlreadyExist',
  })
  const etags = elements(before.text, 'ETag')
  const done = await complete(second, 'up', uploadId, [
    { partNumber: 1, etag: etags[0] },
    { partNumber: 2, etag: etags[1] },
  ])
  t.equal(done.status, 200)
  const head = await call(second, { method: 'HEAD', key: 'up' })
  t.match(head.headers, { ...headers, 'content-length': '102404' })
})

await t.test('remains of a crash are cleared away', async (t) => {
  const directory = t.testdir()
  const first = await startDevServer({ directory })
  const uploadId = await create(first, 'k')
  await putPart(first, 'k', uploadId, 1, 'old')
  await first.close()
  const upload = join(directory, 'uploads', uploadId)
  const [name = ''] = readdirSync(upload).filter((n) => n !== 'upload.json')
  // A part that was replaced, but whose old file was not removed any more.
  const newer = name.replace(
    /^(\d+)\.(\d+)/,
    (_, number, sequence) => `${number}.${BigInt(sequence) + 1n}`,
  )
  writeFileSync(join(upload, newer), 'new')
  writeFileSync(join(directory, 'incoming', 'half'), 'half a body')
  const lost = `${'0'.repeat(64)}.${'1'.repeat(12)}.data`
  writeFileSync(join(directory, 'objects', lost), 'bytes without record')

  const second = await startDevServer({ directory })
  t.teardown(() => second.close())
  t.strictSame(readdirSync(join(directory, 'incoming')), [])
  t.strictSame(readdirSync(join(directory, 'objects')), [])
  t.strictSame(readdirSync(upload).toSorted(), [newer, 'upload.json'])
  const all = { 'x-oss-complete-all': 'yes' }
  const query = { uploadId }
  const post = { method: 'POST', key: 'k', query, headers: all }
  t.match(await call(second, post), { status: 200 })
  t.equal((await call(second, { method: 'GET', key: 'k' })).text, 'new')
})

await t.test('no key leaves the directory', async (t) => {
  const root = t.testdir({ outside: 'safe' })
  const directory = join(root, 'store')
  const server = await startDevServer({ directory })
  t.teardown(() => server.close())
  const keys = [
    '../outside',
    '../../outside',
    '..',
    '.',
    'a/../../../outside',
    'nul\0byte',
    'C:\\x',
    'x'.repeat(1023),
  ]
  for (const key of keys) {
    t.match(await call(server, { method: 'PUT', key, body: key }), {
      status: 200,
    })
    const path = server.objectPath('examplebucket', key) ?? ''
    t.match(
      relative(directory, path),
      /^objects\/[0-9a-f]{64}\.[0-9a-f]+\.data$/,
    )
    t.equal(readFileSync(path, 'utf8'), key)
    const uploadId = await create(server, key)
    t.match(await putPart(server, key, uploadId, 1, 'x'), { status: 200 })
  }
  t.match(
    await call(server, { method: 'GET', query: { uploads: '' }, bucket: '..' }),
    { code: 'InvalidBucketName' },
  )
  t.match(await putPart(server, 'k', '../../outside', 1, 'x'), {
    code: 'NoSuchUpload',
  })
  t.strictSame(readdirSync(root), ['outside', 'store'])
  t.equal(readFileSync(join(root, 'outside'), 'utf8'), 'safe')
})

await t.test('an object is replaced whole, and deleted', async (t) => {
  const server = await startDevServer()
  t.teardown(() => server.close())
  const put = (body: string) => call(server, { method: 'PUT', key: 'k', body })
  await put('first')
  const first = server.objectPath('examplebucket', 'k') ?? ''
  await put('second')
  t.equal((await call(server, { method: 'GET', key: 'k' })).text, 'second')
  t.throws(() => statSync(first))
  t.equal((await call(server, { method: 'DELETE', key: 'k' })).status, 204)
  t.equal((await call(server, { method: 'DELETE', key: 'k' })).status, 204)
  t.strictSame(
    server.requests.slice(-2).map((seen) => seen.applied),
    [true, false],
  )
  t.equal(server.objectPath('examplebucket', 'k'), undefined)
  t.strictSame(readdirSync(join(server.directory, 'objects')), [])
})

await t.test('a directory with other things in it is refused', async (t) => {
  const directory = t.testdir({ incoming: { precious: 'data' } })
  await t.rejects(startDevServer({ directory }), {
    code: 'PAWL_INVALID_OPTION',
  })
  t.equal(readFileSync(join(directory, 'incoming/precious'), 'utf8'), 'data')
})

/** An upload has 10,000 at the most. */
const count = sized({ fast: 2000, more: 10_000, long: 10_000 })

await t.test(`${count} parts are listed in pages`, async (t) => {
  const directory = t.testdir()
  const first = await startDevServer({ directory })
  const uploadId = await create(first, 'k')
  await first.close()
  for (let partNumber = 1; partNumber <= count; partNumber++) {
    const part = { partNumber, size: 1, sequence: partNumber * 1000 }
    const etag = partNumber.toString(16).padStart(32, '0')
    const name = formatPartFileName({ ...part, etag })
    writeFileSync(join(directory, 'uploads', uploadId, name), 'x')
  }

  const server = await startDevServer({ directory, minPartSize: 1 })
  t.teardown(() => server.close())
  const numbers: number[] = []
  let marker = '0'
  for (let pages = 1, more = true; more; pages++) {
    const { text } = await call(server, {
      method: 'GET',
      key: 'k',
      query: { uploadId, 'part-number-marker': marker },
    })
    t.equal(elements(text, 'PartNumber').length, 1000)
    numbers.push(...elements(text, 'PartNumber').map(Number))
    more = element(text, 'IsTruncated') === 'true'
    marker = element(text, 'NextPartNumberMarker') ?? ''
    t.equal(more, pages < count / 1000)
    if (pages > count / 1000) break
  }
  t.strictSame(
    numbers,
    Array.from({ length: count }, (_, index) => index + 1),
  )
  const parts = numbers.map((partNumber) => ({
    partNumber,
    etag: `&quot;${partNumber.toString(16).padStart(32, '0')}&quot;`,
  }))
  t.match(await complete(server, 'k', uploadId, parts), { status: 200 })
  const { headers } = await call(server, { method: 'HEAD', key: 'k' })
  t.equal(headers['content-length'], String(count))
})
