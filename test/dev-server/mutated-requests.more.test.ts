/**
 * Requests that are nearly right: calls of both dialects with something changed
 * before they are signed, and signed ones with bytes changed on their way. Each is
 * answered by no error of the server's own, ends, and changes nothing but what it
 * names, if it was understood and its signature holds.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  startDevServer,
  type DevServer,
  type Operation,
  type SeenRequest,
} from '../../lib/dev-server/index.js'
import { calls } from '../../lib/dev-server/wire/calls.js'
import { randomFrom, seedFor } from '../support/seed.js'
import { sized } from '../support/tier.js'
import {
  call as ossCall,
  create,
  putPart,
  send,
  signOss,
  type Sent,
} from './raw-client.js'
import { s3Call, signS3, type S3Call } from './raw-s3.js'

const count = sized({ fast: 300, more: 3000, long: 3000 })
/** Servers that are asked beside each other, so that waiting is shared. */
const lanes = 4
const seed = seedFor()

/** Objects that are looked at after every request, by `bucket/key`. */
const watched = [
  ['examplebucket', 'safe/0'],
  ['examplebucket', 'safe/1'],
  ['examplebucket', 'safe/2'],
  ['examplebucket', 'safe'],
  ['other-bucket', 'safe/0'],
] as const

/** Those whose call changes the bytes, or what is said of them, of what it names. */
const writers = new Set<Operation>([
  'PutObject',
  'CopyObject',
  'CompleteMultipartUpload',
  'DeleteObject',
  'DeleteObjects',
  'PutObjectTagging',
  'DeleteObjectTagging',
])

interface Draw {
  /** From 0, below `n`. */
  below(n: number): number
  of<T>(list: readonly T[]): T
}

function drawer(random: () => number): Draw {
  const below = (n: number) => Math.floor(random() * n)
  return {
    below,
    of: (list) => {
      const found = list[below(list.length)]
      if (found === undefined) throw new Error('nothing to draw from')
      return found
    },
  }
}

const key = 'safe/0'
const customerKey = {
  'x-amz-server-side-encryption-customer-algorithm': 'AES256',
  'x-amz-server-side-encryption-customer-key':
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  'x-amz-server-side-encryption-customer-key-md5': 'cLyPS3KoaSFGi/joRBOUUQ==',
}
const copySource = { copy: '/examplebucket/safe/1' }
const complete = (etag: string) =>
  `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`
const tagging =
  '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'
const deletion = '<Delete><Object><Key>safe/2</Key></Object></Delete>'

/** A right request of each call; `copy` is a header whose name has two forms. */
function rightRequests(uploadId: string, etag: string): S3Call[] {
  return [
    { method: 'GET', bucket: '' },
    { method: 'GET' },
    { method: 'GET', query: { 'list-type': '2', prefix: 'safe' } },
    { method: 'GET', query: { uploads: '' } },
    { method: 'GET', query: { location: '' } },
    { method: 'GET', query: { bucketInfo: '' } },
    { method: 'PUT', bucket: 'new-bucket' },
    { method: 'HEAD' },
    { method: 'DELETE', bucket: 'other-bucket' },
    { method: 'POST', query: { delete: '' }, body: deletion },
    { method: 'POST', key, query: { uploads: '' } },
    { method: 'PUT', key, query: { partNumber: '1', uploadId }, body: 'part' },
    {
      method: 'PUT',
      key,
      query: { partNumber: '2', uploadId },
      headers: copySource,
    },
    { method: 'GET', key, query: { uploadId, 'max-parts': '2' } },
    { method: 'POST', key, query: { uploadId }, body: complete(etag) },
    { method: 'DELETE', key, query: { uploadId } },
    { method: 'PUT', key, query: { tagging: '' }, body: tagging },
    { method: 'GET', key, query: { tagging: '' } },
    { method: 'DELETE', key, query: { tagging: '' } },
    {
      method: 'GET',
      key,
      query: { attributes: '' },
      headers: { 'x-amz-object-attributes': 'ETag,ObjectParts' },
    },
    { method: 'HEAD', key, query: { objectMeta: '' } },
    { method: 'PUT', key, headers: copySource },
    {
      method: 'PUT',
      key,
      body: 'new bytes',
      headers: { 'content-type': 'a/b' },
    },
    { method: 'PUT', key, body: 'new bytes', headers: customerKey },
    { method: 'GET', key, headers: customerKey },
    {
      method: 'PUT',
      key,
      body: '3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n',
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-trailer': 'x-amz-checksum-crc32',
        'x-amz-decoded-content-length': '3',
      },
    },
    { method: 'GET', key, headers: { range: 'bytes=1-3' } },
    { method: 'GET', key, query: { partNumber: '1' } },
    { method: 'HEAD', key, headers: { 'if-none-match': '"x"' } },
    { method: 'DELETE', key },
  ]
}

