import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  startDevServer,
  type DevServer,
  type DevServerOptions,
} from '../../lib/dev-server/index.js'
import { until } from '../support/small-upload.js'
import {
  call,
  complete,
  create,
  element,
  elements,
  putPart,
} from './raw-client.js'

const size = 102_400
const one = Buffer.alloc(size, 'one')
const two = Buffer.alloc(size, 'two')

async function start(
  t: { teardown(fn: () => unknown): void },
  options: DevServerOptions = {},
): Promise<DevServer> {
  const server = await startDevServer(options)
  t.teardown(() => server.close())
  return server
}

function md5(data: Buffer): string {
  return createHash('md5').update(data).digest('hex')
}

function incoming(server: DevServer): string[] {
  return readdirSync(join(server.directory, 'incoming'))
}

await t.test('parts of one size, where a server wants that', async (t) => {
  const server = await start(t, { equalParts: true, minPartSize: 1 })
  const rows: [sizes: number[], isTaken: boolean][] = [
    [[5], true],
    [[5, 5, 5], true],
    [[5, 5, 4], true],
    [[5, 5, 6], false],
    [[4, 5, 5], false],
    [[5, 4, 5], false],
    [[5, 6], false],
  ]
  for (const [sizes, isTaken] of rows) {
    const name = sizes.join(', ')
    const uploadId = await create(server, name)
    const parts = []
    for (const [index, bytes] of sizes.entries()) {
      const data = Buffer.alloc(bytes, 'x')
      const sent = await putPart(server, name, uploadId, index + 1, data)
      parts.push({ partNumber: index + 1, etag: sent.headers.etag })
    }
    const answer = await complete(server, name, uploadId, parts)
    if (isTaken) {
      t.equal(answer.status, 200, name)
      continue
    }
    t.match(answer, { status: 400, code: 'InvalidPart' }, name)
    t.match(element(answer.text, 'Message'), /must have the same length/)
    t.equal(server.openUploads()[0]?.parts, sizes.length, 'nothing changes')
    const [first] = parts.splice(0, 1)
    const one = await complete(server, name, uploadId, first ? [first] : [])
    t.equal(one.status, 200)
  }
})

await t.test('the last of two parts with one number counts', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  const first = await putPart(server, 'k', uploadId, 1, one)
  const second = await putPart(server, 'k', uploadId, 1, two)
  const refused = await complete(server, 'k', uploadId, [
    { partNumber: 1, etag: first.headers.etag },
  ])
  t.match(refused, { status: 400, code: 'InvalidPart' })
  t.equal(element(refused.text, 'PartNumber'), '1')
  const done = await complete(server, 'k', uploadId, [
    { partNumber: 1, etag: second.headers.etag },
  ])
  t.equal(done.status, 200)
  t.ok(readFileSync(server.objectPath('examplebucket', 'k') ?? '').equals(two))
})

await t.test('a cut part leaves what was there before', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  await putPart(server, 'k', uploadId, 1, one)
  t.match(await putPart(server, 'k', uploadId, 1, two, { cutAfter: 50_000 }), {
    status: 0,
  })
  await putPart(server, 'k', uploadId, 2, two, { cutAfter: 50_000 })
  const query = { uploadId }
  const { text } = await call(server, { method: 'GET', key: 'k', query })
  t.strictSame(elements(text, 'PartNumber'), ['1'])
  t.match(text, md5(one).toUpperCase())
  await until(() => incoming(server).length === 0)
  t.ok(
    server.requests.slice(2, 4).every((seen) => !seen.applied),
    'nothing of a cut part is kept',
  )
})

await t.test(
  'parts in parallel, replaced in parallel, in any order',
  async (t) => {
    const server = await start(t)
    const uploadId = await create(server, 'k')
    const numbers = Array.from({ length: 20 }, (_, index) => 20 - index)
    const answers = await Promise.all(
      [...numbers, ...numbers].map((partNumber) =>
        putPart(
          server,
          'k',
          uploadId,
          partNumber,
          Buffer.alloc(size, partNumber),
        ),
      ),
    )
    t.ok(answers.every((answer) => answer.status === 200))
    const parts = numbers
      .map((partNumber, index) => {
        return { partNumber, etag: answers[index]?.headers.etag }
      })
      .toReversed()
    const done = await complete(server, 'k', uploadId, parts)
    const whole = Buffer.concat(
      parts.map(({ partNumber }) => Buffer.alloc(size, partNumber)),
    )
    t.ok(
      readFileSync(server.objectPath('examplebucket', 'k') ?? '').equals(whole),
    )
    const binary = parts.map(({ partNumber }) =>
      Buffer.from(md5(Buffer.alloc(size, partNumber)), 'hex'),
    )
    t.equal(
      done.headers.etag,
      `"${md5(Buffer.concat(binary)).toUpperCase()}-20"`,
    )
    // What a PutObject of the same bytes has as CRC-64.
    const put = await call(server, { method: 'PUT', key: 'put', body: whole })
    const crc = 'x-oss-hash-crc64ecma'
    t.equal(done.headers[crc], put.headers[crc])
    t.strictSame(server.openUploads(), [])
    t.strictSame(readdirSync(join(server.directory, 'uploads')), [])
  },
)

