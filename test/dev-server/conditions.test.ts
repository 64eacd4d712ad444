import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startDevServer, type DevServer } from '../../lib/dev-server/index.js'
import {
  judgeRead,
  judgeWrite,
  type Conditions,
  type Found,
} from '../../lib/dev-server/operations/conditions.js'
import { until } from '../support/small-upload.js'
import { call, complete, create, element, putPart } from './raw-client.js'
import { s3Call, signS3, type S3Call } from './raw-s3.js'

const none: Conditions = {
  ifMatch: undefined,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  ifUnmodifiedSince: undefined,
}
const changedAt = Date.parse('2024-02-03T04:05:06.789Z')
const earlier = 'Sat, 03 Feb 2024 04:05:05 GMT'
const then = 'Sat, 03 Feb 2024 04:05:06 GMT'
const later = 'Sat, 03 Feb 2024 04:05:07 GMT'

await t.test('may an object be read', async (t) => {
  const rows: [Partial<Conditions>, 'holds' | 200 | 304 | 412, string?][] = [
    [{}, 200],
    [{ ifMatch: '"abc"' }, 200],
    [{ ifMatch: 'ABC' }, 200],
    [{ ifMatch: '*' }, 200],
    [{ ifMatch: '"x", "abc"' }, 200],
    [{ ifMatch: 'W/"abc"' }, 200],
    [{ ifMatch: '"x"' }, 412, 'If-Match'],
    [{ ifMatch: '' }, 412, 'If-Match'],
    [{ ifNoneMatch: '"x"' }, 200],
    [{ ifNoneMatch: '"abc"' }, 304, 'If-None-Match'],
    [{ ifNoneMatch: '*' }, 304, 'If-None-Match'],
    [{ ifModifiedSince: earlier }, 200],
    [{ ifModifiedSince: then }, 304, 'If-Modified-Since'],
    [{ ifModifiedSince: later }, 304, 'If-Modified-Since'],
    [{ ifModifiedSince: 'yesterday' }, 200],
    [{ ifUnmodifiedSince: earlier }, 412, 'If-Unmodified-Since'],
    [{ ifUnmodifiedSince: then }, 200],
    [{ ifUnmodifiedSince: 'yesterday' }, 200],
    // A condition on dates counts only without the one on ETags.
    [{ ifMatch: 'abc', ifUnmodifiedSince: earlier }, 200],
    [{ ifMatch: 'x', ifUnmodifiedSince: later }, 412, 'If-Match'],
    [{ ifNoneMatch: 'abc', ifModifiedSince: earlier }, 304, 'If-None-Match'],
    [{ ifNoneMatch: 'x', ifModifiedSince: later }, 200],
    // Who has another object gets it, if it is the right one.
    [{ ifMatch: 'abc', ifNoneMatch: 'abc' }, 304, 'If-None-Match'],
    [{ ifMatch: 'x', ifNoneMatch: 'abc' }, 412, 'If-Match'],
  ]
  for (const [given, status, condition] of rows) {
    const found = { etag: 'abc', time: changedAt }
    const verdict = judgeRead({ ...none, ...given }, found)
    t.same(
      verdict,
      status === 200
        ? { holds: true }
        : { holds: false, condition, isUnchanged: status === 304 },
      JSON.stringify(given),
    )
  }
})

await t.test('may an object be written', async (t) => {
  const absent: Found = { etag: undefined, changes: 0 }
  const there: Found = { etag: 'abc', changes: 1 }
  const create = { ifMatch: undefined, ifNoneMatch: '*' }
  const replace = { ifMatch: '"ABC"', ifNoneMatch: undefined }
  const other = { ifMatch: '"x"', ifNoneMatch: undefined }
  const conflict = 'ConditionalRequestConflict'
  const rows: [
    words: string,
    conditions: Pick<Conditions, 'ifMatch' | 'ifNoneMatch'>,
    before: Found,
    now: Found,
    verdict: string,
  ][] = [
    ['nothing asked', none, there, { ...there, changes: 2 }, 'goes'],
    ['a new one', create, absent, absent, 'goes'],
    ['one is there', create, there, there, 'PreconditionFailed'],
    ['one came', create, absent, there, 'PreconditionFailed'],
    ['one came and went', create, absent, { ...absent, changes: 2 }, conflict],
    ['the same one', replace, there, there, 'goes'],
    ['none to replace', replace, absent, absent, 'NoSuchKey'],
    ['another one', other, there, there, 'PreconditionFailed'],
    ['it went', replace, there, { etag: undefined, changes: 2 }, 'NoSuchKey'],
    ['replaced', replace, there, { etag: 'x', changes: 2 }, conflict],
    [
      'replaced by the same',
      replace,
      there,
      { ...there, changes: 2 },
      conflict,
    ],
  ]
  for (const [words, conditions, before, now, verdict] of rows) {
    t.equal(judgeWrite(conditions, now, before), verdict, words)
  }
})