const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS']
const buckets = [
  'examplebucket',
  'other-bucket',
  '',
  'missing',
  '..',
  'No',
  'a',
]
const keys = [
  ...watched.map(([, name]) => name),
  'free',
  'safe/0/',
  '../safe/0',
  './safe/0',
  '/safe/0',
  'safe%2F0',
  'a\u0000b',
  'ü 报告 😀',
  'x'.repeat(1025),
]
const names = [
  ...new Set(
    calls.flatMap((one) => [...(one.needs ?? []), ...(one.allows ?? [])]),
  ),
  'acl',
  'retention',
  'legal-hold',
  'versions',
  'append',
  'position',
  'x-oss-process',
  '',
]
const values = [
  '',
  '0',
  '1',
  '2',
  '-1',
  '1e3',
  '99999999999999999999',
  'null',
  'url',
  'safe/',
  'é<&>"',
  '\u0000',
  'a\r\nb: c',
  '%zz',
  'x'.repeat(3000),
  'bytes=0-0',
  'bytes=9-1',
  '*',
  'Thu, 01 Jan 1970 00:00:00 GMT',
]
const headerNames = [
  'content-md5',
  'content-type',
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'date',
  'expect',
  'host',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'origin',
  'range',
  'authorization',
  'x-amz-acl',
  'x-amz-checksum-algorithm',
  'x-amz-checksum-crc32',
  'x-amz-checksum-type',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-copy-source-range',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-meta-a',
  'x-amz-metadata-directive',
  'x-amz-mp-object-size',
  'x-amz-object-attributes',
  'x-amz-security-token',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-server-side-encryption-customer-key-md5',
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-trailer',
  'x-oss-callback',
  'x-oss-complete-all',
  'x-oss-copy-source',
  'x-oss-date',
  'x-oss-forbid-overwrite',
  'x-oss-object-acl',
  'x-oss-storage-class',
  'x-oss-traffic-limit',
]

/** Some of the text taken away, doubled or replaced. */
function mangled(draw: Draw, text: string): string {
  const at = draw.below(text.length + 1)
  const end = Math.min(text.length, at + 1 + draw.below(8))
  const inserted = draw.of(['', draw.of(values), text.slice(at, end).repeat(2)])
  return text.slice(0, at) + inserted + text.slice(end)
}

type Change = (call: S3Call, draw: Draw) => S3Call

const changes: readonly Change[] = [
  (call, draw) => ({ ...call, method: draw.of(methods) }),
  (call, draw) => ({ ...call, bucket: draw.of(buckets) }),
  (call, draw) => ({ ...call, key: draw.of(keys) }),
  (call) => ({ ...call, key: '' }),
  (call, draw) => ({
    ...call,
    query: { ...call.query, [draw.of(names)]: draw.of(values) },
  }),
  (call, draw) => {
    const entries = Object.entries(call.query ?? {})
    const drop = draw.below(entries.length + 1)
    const left = entries.filter((_, index) => index !== drop)
    return { ...call, query: Object.fromEntries(left) }
  },
  (call, draw) => {
    const entries = Object.entries(call.query ?? {})
    const changed = draw.below(entries.length + 1)
    const query = entries.map(([name, value], index) => [
      name,
      index === changed ? mangled(draw, value) : value,
    ])
    return { ...call, query: Object.fromEntries(query) }
  },
  (call, draw) => ({
    ...call,
    headers: { ...call.headers, [draw.of(headerNames)]: draw.of(values) },
  }),
  (call, draw) => ({ ...call, body: mangled(draw, String(call.body ?? '')) }),
  (call, draw) => ({
    ...call,
    body: draw.of([deletion, tagging, complete('"x"'), '<', 'free bytes']),
  }),
]

