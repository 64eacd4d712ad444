import { existsSync } from 'node:fs'
import t from 'tap'
import { memoryCheckpoint, UploadError } from '../../lib/index.js'
import {
  beginUpload,
  file,
  type PartReceipt,
  type Ticket,
} from '../../lib/shared/index.js'
import { uploadPartsOn } from '../../lib/shared/upload-parts.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../../lib/upload/options/environment.js'
import { keys } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import { completesUnheard } from '../support/lost-answers.js'
import {
  failureIn,
  key,
  partSize,
  sharedUpload,
} from '../support/shared-upload.js'

const operationsSince = (
  { server }: { server: { requests: readonly { operation: string }[] } },
  index: number,
) => server.requests.slice(index).map(({ operation }) => operation)

for (const dialect of dialects) {
  await t.test(`${dialect.name}: three calls make an object`, async (t) => {
    const s = await sharedUpload(t)
    const store = dialect.store(s)
    const ticket: Ticket = JSON.parse(
      JSON.stringify(await s.begin({ store })),
    ) as Ticket
    t.match(ticket, { pawl: 1, key, partSize, parts: 11 })
    t.notMatch(JSON.stringify(ticket), keys.accessKeySecret)
    t.same(await s.begin({ store }), ticket, 'the same call, the same ticket')
    const receipts: PartReceipt[] = []
    for (const parts of [
      [6, 11],
      [1, 5],
    ] as const) {
      const some = await s.send(ticket, { store, parts })
      receipts.push(...(JSON.parse(JSON.stringify(some)) as PartReceipt[]))
    }
    t.equal(receipts.length, 11)
    for (const one of receipts) t.ok(JSON.stringify(one).length < 330)
    const result = await s.complete(ticket, receipts, { store })
    t.ok(s.bytes.equals(await s.object(key)))
    t.match(result, { size: s.bytes.length, parts: 11 })
    t.equal(s.seen('UploadPart').length, 11)
    t.equal(s.seen('CreateMultipartUpload').length, 1)
    t.equal(existsSync(s.log), false, 'the log is removed')

    const before = s.server.requests.length
    const again = await s.complete(ticket, receipts, { store })
    const { etag, crc64, verified } = result
    t.match(again, { etag, crc64, verified }, 'claimed with the log gone')
    t.same(operationsSince(s, before), ['HeadObject'])
    t.notOk('callback' in again)
    const callback = { url: 'http://127.0.0.1:9/none', body: 'size=${size}' }
    const asked = dialect.name === 'OSS' ? { object: { callback } } : undefined
    const looked = await s.complete(ticket, receipts, { store, ...asked })
    const unknown = asked && 'unknown'
    t.equal(looked.callback, unknown, 'nobody knows of the callback')
  })

  await t.test(
    `${dialect.name}: a range asks for its own parts alone`,
    async (t) => {
      const s = await sharedUpload(t, { size: 2500 * 16 })
      const store = dialect.store(s)
      const ticket = await s.begin({ store, partSize: 16 })
      await s.send(ticket, { store, parts: [1200, 1230], concurrency: 8 })
      const before = s.server.requests.length
      const receipts = await s.send(ticket, { store, parts: [1190, 1240] })
      t.equal(receipts.length, 51)
      const since = s.server.requests.slice(before)
      const lists = since.filter(({ operation }) => operation === 'ListParts')
      t.equal(lists.length, 1)
      const { searchParams } = new URL(lists[0]?.url ?? '', s.server.endpoint)
      t.equal(searchParams.get('part-number-marker'), '1189')
      t.equal(searchParams.get('max-parts'), '51')
      const sent = since.filter(({ operation }) => operation === 'UploadPart')
      t.equal(sent.length, 20, 'what is stored is proved and not sent')
    },
  )
}