const md5 = (body: string) => createHash('md5').update(body).digest('hex')

async function start(t: { teardown(fn: () => unknown): void }) {
  const server = await startDevServer()
  t.teardown(() => server.close())
  return server
}

/** An object as it is now; undefined when there is none. */
async function stored(server: DevServer, key: string) {
  const answer = await s3Call(server, { method: 'GET', key })
  return answer.status === 200 ? answer.text : undefined
}

await t.test('conditional reads in both dialects', async (t) => {
  const server = await start(t)
  const put = { method: 'PUT', key: 'k', body: 'one' }
  await s3Call(server, { ...put, headers: { 'cache-control': 'no-store' } })
  const head = await s3Call(server, { method: 'HEAD', key: 'k' })
  const changed = String(head.headers['last-modified'])
  const past = new Date(Date.parse(changed) - 1000).toUTCString()
  const rows: [Record<string, string>, number][] = [
    [{ 'if-match': `"${md5('one')}"` }, 200],
    [{ 'if-match': `"${md5('one').toUpperCase()}"` }, 200],
    [{ 'if-match': `"${md5('two')}"` }, 412],
    [{ 'if-none-match': `"${md5('one')}"` }, 304],
    [{ 'if-none-match': `"${md5('two')}"` }, 200],
    [{ 'if-modified-since': changed }, 304],
    [{ 'if-modified-since': past }, 200],
    [{ 'if-unmodified-since': changed }, 200],
    [{ 'if-unmodified-since': past }, 412],
  ]
  for (const [headers, status] of rows) {
    for (const method of ['GET', 'HEAD']) {
      for (const answer of [
        await call(server, { method, key: 'k', headers }),
        await s3Call(server, { method, key: 'k', headers }),
      ]) {
        t.equal(answer.status, status, `${method} ${JSON.stringify(headers)}`)
        if (status === 304) {
          t.equal(answer.text, '')
          t.match(answer.headers, {
            etag: /^"/,
            'last-modified': changed,
            'cache-control': 'no-store',
            'content-length': undefined,
          })
        }
        if (status === 412 && method === 'GET') {
          t.equal(answer.code, 'PreconditionFailed')
          t.match(element(answer.text, 'Condition')?.toLowerCase(), /^if-/)
        }
      }
    }
  }
  const headers = { 'if-match': '*' }
  t.match(await s3Call(server, { method: 'GET', key: 'none', headers }), {
    status: 404,
    code: 'NoSuchKey',
  })
})

/** Of a write to a key that has `one`, or has nothing. */
const writes: [
  headers: Record<string, string>,
  before: string | undefined,
  status: number,
  code?: string,
][] = [
  [{ 'if-none-match': '*' }, undefined, 200],
  [{ 'if-none-match': '*' }, 'one', 412, 'PreconditionFailed'],
  [{ 'if-none-match': `"${md5('one')}"` }, 'one', 501, 'NotImplemented'],
  [{ 'if-match': `"${md5('one')}"` }, 'one', 200],
  [{ 'if-match': md5('one') }, 'one', 200],
  [{ 'if-match': `"${md5('two')}"` }, 'one', 412, 'PreconditionFailed'],
  [{ 'if-match': `"${md5('one')}"` }, undefined, 404, 'NoSuchKey'],
  [{ 'if-match': '*' }, 'one', 501, 'NotImplemented'],
  [{ 'if-modified-since': earlier }, 'one', 501, 'NotImplemented'],
  [{ 'if-unmodified-since': later }, 'one', 501, 'NotImplemented'],
]

