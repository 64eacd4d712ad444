/** What is published of uploads, parts and requests, and when. */
import { channel } from 'node:diagnostics_channel'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uploadFile, UploadError } from '../lib/index.js'
import type { Fault } from '../lib/dev-server/index.js'
import { noise } from './support/dev-store.js'
import { kinds, moments, watchChannels } from './support/channels.js'
import {
  key,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from './support/small-upload.js'

const succeeds = ['start', 'end', 'asyncStart', 'asyncEnd']
const fails = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

/** Answers the nth request for a part so. */
function failPart(dev: SmallUploads, number: number, ...faults: Fault[]): void {
  dev.server.setFault(({ operation, partNumber }) =>
    operation === 'UploadPart' && partNumber === number
      ? faults.shift()
      : undefined,
  )
}

const busy: Fault = { kind: 'status', status: 503, code: 'ServiceUnavailable' }
const denied: Fault = { kind: 'status', status: 403, code: 'AccessDenied' }

await t.test(
  'a fresh upload is told with its parts and requests',
  async (t) => {
    const dev = await smallUploads(t)
    const watched = watchChannels(t)
    const result = await dev.run(noise(2 * part + 10), { concurrency: 1 })
    const { uploadId } = result

    for (const { context } of watched.told) {
      t.same(watched.momentsOf(context), succeeds)
    }
    const [start] = watched.told
    t.match(start, { kind: 'upload', moment: 'start' })
    t.same(start?.seen, {
      kind: 'stream',
      key,
      bucket: 'examplebucket',
      store: dev.small.identity,
    })
    t.match(watched.told.at(-1), { kind: 'upload', moment: 'asyncEnd' })
    t.match(watched.contexts('upload'), [
      { kind: 'stream', uploadId, partSize: part, resumed: false, result },
    ])
    const [upload] = watched.contexts('upload')
    t.equal(upload?.result, result)
    t.notOk(upload && 'error' in upload)

    t.strictSame(
      watched.contexts('part').map(({ etag = '', ...known }) => {
        t.match(etag, /^"[0-9A-F]{32}"$/i)
        return known
      }),
      [part, part, 10].map((size, index) => ({
        key,
        uploadId,
        partNumber: index + 1,
        offset: index * part,
        size,
        reused: false,
        attempts: 1,
      })),
    )

    const { host } = new URL(dev.server.endpoint)
    const call = { key, host, attempt: 1, status: 200, requestId: String }
    const body = { ...call, uploadId, operation: 'UploadPart', method: 'PUT' }
    const requests = watched.contexts('request')
    t.match(requests, [
      {
        ...call,
        operation: 'InitiateMultipartUpload',
        method: 'POST',
        size: 0,
      },
      { ...body, partNumber: 1, size: part },
      { ...body, partNumber: 2, size: part },
      { ...body, partNumber: 3, size: 10 },
      {
        ...call,
        uploadId,
        operation: 'CompleteMultipartUpload',
        method: 'POST',
      },
    ])
    t.equal(requests.length, 5)
    t.equal(new Set(requests.map(({ requestId }) => requestId)).size, 5)
  },
)

await t.test(
  'contexts hold nothing but the fields that are written down',
  async (t) => {
    const dev = await smallUploads(t)
    const watched = watchChannels(t)
    failPart(dev, 1, busy, denied)
    await dev.fail(noise(2 * part))
    dev.server.setFault(undefined)
    await dev.run(noise(2 * part))
    const allowed = {
      upload: 'kind key bucket store uploadId partSize resumed result error',
      part: 'key uploadId partNumber offset size reused attempts etag error',
      request:
        'operation method host key uploadId partNumber attempt size status requestId error',
    }
    for (const kind of kinds) {
      const names = new Set(
        watched.contexts(kind).flatMap((context) => Object.keys(context)),
      )
      t.strictSame(
        [...names].toSorted(),
        allowed[kind].split(' ').toSorted(),
        kind,
      )
    }
  },
)

await t.test(
  'a resumed upload tells of reused parts, without requests for them',
  async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(4 * part)
    failPart(dev, 3, denied)
    await dev.fail(bytes, { concurrency: 1 })
    dev.server.setFault(undefined)
    const watched = watchChannels(t)
    const result = await dev.run(bytes, { concurrency: 1 })
    t.equal(result.partsReused, 2)
    t.match(watched.contexts('upload'), [
      { resumed: true, uploadId: result.uploadId, partSize: part },
    ])
    t.match(watched.contexts('part'), [
      { partNumber: 1, reused: true, attempts: 0, etag: String },
      { partNumber: 2, reused: true, attempts: 0, offset: part, size: part },
      { partNumber: 3, reused: false, attempts: 1 },
      { partNumber: 4, reused: false, attempts: 1 },
    ])
    for (const context of watched.contexts('part')) {
      t.same(watched.momentsOf(context), succeeds)
      t.equal(context.uploadId, result.uploadId)
    }
    t.same(
      watched.contexts('request').map((one) => [one.operation, one.partNumber]),
      [
        ['ListParts', undefined],
        ['UploadPart', 3],
        ['UploadPart', 4],
        ['CompleteMultipartUpload', undefined],
      ],
    )
  },
)

