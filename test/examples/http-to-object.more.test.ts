import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import t from 'tap'
import { noise } from '../support/dev-store.js'
import {
  exampleRunner,
  key,
  part,
  type ExampleRunner,
} from '../support/example-runner.js'

const { copyFromUrl } = await import('../../docs/examples/http-to-object.js')

const bytes = noise(6 * part + 5)
const other = noise(6 * part + 5, 2)

/** What the source is, and how it behaves; changed by tests as they go. */
interface Source {
  bytes: Buffer
  etag: string | undefined
  ranges: boolean
  /** Answers break off behind so many bytes, when it is time. */
  cutAfter: number
  cutWhen: () => Promise<void>
  status: number
  headers: Record<string, string>
  /** Done when a request with a range has come. */
  onRange: () => void
}

async function startSource(t: Test, given: Partial<Source> = {}) {
  const source: Source = {
    bytes,
    etag: '"one"',
    ranges: true,
    cutAfter: Infinity,
    cutWhen: () => Promise.resolve(),
    status: 200,
    headers: {},
    onRange: () => undefined,
    ...given,
  }
  const seen: IncomingMessage['headers'][] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    answer(source, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { source, seen, url: `http://127.0.0.1:${port}/dump?token=secret` }
}

/** Behind three parts, when they are stored. */
function cut(run: ExampleRunner): Partial<Source> {
  return { cutAfter: 3 * part + 9, cutWhen: () => run.logHas(3) }
}

function answer(
  source: Source,
  { headers }: IncomingMessage,
  response: ServerResponse,
): void {
  if (headers.range !== undefined) source.onRange()
  const { etag, cutAfter } = source
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  const isPart =
    headers.range !== undefined && source.ranges && headers['if-range'] === etag
  const body = isPart ? source.bytes.subarray(from) : source.bytes
  const last = source.bytes.length - 1
  response.writeHead(isPart ? 206 : source.status, {
    'content-length': body.length,
    ...(etag === undefined ? {} : { etag }),
    ...(isPart ? { 'content-range': `bytes ${from}-${last}/${last + 1}` } : {}),
    ...source.headers,
  })
  if (body.length <= cutAfter) response.end(body)
  else {
    response.write(body.subarray(0, cutAfter))
    void source.cutWhen().then(() => response.destroy())
  }
}

await t.test(
  'a source that seeks is read from where it broke off',
  async (t) => {
    const run = await exampleRunner(t)
    const { source, seen, url } = await startSource(t, cut(run))
    await t.rejects(copyFromUrl(url, run.options()))
    source.cutAfter = Infinity
    const since = run.server.requests.length
    const result = await copyFromUrl(url, run.options())
    t.match(result, { partsReused: 3, size: bytes.length, resumed: true })
    t.same(run.sentSince(since), [4, 5, 6, 7])
    t.match(seen.at(-1), { range: `bytes=${3 * part}-`, 'if-range': '"one"' })
    t.ok(bytes.equals(await run.object(key)))
  },
)

const others = [
  {
    what: 'a server without ranges sends everything, and what is stored is dropped',
    change: { ranges: false },
    expected: bytes,
    sent: [4, 5, 6, 7],
  },
  {
    what: 'another ETag: everything is read and proved',
    change: {
      etag: '"two"',
      bytes: Buffer.concat([bytes.subarray(0, part), other.subarray(part)]),
    },
    expected: Buffer.concat([bytes.subarray(0, part), other.subarray(part)]),
    sent: [2, 3, 4, 5, 6, 7],
  },
]
for (const { what, change, expected, sent } of others) {
  await t.test(what, async (t) => {
    const run = await exampleRunner(t)
    const { source, url } = await startSource(t, cut(run))
    await t.rejects(copyFromUrl(url, run.options()))
    Object.assign(source, { cutAfter: Infinity, ...change })
    const since = run.server.requests.length
    await copyFromUrl(url, run.options())
    t.same(run.sentSince(since), sent)
    t.ok(expected.equals(await run.object(key)))
  })
}

const weak = [
  { what: 'a weak ETag', given: { etag: 'W/"one"' } },
  { what: 'no ETag', given: { etag: undefined } },
]
for (const { what, given } of weak) {
  await t.test(`${what}: the source is read from its first byte`, async (t) => {
    const run = await exampleRunner(t)
    const { source, seen, url } = await startSource(t, {
      ...cut(run),
      ...given,
    })
    await t.rejects(copyFromUrl(url, run.options()))
    source.cutAfter = Infinity
    const since = run.server.requests.length
    t.match(await copyFromUrl(url, run.options()), { partsReused: 3 })
    t.same(run.sentSince(since), [4, 5, 6, 7])
    t.notOk(seen.some(({ range }) => range !== undefined))
    t.ok(bytes.equals(await run.object(key)))
  })
}

await t.test('a source that changes between two requests', async (t) => {
  const run = await exampleRunner(t)
  const { source, url } = await startSource(t, cut(run))
  await t.rejects(copyFromUrl(url, run.options()))
  source.cutAfter = Infinity
  source.onRange = () => Object.assign(source, { bytes: other, etag: '"two"' })
  await t.rejects(copyFromUrl(url, run.options()), {
    message: /changed meanwhile/,
  })
  t.equal(run.server.objectPath('examplebucket', key), undefined)
  await copyFromUrl(url, run.options())
  t.ok(other.equals(await run.object(key)), 'one revision, whole')
})

await t.test(
  'all is stored: nothing is asked for behind the end',
  async (t) => {
    const run = await exampleRunner(t)
    const whole = bytes.subarray(0, 3 * part)
    const { seen, url } = await startSource(t, { bytes: whole })
    const options = run.options({
      beforeComplete: () => Promise.reject(new Error('not yet')),
    })
    await t.rejects(copyFromUrl(url, options), { code: 'PAWL_BEFORE_COMPLETE' })
    t.match(await copyFromUrl(url, run.options()), { partsReused: 3 })
    t.notOk(seen.some(({ range }) => range !== undefined))
    t.ok(whole.equals(await run.object(key)))
  },
)

await t.test(
  'what is no answer is no object, and tells no secret',
  async (t) => {
    const run = await exampleRunner(t)
    const { url } = await startSource(t, { status: 403 })
    const error: unknown = await copyFromUrl(url, run.options()).catch(
      (reason: unknown) => reason,
    )
    t.match(error, { message: '/dump answered 403' })
    t.same(run.server.requests, [])
  },
)

await t.test(
  'a wrong Content-Range is refused, and the log is free',
  async (t) => {
    const run = await exampleRunner(t)
    const { source, url } = await startSource(t, cut(run))
    await t.rejects(copyFromUrl(url, run.options()))
    Object.assign(source, {
      cutAfter: Infinity,
      headers: { 'content-range': 'bytes 7-9/10' },
    })
    await t.rejects(copyFromUrl(url, run.options()), { message: /asked for/ })
    source.headers = {}
    t.match(await copyFromUrl(url, run.options()), { partsReused: 3 })
  },
)