await t.test('a function gives any range of the source', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const asked: number[] = []
  const receipts = await s.send(ticket, {
    async *source(offset, size) {
      asked.push(offset)
      for (let at = offset; at < offset + size; at += 1000) {
        yield s.bytes.subarray(at, Math.min(at + 1000, offset + size))
      }
    },
  })
  t.equal(asked.length, 11)
  await s.complete(ticket, receipts)
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test('a function that gives less or more is refused', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const cases: [string, (size: number) => unknown[]][] = [
    ['less', (size) => [new Uint8Array(size - 1)]],
    ['more', (size) => [new Uint8Array(size + 1)]],
    ['none', () => []],
  ]
  for (const [name, give] of cases) {
    const error = await failureIn(
      s.send(ticket, {
        async *source(_offset, size) {
          yield* give(size) as Uint8Array[]
        },
      }),
    )
    t.equal(error.code, 'PAWL_SOURCE_CHANGED', name)
    t.equal(error.transient, false)
  }
  const text = await failureIn(
    s.send(ticket, {
      async *source() {
        yield 'text' as never
      },
    }),
  )
  t.equal(text.code, 'PAWL_INVALID_OPTION')
})

await t.test('a signal ends a range, and the same call goes on', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const stop = new AbortController()
  const error = await failureIn(
    s.send(ticket, {
      signal: stop.signal,
      concurrency: 1,
      onPart: ({ partNumber }) => {
        if (partNumber === 4) stop.abort()
      },
    }),
  )
  t.match(error, { code: 'PAWL_SUSPENDED', resumable: true, transient: true })
  const reused: number[] = []
  const receipts = await s.send(ticket, {
    onPart: (event) => {
      if (event.reused) reused.push(event.partNumber)
    },
  })
  t.ok(reused.length >= 4)
  await s.complete(ticket, receipts)
  t.ok(s.bytes.equals(await s.object(key)))
  const before = await failureIn(
    beginUpload({
      store: s.small,
      key,
      size: 5,
      checkpoint: memoryCheckpoint(),
      signal: AbortSignal.abort(),
    }),
  )
  t.equal(before.code, 'PAWL_SUSPENDED')
})

await t.test('Complete needs the receipts of all parts', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const all = await s.send(ticket)
  const other = await s.begin({
    key: 'other',
    checkpoint: memoryCheckpoint(),
  })
  const [first, ...rest] = all
  if (first === undefined) throw new Error('there are receipts')
  const cases: [string, readonly object[], string][] = [
    ['a gap', rest, 'PAWL_INVALID_STATE'],
    ['none', [], 'PAWL_INVALID_STATE'],
    [
      'of another upload',
      [{ ...first, uploadId: other.uploadId }, ...rest],
      'PAWL_INVALID_OPTION',
    ],
    [
      'of another place',
      [{ ...first, offset: 1 }, ...rest],
      'PAWL_INVALID_OPTION',
    ],
    [
      'of another size',
      [{ ...first, size: partSize - 1 }, ...rest],
      'PAWL_INVALID_OPTION',
    ],
    [
      'behind the end',
      [...all, { ...first, number: 12, offset: 11 * partSize }],
      'PAWL_INVALID_OPTION',
    ],
    [
      'an ETag that breaks out',
      [{ ...first, etag: '"\n' }, ...rest],
      'PAWL_INVALID_OPTION',
    ],
    ['no receipt at all', [...all, 7 as never], 'PAWL_INVALID_OPTION'],
  ]
  const before = s.server.requests.length
  for (const [name, receipts, code] of cases) {
    const error = await failureIn(s.complete(ticket, receipts as PartReceipt[]))
    t.equal(error.code, code, name)
  }
  t.equal(s.server.requests.length, before, 'nothing was asked for it')
  const result = await s.complete(ticket, [...all, ...all])
  t.equal(result.parts, 11, 'twice is as good as once')
})

