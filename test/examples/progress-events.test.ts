import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  createResumableUploadStream,
  type ResumableUploadStream,
} from '../../lib/index.js'
import { noise } from '../support/dev-store.js'
import { exampleRunner, key, part } from '../support/example-runner.js'
import { chunksOf } from '../support/small-upload.js'

const { progressEvents } =
  await import('../../docs/examples/progress-events.js')

const bytes = noise(4 * part)

async function serve(t: Test, upload: ResumableUploadStream) {
  const server = createServer(progressEvents(upload))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return async (): Promise<IncomingMessage> => {
    const [answer] = (await once(
      get({ port, host: '127.0.0.1', agent: false }),
      'response',
    )) as [IncomingMessage]
    return answer
  }
}

/** `{ name, data }` of each event. */
function eventsOf(body: string) {
  return [...body.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)].map(
    ([, name, data = '']) => ({ name, data: JSON.parse(data) as object }),
  )
}

await t.test('clients come and go, and the upload goes on', async (t) => {
  const run = await exampleRunner(t)
  const upload = createResumableUploadStream(run.options())
  const visit = await serve(t, upload)
  const stays = await visit()
  t.equal(stays.headers['content-type'], 'text/event-stream')
  const heard = text(stays)
  const leaves = await visit()
  async function* source() {
    yield bytes.subarray(0, 2 * part)
    await run.logHas(2)
    leaves.destroy()
    await once(leaves, 'close')
    yield* chunksOf(bytes.subarray(2 * part))
  }
  await pipeline(source, upload)
  const events = eventsOf(await heard)
  t.match(events.at(-1), { name: 'done', data: { key, size: bytes.length } })
  t.match(
    events.findLast(({ name }) => name === 'progress')?.data,
    { bytesDone: bytes.length },
    'the last progress is the whole',
  )
  t.ok(bytes.equals(await run.object(key)))

  const late = eventsOf(await text(await visit()))
  t.match(late, [{ name: 'progress' }, { name: 'done' }])
  t.equal(late.length, 2)
})

await t.test('a failure is told without its reason', async (t) => {
  const run = await exampleRunner(t)
  const upload = createResumableUploadStream(run.options())
  const visit = await serve(t, upload)
  const heard = text(await visit())
  const failure = new Error('a secret of the server')
  await t.rejects(
    pipeline(
      Readable.from(
        (function* () {
          yield bytes
          throw failure
        })(),
      ),
      upload,
    ),
    failure,
  )
  const body = await heard
  t.match(eventsOf(body).at(-1), { name: 'failed', data: {} })
  t.notMatch(body, /secret/)
})

await t.test('a client that does not read costs no memory', async (t) => {
  const run = await exampleRunner(t)
  const upload = createResumableUploadStream(run.options())
  const handler = progressEvents(upload)
  const writes: string[] = []
  const server = createServer((request, response) => {
    Object.defineProperty(response, 'writableNeedDrain', { value: true })
    const write = response.write.bind(response)
    response.write = (chunk: string) => {
      writes.push(chunk)
      return write(chunk)
    }
    handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const request = get({ port, host: '127.0.0.1', agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  await pipeline(Readable.from(chunksOf(bytes)), upload)
  t.match(eventsOf(await text(answer)), [{ name: 'done' }])
  t.same(writes, [':\n\n'], 'nothing was queued for it')
})