await t.test('conditional PutObject, CopyObject and Complete', async (t) => {
  const server = await start(t)
  await s3Call(server, { method: 'PUT', key: 'source', body: 'two' })
  const ways: Record<string, (key: string) => Promise<S3Call>> = {
    PutObject: async (key) => ({ method: 'PUT', key, body: 'two' }),
    CopyObject: async (key) => ({
      method: 'PUT',
      key,
      headers: { 'x-amz-copy-source': '/examplebucket/source' },
    }),
    CompleteMultipartUpload: async (key) => {
      const uploadId = await create(server, key)
      const part = await putPart(server, key, uploadId, 1, 'two')
      const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.etag}</ETag></Part></CompleteMultipartUpload>`
      return { method: 'POST', key, query: { uploadId }, body }
    },
  }
  for (const [way, make] of Object.entries(ways)) {
    for (const [index, [headers, before, status, code]] of writes.entries()) {
      const key = `${way}/${index}`
      if (before !== undefined) {
        await s3Call(server, { method: 'PUT', key, body: before })
      }
      const write = await make(key)
      const answer = await s3Call(server, {
        ...write,
        headers: { ...write.headers, ...headers },
      })
      const words = `${way} ${JSON.stringify(headers)} on ${before}`
      t.match(answer, { status, code }, words)
      t.equal(server.requests.at(-1)?.operation, way)
      t.equal(server.requests.at(-1)?.applied, status === 200)
      t.equal(await stored(server, key), status === 200 ? 'two' : before, words)
    }
  }
})

await t.test('a condition where none can be is refused', async (t) => {
  const server = await start(t)
  const uploadId = await create(server, 'k')
  const headers = { 'if-match': '"x"' }
  const rows: S3Call[] = [
    { method: 'POST', key: 'k', query: { uploads: '' } },
    { method: 'PUT', key: 'k', query: { partNumber: '1', uploadId } },
    { method: 'GET', key: 'k', query: { uploadId } },
    { method: 'DELETE', key: 'k', query: { uploadId } },
    { method: 'PUT', key: 'k', query: { tagging: '' } },
    { method: 'GET' },
    { method: 'DELETE' },
  ]
  for (const request of rows) {
    const answer = await s3Call(server, { ...request, headers })
    t.match(answer, { status: 501, code: 'NotImplemented' })
    t.equal(element(answer.text, 'Header'), 'If-Match')
  }
  const append = { 'x-amz-write-offset-bytes': '3' }
  t.match(
    await s3Call(server, { method: 'PUT', key: 'k', headers: append }),
    { status: 501, code: 'NotImplemented' },
    'appending, which would have replaced the object',
  )
  t.equal(server.openUploads().length, 1)
  t.equal(await stored(server, 'k'), undefined)
})

await t.test('conditional DeleteObject', async (t) => {
  const server = await start(t)
  const rows: [
    headers: Record<string, string>,
    before: string | undefined,
    status: number,
    code?: string,
  ][] = [
    [{ 'if-match': `"${md5('one')}"` }, 'one', 204],
    [{ 'if-match': '*' }, 'one', 204],
    [{ 'if-match': `"${md5('two')}"` }, 'one', 412, 'PreconditionFailed'],
    [{ 'if-match': `"${md5('one')}"` }, undefined, 404, 'NoSuchKey'],
    [{ 'if-match': '*' }, undefined, 412, 'PreconditionFailed'],
    [{ 'if-none-match': '*' }, 'one', 501, 'NotImplemented'],
    [{ 'x-amz-if-match-size': '3' }, 'one', 501, 'NotImplemented'],
    [{}, undefined, 204],
  ]
  for (const [index, [headers, before, status, code]] of rows.entries()) {
    const key = String(index)
    if (before !== undefined) {
      await s3Call(server, { method: 'PUT', key, body: before })
    }
    const answer = await s3Call(server, { method: 'DELETE', key, headers })
    const words = `${JSON.stringify(headers)} on ${before}`
    t.match(answer, { status, code }, words)
    t.equal(
      await stored(server, key),
      status === 204 ? undefined : before,
      words,
    )
  }
})

/** A PutObject that waits with the second half of its body. */
async function slowPut(
  server: DevServer,
  headers: Record<string, string>,
): Promise<() => Promise<{ status: number; code: string | undefined }>> {
  const body = 'slowly'
  const signed = signS3(server, { method: 'PUT', key: 'k', headers, body })
  const sent = request({
    host: '127.0.0.1',
    port: server.port,
    method: 'PUT',
    path: signed.path,
    headers: signed.headers,
    agent: false,
  })
  sent.write(body.slice(0, 3))
  await until(() => (server.requests.at(-1)?.bytes ?? 0) > 0)
  return async () => {
    sent.end(body.slice(3))
    const [response] = await once(sent, 'response')
    const answer = await text(response)
    const code = /<Code>(.*?)<\/Code>/.exec(answer)?.[1]
    return { status: response.statusCode ?? 0, code }
  }
}

await t.test('what happens meanwhile counts', async (t) => {
  const put = (body: string): S3Call => ({ method: 'PUT', key: 'k', body })
  const drop: S3Call = { method: 'DELETE', key: 'k' }
  const old = { 'if-match': `"${md5('one')}"` }
  const rows: [
    words: string,
    headers: Record<string, string>,
    before: string | undefined,
    meanwhile: S3Call[],
    end: { status: number; code?: string },
    after: string | undefined,
  ][] = [
    [
      'another came first',
      { 'if-none-match': '*' },
      undefined,
      [put('two')],
      { status: 412, code: 'PreconditionFailed' },
      'two',
    ],
    [
      'another came and went',
      { 'if-none-match': '*' },
      undefined,
      [put('two'), drop],
      { status: 409, code: 'ConditionalRequestConflict' },
      undefined,
    ],
    [
      'it was replaced',
      old,
      'one',
      [put('two')],
      { status: 409, code: 'ConditionalRequestConflict' },
      'two',
    ],
    [
      'it was deleted',
      old,
      'one',
      [drop],
      { status: 404, code: 'NoSuchKey' },
      undefined,
    ],
    [
      'only its tags changed',
      old,
      'one',
      [
        {
          method: 'PUT',
          key: 'k',
          query: { tagging: '' },
          body: '<Tagging><TagSet></TagSet></Tagging>',
        },
      ],
      { status: 200 },
      'slowly',
    ],
    ['nothing was asked', {}, 'one', [put('two')], { status: 200 }, 'slowly'],
  ]
  for (const [words, headers, before, meanwhile, end, after] of rows) {
    const server = await startDevServer()
    if (before !== undefined) await s3Call(server, put(before))
    const finish = await slowPut(server, headers)
    for (const one of meanwhile) {
      const { status } = await s3Call(server, one)
      t.ok(status < 300, `${words}: ${status}`)
    }
    t.match(await finish(), end, words)
    t.equal(await stored(server, 'k'), after, words)
    await server.close()
  }
})

await t.test('OSS knows conditions on reads only', async (t) => {
  const server = await start(t)
  await call(server, { method: 'PUT', key: 'k', body: 'one' })
  const names = [
    'If-Match',
    'If-None-Match',
    'If-Modified-Since',
    'If-Unmodified-Since',
  ]
  for (const name of names) {
    const headers = { [name.toLowerCase()]: '*' }
    for (const method of ['PUT', 'DELETE']) {
      const answer = await call(server, { method, key: 'k', headers })
      t.match(answer, { status: 400, code: 'NotImplemented' })
      t.equal(element(answer.text, 'Header'), name)
      t.equal(answer.headers['x-oss-ec'], '0017-00000245')
    }
  }
  t.equal(await stored(server, 'k'), 'one')
})

await t.test('OSS forbids to overwrite, on every way to write', async (t) => {
  const server = await start(t)
  const put = { method: 'PUT', key: 'k' }
  await call(server, { ...put, body: 'one' })
  const uploadId = await create(server, 'k')
  const part = await putPart(server, 'k', uploadId, 1, 'two')
  const copy = { 'x-oss-copy-source': '/examplebucket/k' }
  const ways: [
    string,
    (headers: Record<string, string>) => Promise<unknown>,
  ][] = [
    ['put', (headers) => call(server, { ...put, headers, body: 'two' })],
    [
      'copy',
      (headers) => call(server, { ...put, headers: { ...headers, ...copy } }),
    ],
    [
      'initiate',
      (headers) =>
        call(server, {
          method: 'POST',
          key: 'k',
          query: { uploads: '' },
          headers,
        }),
    ],
    [
      'complete',
      (headers) =>
        complete(
          server,
          'k',
          uploadId,
          [{ partNumber: 1, etag: part.headers.etag }],
          { headers },
        ),
    ],
  ]
  for (const [words, way] of ways) {
    t.match(
      await way({ 'x-oss-forbid-overwrite': 'true' }),
      { status: 409, code: 'FileAlreadyExists' },
      words,
    )
    t.equal(await stored(server, 'k'), 'one', words)
  }
  for (const [words, way] of ways) {
    t.match(
      await way({ 'x-oss-forbid-overwrite': 'false' }),
      { status: 200 },
      words,
    )
  }
})