await t.test('a ticket is not authority', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const cases: [string, object][] = [
    ['another store', { store: 'oss:cn-hangzhou/other' }],
    ['a key outside', { key: 'private/db.dump' }],
    ['a key that climbs', { key: 'backup' }],
    ['no key', { key: '' }],
    ['an upload ID that breaks out', { uploadId: 'a\r\nhost: b' }],
    ['parts that do not add up', { parts: 10_000 }],
    ['more parts than there may be', { parts: 1e9 }],
    ['a part size of nothing', { partSize: 0 }],
    ['a size that is none', { size: -1 }],
    ['a mark that is none', { mark: 'mine' }],
    ['another form', { pawl: 2 }],
  ]
  const before = s.server.requests.length
  for (const [name, change] of cases) {
    const forged = { ...ticket, ...change }
    const bounds = { prefix: 'backups/' }
    const sending = await failureIn(s.send(forged, bounds))
    t.equal(sending.code, 'PAWL_INVALID_OPTION', name)
    const completing = await failureIn(s.complete(forged, [], bounds))
    t.equal(completing.code, 'PAWL_INVALID_OPTION', name)
  }
  const done = { done: { etag: 'e' } }
  for (const nothing of [null, undefined, 'ticket', [], done]) {
    const sending = await failureIn(s.send(nothing as never))
    t.equal(sending.code, 'PAWL_INVALID_OPTION')
    const completing = await failureIn(s.complete(nothing as never, []))
    t.equal(completing.code, 'PAWL_INVALID_OPTION')
  }
  for (const parts of [
    [0, 1],
    [1, 12],
    [5, 4],
    [1.5, 2],
  ] as const) {
    const error = await failureIn(s.send(ticket, { parts }))
    t.equal(error.code, 'PAWL_INVALID_OPTION')
  }
  t.equal(s.server.requests.length, before, 'nothing was asked for it')
  const receipts = await s.send(ticket, { prefix: 'backups/' })
  const mark = 'f'.repeat(32)
  const forged = await failureIn(s.complete({ ...ticket, mark }, receipts))
  t.equal(forged.code, 'PAWL_INVALID_OPTION', 'not the one in the log')
  // Each of its receipts fits, and they add up.
  const short = { ...ticket, size: 5 * partSize, parts: 5 }
  const cut = await failureIn(s.complete(short, receipts.slice(0, 5)))
  t.equal(cut.code, 'PAWL_INVALID_OPTION', 'not for fewer bytes either')
  t.equal(s.seen('CompleteMultipartUpload').length, 0)
  await s.complete(ticket, receipts)
})

await t.test('a mark alone proves nothing', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const receipts = await s.send(ticket)
  await s.complete(ticket, receipts)
  const [first, ...rest] = receipts
  if (first === undefined) throw new Error('there are receipts')
  const forged = [{ ...first, crc64: '1' }, ...rest]
  const error = await failureIn(s.complete(ticket, forged))
  t.match(error, { code: 'PAWL_UPLOAD_GONE', transient: false })
  const unmarked = await failureIn(
    s.complete({ ...ticket, mark: 'f'.repeat(32) }, receipts),
  )
  t.equal(unmarked.code, 'PAWL_UPLOAD_GONE', 'nor do equal bytes')
})

await t.test('of another source it is another upload', async (t) => {
  const s = await sharedUpload(t)
  const first = await s.begin({ sourceId: 'v1' })
  const old = await s.send(first, { sourceId: 'v1', parts: [1, 3] })
  t.equal(old.length, 3)
  const unvouched = await failureIn(s.send(first))
  t.match(unvouched, { code: 'PAWL_SOURCE_CHANGED', transient: false })
  const second = await s.begin({ sourceId: 'v2' })
  t.not(second.uploadId, first.uploadId)
  const late = await failureIn(s.send(first, { sourceId: 'v1' }))
  t.match(late, { code: 'PAWL_UPLOAD_GONE', resumable: false })
  const receipts = await s.send(second, { sourceId: 'v2' })
  await s.complete(second, receipts)
  t.ok(s.bytes.equals(await s.object(key)))
  t.equal(s.server.openUploads().length, 0, 'the first one was aborted')
})