await t.test(
  'parts that are passed over unread are told as reused',
  async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(4 * part)
    const sourceId = 'v1'
    failPart(dev, 3, denied)
    await dev.fail(bytes, { concurrency: 1, sourceId })
    dev.server.setFault(undefined)
    const watched = watchChannels(t)
    const upload = dev.upload({ sourceId })
    const offset = await upload.skipUploaded()
    t.equal(offset, 2 * part)
    await send(upload, bytes.subarray(offset))
    t.match(
      watched.contexts('part').toSorted((a, b) => a.partNumber - b.partNumber),
      [
        { reused: true },
        { reused: true },
        { reused: false },
        { reused: false },
      ],
    )
    t.same(watched.momentsOf(watched.contexts('part')[0] ?? {}), succeeds)
  },
)

await t.test('each attempt is a request of its own', async (t) => {
  const dev = await smallUploads(t)
  const watched = watchChannels(t)
  failPart(dev, 2, busy, { kind: 'reset-body', afterBytes: 100 })
  await dev.run(noise(3 * part), { concurrency: 1 })
  const attempts = watched
    .contexts('request')
    .filter(({ partNumber }) => partNumber === 2)
  t.match(attempts, [
    {
      attempt: 1,
      status: 503,
      requestId: String,
      error: { code: 'PAWL_SERVER', status: 503, partNumber: 2 },
    },
    { attempt: 2, error: { code: 'PAWL_NETWORK' } },
    { attempt: 3, status: 200 },
  ])
  t.same(
    attempts.map((one) => watched.momentsOf(one)),
    [fails, fails, succeeds],
  )
  t.notOk('status' in (attempts[1] ?? {}), 'no answer came')
  t.match(watched.contexts('part')[1], { partNumber: 2, attempts: 3 })
  t.same(watched.momentsOf(watched.contexts('part')[1] ?? {}), succeeds)
})

await t.test(
  'a lost Complete is told with its look and its second attempt',
  async (t) => {
    const dev = await smallUploads(t)
    const faults: Fault[] = [
      { kind: 'status', status: 500, code: 'InternalError' },
    ]
    dev.server.setFault(({ operation }) =>
      operation === 'CompleteMultipartUpload' ? faults.shift() : undefined,
    )
    const watched = watchChannels(t)
    const retries: unknown[] = []
    const upload = dev.upload()
    upload.on('retry', (event) => retries.push(event))
    await send(upload, noise(2 * part))
    t.match(watched.contexts('request').slice(-4), [
      { operation: 'CompleteMultipartUpload', attempt: 1, status: 500 },
      { operation: 'HeadObject', status: 404 },
      { operation: 'ListParts', status: 200 },
      { operation: 'CompleteMultipartUpload', attempt: 2, status: 200 },
    ])
    t.match(retries, [
      { partNumber: undefined, attempt: 1, error: { code: 'PAWL_SERVER' } },
    ])
  },
)

await t.test(
  'a failure is told of the request, the part and the upload',
  async (t) => {
    const dev = await smallUploads(t)
    const watched = watchChannels(t)
    failPart(dev, 2, denied)
    const failure = await dev.fail(noise(2 * part), { concurrency: 1 })
    t.equal(failure.code, 'PAWL_ACCESS_DENIED')
    const [upload = {}] = watched.contexts('upload')
    const second = watched.contexts('part')[1] ?? {}
    const request = watched.contexts('request').at(-1) ?? {}
    for (const context of [upload, second, request]) {
      t.same(watched.momentsOf(context), fails)
    }
    t.match(upload, { error: failure, resumed: false, uploadId: String })
    t.notOk('result' in upload)
    t.match(second, { error: failure, partNumber: 2 })
    t.notOk('etag' in second)
    t.match(request, { status: 403, error: failure.cause })
  },
)

await t.test(
  'an upload that is suspended, or cannot begin, is told as failed',
  async (t) => {
    const dev = await smallUploads(t)
    const watched = watchChannels(t)
    const upload = dev.upload()
    upload.once('part', () => upload.destroy())
    await send(upload, noise(8 * part)).catch(() => undefined)
    t.match(watched.contexts('upload'), [{ error: { code: 'PAWL_SUSPENDED' } }])
    t.same(watched.momentsOf(watched.contexts('upload')[0] ?? {}), fails)

    watched.clear()
    await writeFile(dev.log, 'no log')
    await dev.fail(noise(part))
    t.match(watched.contexts('upload'), [
      { error: { code: 'PAWL_NOT_A_CHECKPOINT' } },
    ])
    t.same(watched.contexts('part'), [])

    watched.clear()
    const signal = AbortSignal.abort(new Error('too late'))
    await dev.fail(noise(part), { signal })
    t.match(watched.contexts('upload'), [{ error: { code: 'PAWL_SUSPENDED' } }])

    watched.clear()
    t.throws(() => dev.upload({ partSize: -1 }), {
      code: 'PAWL_INVALID_OPTION',
    })
    t.same(watched.told, [], 'what never began is not told')
  },
)