/** Those that a client can send at all; framing is right. */
function sendable(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) =>
        !['content-length', 'transfer-encoding', 'expect'].includes(name) &&
        /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value),
    ),
  )
}

/** A request as it goes out, signed as one of the dialects has it. */
function signed(server: DevServer, call: S3Call, isS3: boolean): Sent {
  const { copy, ...rest } = call.headers ?? {}
  const named = isS3 ? 'x-amz-copy-source' : 'x-oss-copy-source'
  const headers = sendable({
    ...rest,
    ...(copy === undefined ? {} : { [named]: copy }),
  })
  const whole = { ...call, headers }
  const body = Buffer.from(call.body ?? '')
  const { path, headers: all } = isS3 ? signS3(server, whole) : signOss(whole)
  return { method: call.method, path, headers: all, body }
}

function bytesOf({ method, path, headers, body }: Sent): Buffer {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/** A few bytes changed, taken away or put in, or the end cut off. */
function damaged(draw: Draw, bytes: Buffer): Buffer {
  let result = bytes
  for (let left = 1 + draw.below(4); left > 0; left--) {
    const at = draw.below(result.length)
    const [before, after] = [result.subarray(0, at), result.subarray(at)]
    const some = Buffer.from(
      draw.of(['\r\n', '0', '%', ' ', ':', '\u0000', '&']),
    )
    result = draw.of([
      Buffer.concat([before, some, after]),
      Buffer.concat([before, some, after.subarray(1)]),
      Buffer.concat([before, after.subarray(1 + draw.below(16))]),
      Buffer.concat([before, after.subarray(0, 8), after]),
      ...(draw.below(8) === 0 ? [before] : []),
    ])
  }
  return result
}

/**
 * What comes back on a connection of its own; 0 when nothing did. A server that
 * waits for more of a request is told that there is no more, and has to end.
 */
function exchange(port: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const patience = setTimeout(() => socket.end(), 200)
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => (text += String(chunk)))
    // A server that refuses early may cut what is still being sent.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(patience)
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0))
    })
    socket.write(bytes)
  })
}

/** The objects that are watched, with what is kept of each, by `bucket/key`. */
function stateOf(server: DevServer): Map<string, string> {
  return new Map(
    watched.map(([bucket, name]) => {
      const path = server.objectPath(bucket, name)
      const record = path?.replace(/\.[0-9a-f]+\.data$/, '.json')
      const kept = [path, record].map((file) =>
        file === undefined ? 'gone' : readFileSync(file, 'latin1'),
      )
      return [`${bucket}/${name}`, kept.join('\n')]
    }),
  )
}

/** Names that calls which write have in their queries. */
const writing: Readonly<Record<string, RegExp>> = {
  PUT: /^(tagging|versionId|callback|callback-var|x-oss-traffic-limit)$/,
  POST: /^(uploadId|delete|encoding-type|callback|callback-var)$/,
  DELETE: /^(tagging|versionId)$/,
}

/** Is it a write by its method and query alone, whatever the server took it for? */
function isWrite({ method, url }: SeenRequest): boolean {
  const known = writing[method]
  const query = url.split('?').slice(1).join('?')
  return [...new URLSearchParams(query).keys()].every((name) =>
    known?.test(name),
  )
}

/** A request that arrived, with the bytes that it came in. */
interface Arrived {
  seen: SeenRequest
  bytes: Buffer
}

/** Has a request changed that object, as it may? */
function mayChange(name: string, { seen, bytes }: Arrived): boolean {
  const { operation, applied, bucket, key: own } = seen
  if (!applied || !writers.has(operation) || !isWrite(seen)) return false
  const [first = '', ...rest] = name.split('/')
  return operation === 'DeleteObjects'
    ? bucket === first && bytes.includes(`<Key>${rest.join('/')}</Key>`)
    : `${bucket}/${own}` === name
}