await t.test(
  'Complete at the same time: one wins, one finds nothing',
  async (t) => {
    const server = await start(t)
    const uploadId = await create(server, 'k')
    const { headers } = await putPart(server, 'k', uploadId, 1, one)
    const parts = [{ partNumber: 1, etag: headers.etag }]
    const answers = await Promise.all([
      complete(server, 'k', uploadId, parts),
      complete(server, 'k', uploadId, parts),
    ])
    const statuses = new Set(answers.map((answer) => answer.status))
    t.strictSame(statuses, new Set([200, 404]))
  },
)

await t.test('Complete is refused for lists that do not fit', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  const { headers } = await putPart(server, 'k', uploadId, 1, one)
  const { headers: second } = await putPart(server, 'k', uploadId, 2, 'small')
  const { headers: third } = await putPart(server, 'k', uploadId, 3, two)
  const [a, b, c] = [headers.etag, second.etag, third.etag]
  const post = (body: string) =>
    call(server, { method: 'POST', key: 'k', query: { uploadId }, body })
  const rows: [string, { partNumber: number; etag: string | undefined }[]][] = [
    [
      'InvalidPartOrder',
      [
        { partNumber: 3, etag: c },
        { partNumber: 1, etag: a },
      ],
    ],
    [
      'InvalidPartOrder',
      [
        { partNumber: 1, etag: a },
        { partNumber: 1, etag: a },
      ],
    ],
    [
      'InvalidPart',
      [
        { partNumber: 1, etag: a },
        { partNumber: 4, etag: a },
      ],
    ],
    ['InvalidPart', [{ partNumber: 1, etag: c }]],
    [
      'EntityTooSmall',
      [
        { partNumber: 1, etag: a },
        { partNumber: 2, etag: b },
        { partNumber: 3, etag: c },
      ],
    ],
    ['MalformedXML', []],
  ]
  for (const [code, parts] of rows) {
    t.match(await complete(server, 'k', uploadId, parts), { code })
  }
  for (const body of ['', 'no xml', '<Other/>', '<!DOCTYPE a><a/>']) {
    t.match(await post(body), { status: 400, code: 'MalformedXML' }, body)
  }
  // Refusals change nothing; gaps are fine, quotes and entities do not matter.
  const done = await complete(server, 'k', uploadId, [
    { partNumber: 1, etag: a?.replaceAll('"', '').toLowerCase() },
    { partNumber: 3, etag: c?.replaceAll('"', '&quot;') },
  ])
  t.equal(done.status, 200)
  t.match(await complete(server, 'k', uploadId, []), { code: 'NoSuchUpload' })
})

await t.test('x-oss-complete-all takes what there is', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  const all = { 'x-oss-complete-all': 'yes' }
  const post = (headers: Record<string, string>, body = '') =>
    call(server, {
      method: 'POST',
      key: 'k',
      query: { uploadId },
      headers,
      body,
    })
  t.match(await post(all), { code: 'InvalidPart' })
  await putPart(server, 'k', uploadId, 7, two)
  await putPart(server, 'k', uploadId, 3, one)
  t.match(await post(all, 'body'), { code: 'InvalidArgument' })
  t.match(await post({ 'x-oss-complete-all': 'no' }), {
    code: 'InvalidArgument',
  })
  t.match(await post(all), { status: 200 })
  const path = server.objectPath('examplebucket', 'k') ?? ''
  t.ok(readFileSync(path).equals(Buffer.concat([one, two])))
})

await t.test('forbid-overwrite keeps the object that is there', async (t) => {
  const server = await start(t)
  const forbid = { headers: { 'x-oss-forbid-overwrite': 'true' } }
  const uploadId = await create(server, 'k', forbid)
  const { headers } = await putPart(server, 'k', uploadId, 1, one)
  await call(server, { method: 'PUT', key: 'k', body: 'first' })
  const parts = [{ partNumber: 1, etag: headers.etag }]
  t.match(await complete(server, 'k', uploadId, parts, forbid), {
    status: 409,
    code: 'FileAlreadyExists',
  })
  t.match(await call(server, { method: 'PUT', key: 'k', ...forbid }), {
    code: 'FileAlreadyExists',
  })
  const query = { uploads: '' }
  t.match(await call(server, { method: 'POST', key: 'k', query, ...forbid }), {
    code: 'FileAlreadyExists',
  })
  t.equal((await call(server, { method: 'GET', key: 'k' })).text, 'first')
  t.match(await complete(server, 'k', uploadId, parts), { status: 200 })
})