await t.test('every work that began is told to its end', async (t) => {
  const dev = await smallUploads(t)
  const watched = watchChannels(t)
  dev.server.setFault(({ partNumber }) =>
    partNumber === 3 ? { kind: 'silence' } : undefined,
  )
  const upload = dev.upload()
  let stored = 0
  upload.on('part', () => {
    if (++stored === 2) upload.destroy()
  })
  await send(upload, noise(8 * part)).catch(() => undefined)
  for (const kind of kinds) {
    for (const context of watched.contexts(kind)) {
      t.equal(watched.momentsOf(context).at(-1), 'asyncEnd', kind)
    }
  }
  t.ok(watched.contexts('part').some(({ error }) => error !== undefined))
})

await t.test(
  'a file is told with the parts that were not read again',
  async (t) => {
    const dev = await smallUploads(t)
    const path = join(dev.directory, 'db.dump')
    await writeFile(path, noise(4 * part))
    const put = () =>
      uploadFile(path, {
        store: dev.small,
        key,
        partSize: part,
        concurrency: 1,
        checkpoint: dev.log,
        prove: 'hash',
      })
    const watched = watchChannels(t)
    failPart(dev, 3, denied)
    await t.rejects(put(), { code: 'PAWL_ACCESS_DENIED' })
    t.match(watched.contexts('upload'), [
      { kind: 'file', resumed: false, error: UploadError },
    ])
    watched.clear()
    dev.server.setFault(undefined)
    const result = await put()
    t.match(watched.contexts('upload'), [
      { kind: 'file', key, resumed: true, uploadId: result.uploadId, result },
    ])
    t.same(
      watched
        .contexts('part')
        .map(({ partNumber, reused }) => [partNumber, reused]),
      [
        [1, true],
        [2, true],
        [3, false],
        [4, false],
      ],
    )
    watched.clear()
    await t.rejects(
      uploadFile(join(dev.directory, 'absent'), { store: dev.small, key }),
      {
        code: 'PAWL_SOURCE_IO',
      },
    )
    t.match(watched.contexts('upload'), [
      { kind: 'file', error: { code: 'PAWL_SOURCE_IO' } },
    ])
  },
)

await t.test('an object that is put in one request is one part', async (t) => {
  const dev = await smallUploads(t)
  const watched = watchChannels(t)
  failPart(dev, 1)
  const result = await dev.run(noise(100))
  t.match(watched.contexts('upload'), [{ resumed: false, result }])
  t.match(watched.contexts('part'), [
    { partNumber: 1, offset: 0, size: 100, reused: false, attempts: 1 },
  ])
  t.equal(watched.contexts('part')[0]?.uploadId, undefined)
  t.match(watched.contexts('request'), [
    { operation: 'PutObject', method: 'PUT', size: 100, status: 200 },
  ])
  watched.clear()
  await dev.run(Buffer.alloc(0))
  t.same(watched.contexts('part'), [], 'an empty object has none')
  t.match(watched.contexts('request'), [{ operation: 'PutObject', size: 0 }])
})

await t.test('one kind can be watched without the others', async (t) => {
  for (const kind of kinds) {
    await t.test(kind, async (t) => {
      const dev = await smallUploads(t)
      const watched = watchChannels(t, [kind])
      await dev.run(noise(2 * part))
      t.ok(watched.contexts(kind).length > 0)
      t.ok(watched.told.every((one) => one.kind === kind))
    })
  }
})

await t.test('without subscribers no channel is touched', async (t) => {
  const dev = await smallUploads(t)
  let touched = 0
  const channels = kinds.flatMap((kind) =>
    moments.map((moment) => channel(`tracing:pawl:${kind}:${moment}`)),
  )
  const count = {
    publish: () => void touched++,
    runStores: () => void touched++,
  }
  for (const one of channels) Object.assign(one, count)
  t.teardown(restore)
  await dev.run(noise(2 * part))
  await dev.run(noise(10))
  t.equal(touched, 0)
  for (const one of channels) one.publish({})
  t.equal(touched, channels.length, 'a touch would have been counted')
  restore()
  const watched = watchChannels(t)
  await dev.run(noise(2 * part))
  t.ok(watched.told.length > 0)

  function restore(): void {
    for (const one of channels) {
      for (const name of Object.keys(count)) Reflect.deleteProperty(one, name)
    }
  }
})