/** Puts back what is missing or changed; an upload with one part is open. */
async function restore(server: DevServer) {
  await s3Call(server, { method: 'PUT', bucket: 'other-bucket' })
  for (const [bucket, name] of watched) {
    const body = `bytes of ${bucket}/${name}`
    await s3Call(server, { method: 'PUT', bucket, key: name, body })
  }
  const uploadId = await create(server, key)
  const part = await putPart(server, key, uploadId, 1, 'part')
  return { uploadId, etag: String(part.headers.etag) }
}

/** One lane: its share of the requests, one after the other. */
async function run(
  lane: number,
): Promise<{ problems: string[]; answers: Map<number, number> }> {
  const draw = drawer(randomFrom(seed + lane))
  const server = await startDevServer({ buckets: ['examplebucket'] })
  const problems: string[] = []
  const answers = new Map<number, number>()
  let { uploadId, etag } = await restore(server)
  // Work once begun goes on when its client goes away.
  let late: Arrived[] = []
  for (let index = 0; index < count / lanes; index++) {
    const right = draw.of(rightRequests(uploadId, etag))
    const isRaw = draw.below(3) === 0
    let call = right
    for (
      let left = isRaw ? draw.below(2) : 1 + draw.below(3);
      left > 0;
      left--
    ) {
      call = draw.of(changes)(call, draw)
    }
    const sent = signed(server, call, draw.below(3) > 0)
    const before = stateOf(server)
    const from = server.requests.length
    const bytes = isRaw ? damaged(draw, bytesOf(sent)) : bytesOf(sent)
    const status = isRaw
      ? await exchange(server.port, bytes)
      : (await send(server, sent)).status
    answers.set(status, (answers.get(status) ?? 0) + 1)
    const words = `lane ${lane}, ${index}: ${status} for ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`
    if (status >= 500 && status !== 501) problems.push(words)
    if (!isRaw && status === 0) problems.push(`no answer, ${words}`)
    const arrived = [
      ...late,
      ...server.requests.slice(from).map((seen) => ({ seen, bytes })),
    ]
    const after = stateOf(server)
    for (const [name, state] of before) {
      if (after.get(name) === state) continue
      if (!arrived.some((one) => mayChange(name, one))) {
        problems.push(`${name} in ${words}`)
      }
    }
    late = arrived.filter(
      ({ seen }) => !seen.applied && seen.status === undefined,
    )
    const isChanged = arrived.some(({ seen }) => seen.applied)
    if (isChanged) ({ uploadId, etag } = await restore(server))
  }
  const { directory } = server
  const alive = await ossCall(server, { method: 'GET', key: 'safe/1' })
  if (alive.text !== 'bytes of examplebucket/safe/1') problems.push('the end')
  // What a client that went away had sent is removed soon.
  for (let left = 200; left > 0; left--) {
    if (readdirSync(join(directory, 'incoming')).length === 0) break
    await sleep(10)
  }
  if (readdirSync(join(directory, 'incoming')).length > 0) {
    problems.push('something is left in the making')
  }
  await server.close()
  return { problems, answers }
}

await t.test(`${count} requests that are nearly right`, async (t) => {
  t.comment(`PAWL_SEED=${seed}`)
  const results = await Promise.all(
    Array.from({ length: lanes }, (_, lane) => run(lane)),
  )
  const answers = new Map<number, number>()
  for (const { answers: some } of results) {
    for (const [status, times] of some) {
      answers.set(status, (answers.get(status) ?? 0) + times)
    }
  }
  t.comment(
    [...answers]
      .toSorted(([a], [b]) => a - b)
      .map(([status, times]) => `${times} x ${status}`)
      .join(', '),
  )
  t.same(
    results.flatMap(({ problems }) => problems),
    [],
    `PAWL_SEED=${seed}`,
  )
  // Requests of every fate were among them, or nothing was tried.
  const tried = [200, 400, 403, 404, 501]
  t.same(
    tried.filter((status) => (answers.get(status) ?? 0) === 0),
    [],
  )
})