await t.test('a server that takes late parts is refused', async (t) => {
  const s = await sharedUpload(t)
  const name = `<Bucket>examplebucket</Bucket><Key>${key}</Key>`
  s.server.setFault(({ operation }) =>
    operation === 'CreateMultipartUpload'
      ? {
          kind: 'status',
          status: 200,
          headers: { 'x-openstack-request-id': 'tx1' },
          body: `<InitiateMultipartUploadResult>${name}<UploadId>u1</UploadId></InitiateMultipartUploadResult>`,
        }
      : undefined,
  )
  for (const _ of [1, 2]) {
    const error = await failureIn(s.begin())
    t.equal(error.code, 'PAWL_INVALID_OPTION')
    t.match(error.message, /Swift/)
  }
  t.equal(s.seen('CreateMultipartUpload').length, 1, 'known the second time')
  t.equal(s.seen('AbortMultipartUpload').length, 1, 'nothing is left there')
})

await t.test('parts go no faster than they are told to', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  // Whoever waits moves the clock; what bounds a request is never due.
  let now = 0
  const environment: UploadEnvironment = {
    ...realUploadEnvironment,
    monotonic: () => now,
    timer: (ms, ring) => {
      if (ms > 1000) return { cancel: () => undefined }
      const turn = setImmediate(() => {
        now += ms
        ring()
      })
      return { cancel: () => clearImmediate(turn) }
    },
  }
  const { small: store, path } = s
  const { length: size } = s.bytes
  const maxRate = size / 5
  const options = { store, source: file(path), concurrency: 1, maxRate }
  await uploadPartsOn(ticket, options, environment)
  t.ok(now > 4000 && now < 6000, `${now} ms of five seconds`)
  t.equal(s.seen('UploadPart').length, 11)
  const error = await failureIn(s.send(ticket, { maxRate: 0 }))
  t.equal(error.code, 'PAWL_INVALID_OPTION')
})

await t.test(
  'nobody knows of a callback when an object is claimed',
  async (t) => {
    const s = await sharedUpload(t)
    const object = { callback: { url: 'http://127.0.0.1:9/none', body: 'x' } }
    const ticket = await s.begin()
    const receipts = await s.send(ticket)
    s.server.setFault(completesUnheard)
    const once = { retry: { attempts: 1 }, object }
    await failureIn(s.complete(ticket, receipts, once))
    s.server.setFault(undefined)
    const { small: store } = s
    const options = { store, key, size: s.bytes.length, partSize, object }
    const begun = await beginUpload({ ...options, checkpoint: s.log })
    t.match(begun, { done: { callback: 'unknown' } })
    t.match(await s.complete(ticket, receipts, { object }), {
      callback: 'unknown',
    })
    const gone = { checkpoint: memoryCheckpoint() }
    const claimed = await s.complete(ticket, receipts, { object, ...gone })
    t.match(claimed, { callback: 'unknown' }, 'the log is gone')
    const uncalled = await s.complete(ticket, receipts, gone)
    t.notOk('callback' in uncalled, 'nobody was to be called')
  },
)

await t.test('options that nobody reads are refused', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const cases: [string, Promise<unknown>][] = [
    ['beginUpload', s.begin({ partsize: 1 } as object)],
    ['uploadParts', s.send(ticket, { checkpoint: 'x' } as object)],
    ['completeUpload', s.complete(ticket, [], { source: 'x' } as object)],
    ['no log', s.begin({ checkpoint: false as never })],
    ['no source', s.send(ticket, { source: undefined as never })],
    ['no size', s.begin({ size: 0 })],
  ]
  for (const [name, call] of cases) {
    const error = await failureIn(call)
    t.ok(error instanceof UploadError && error.code === 'PAWL_INVALID_OPTION')
    t.pass(name)
  }
})