await t.test('sequential uploads take parts in order and once', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k', { query: { sequential: '' } })
  t.match(await putPart(server, 'k', uploadId, 2, one), {
    code: 'PartNotSequential',
  })
  t.match(await putPart(server, 'k', uploadId, 1, one), { status: 200 })
  t.match(await putPart(server, 'k', uploadId, 1, one), {
    status: 409,
    code: 'PartAlreadyExist',
  })
  t.match(await putPart(server, 'k', uploadId, 2, one), { status: 200 })
})

await t.test('what Initiate says is what the object has', async (t) => {
  const server = await start(t)
  const said = {
    'content-type': 'video/mp4',
    'cache-control': 'no-cache',
    'content-disposition': 'attachment',
    'content-encoding': 'gzip',
    expires: 'Wed, 21 Oct 2026 07:28:00 GMT',
    'x-oss-storage-class': 'IA',
    'x-oss-server-side-encryption': 'AES256',
    'x-oss-meta-author': 'alice',
  }
  const headers = { ...said, 'x-oss-tagging': 'a=1&b=%26' }
  const uploadId = await create(server, 'k', { headers })
  const part = await putPart(server, 'k', uploadId, 1, 'x')
  const parts = [{ partNumber: 1, etag: part.headers.etag }]
  t.match(
    await complete(server, 'k', uploadId, parts, {
      headers: { 'x-oss-object-acl': 'public' },
    }),
    { code: 'InvalidArgument' },
  )
  await complete(server, 'k', uploadId, parts, {
    headers: { 'x-oss-object-acl': 'public-read' },
  })
  t.match((await call(server, { method: 'HEAD', key: 'k' })).headers, {
    ...said,
    'x-oss-tagging-count': '2',
    'x-oss-object-type': 'Multipart',
    'content-length': '1',
  })
})

await t.test('an aborted upload is gone with its parts', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  await putPart(server, 'k', uploadId, 1, one)
  const query = { uploadId }
  t.match(await call(server, { method: 'DELETE', key: 'k', query }), {
    status: 204,
    text: '',
  })
  const gone = { status: 404, code: 'NoSuchUpload' }
  t.match(await call(server, { method: 'DELETE', key: 'k', query }), gone)
  t.match(await call(server, { method: 'GET', key: 'k', query }), gone)
  t.match(await putPart(server, 'k', uploadId, 1, one), gone)
  t.strictSame(incoming(server), [])
})

await t.test('an upload belongs to its key and bucket', async (t) => {
  const server = await start(t, { buckets: '*' })
  const uploadId = await create(server, 'k')
  const gone = { code: 'NoSuchUpload' }
  t.match(await putPart(server, 'other', uploadId, 1, one), gone)
  t.match(
    await putPart(server, 'k', uploadId, 1, one, { bucket: 'other-bucket' }),
    gone,
  )
})

await t.test(
  'with discard, sizes and digests are all that is kept',
  async (t) => {
    const server = await start(t, { discard: true })
    const uploadId = await create(server, 'k')
    const a = await putPart(server, 'k', uploadId, 1, one)
    const b = await putPart(server, 'k', uploadId, 2, two)
    t.equal(a.headers.etag, `"${md5(one).toUpperCase()}"`)
    const done = await complete(server, 'k', uploadId, [
      { partNumber: 1, etag: a.headers.etag },
      { partNumber: 2, etag: b.headers.etag },
    ])
    const head = await call(server, { method: 'HEAD', key: 'k' })
    t.match(head.headers, {
      'content-length': String(2 * size),
      'x-oss-hash-crc64ecma': done.headers['x-oss-hash-crc64ecma'],
    })
    t.equal(server.objectPath('examplebucket', 'k'), undefined)
    t.match(await call(server, { method: 'GET', key: 'k' }), {
      code: 'InvalidObjectState',
    })
  },
)

for (const digests of ['crc64', 'none'] as const) {
  await t.test(`digests: ${digests} still makes objects`, async (t) => {
    const server = await start(t, { digests })
    const uploadId = await create(server, 'k')
    const { headers } = await putPart(server, 'k', uploadId, 1, one)
    const crc = headers['x-oss-hash-crc64ecma']
    t.equal(crc === undefined, digests === 'none')
    t.not(headers.etag, `"${md5(one).toUpperCase()}"`)
    const parts = [{ partNumber: 1, etag: headers.etag }]
    const done = await complete(server, 'k', uploadId, parts)
    t.match(done, { status: 200 })
    t.equal(done.headers['x-oss-hash-crc64ecma'], crc)
    // What a request promises is checked all the same.
    const bad = {
      headers: { 'content-md5': Buffer.alloc(16).toString('base64') },
    }
    t.match(
      await call(server, { method: 'PUT', key: 'p', body: 'x', ...bad }),
      {
        code: 'InvalidDigest',
      },
    )
  })
}
