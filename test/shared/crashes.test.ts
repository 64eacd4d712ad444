/** What is there when a machine dies, stops or wakes, and what comes next. */
import t from 'tap'
import {
  memoryCheckpoint,
  StoreError,
  type ObjectStore,
} from '../../lib/index.js'
import { beginUpload, type PartReceipt } from '../../lib/shared/index.js'
import { noise } from '../support/dev-store.js'
import { leasedLog } from '../support/leased-log.js'
import {
  completesUnheard,
  neitherCompletesNorAborts,
} from '../support/lost-answers.js'
import {
  failureIn,
  key,
  partSize,
  sharedUpload,
} from '../support/shared-upload.js'
import { smallStore } from '../support/small-store.js'

await t.test('Initiate was not heard: another upload is begun', async (t) => {
  const s = await sharedUpload(t)
  s.server.setFault(({ operation }) =>
    operation === 'CreateMultipartUpload' ? { kind: 'reply-lost' } : undefined,
  )
  await failureIn(s.begin({ retry: { attempts: 1 } }))
  s.server.setFault(undefined)
  const ticket = await s.begin()
  await s.complete(ticket, await s.send(ticket))
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test('parts of other bytes: Complete is refused once', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const receipts = await s.send(ticket)
  const other = noise(s.bytes.length, 99)
  await s.send(ticket, {
    parts: [4, 5],
    async *source(offset, size) {
      yield other.subarray(offset, offset + size)
    },
  })
  const refused = await failureIn(s.complete(ticket, receipts))
  t.match(refused, { code: 'PAWL_COMPLETE_REFUSED', transient: true })
  t.match(refused.message, /parts 4, 5/)
  const again = await s.send(ticket, { parts: [4, 5] })
  await s.complete(ticket, [...receipts, ...again])
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test('a machine that wakes after Complete does nothing', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin()
  const receipts = await s.send(ticket)
  await s.complete(ticket, receipts)
  const before = s.server.requests.length
  const error = await failureIn(s.send(ticket, { parts: [2, 3] }))
  t.match(error, { code: 'PAWL_UPLOAD_GONE', transient: false })
  const since = s.server.requests.slice(before)
  t.same(
    since.map(({ operation }) => operation),
    ['ListParts'],
  )
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test(
  'an unheard Complete is claimed, and not sent again',
  async (t) => {
    for (const isLogLost of [false, true]) {
      const s = await sharedUpload(t)
      const checkpoint = isLogLost ? memoryCheckpoint() : s.log
      const ticket = await s.begin({ checkpoint })
      const receipts = await s.send(ticket)
      s.server.setFault(completesUnheard)
      const options = { checkpoint, retry: { attempts: 1 } }
      await failureIn(s.complete(ticket, receipts, options))
      s.server.setFault(undefined)
      if (!isLogLost) {
        const { small: store } = s
        const size = s.bytes.length
        const begun = await beginUpload({
          store,
          key,
          size,
          partSize,
          checkpoint,
        })
        t.match(begun, { done: { size, parts: 11 } }, 'begun again, it is done')
        const [first, ...rest] = receipts
        const forged = [{ ...first, hash: '0'.repeat(16), crc64: '1' }, ...rest]
        const error = await failureIn(
          s.complete(ticket, forged as PartReceipt[]),
        )
        t.match(error, { code: 'PAWL_SOURCE_CHANGED', resumable: true })
      }
      const log = isLogLost ? memoryCheckpoint() : checkpoint
      const result = await s.complete(ticket, receipts, { checkpoint: log })
      t.equal(result.size, s.bytes.length)
      t.equal(s.seen('CompleteMultipartUpload').length, 1)
      t.ok(s.bytes.equals(await s.object(key)))
    }
  },
)

await t.test(
  'an old upload that may not be aborted: the lease is its fence',
  async (t) => {
    const s = await sharedUpload(t)
    const log = leasedLog()
    const begin = (freeFor: number, more: object) =>
      s.begin({ checkpoint: log.take({ freeFor }), ...more })
    const first = await begin(0, { sourceId: 'v1' })
    const receipts = await s.send(first, { sourceId: 'v1' })
    s.server.setFault(neitherCompletesNorAborts)
    const retry = { attempts: 1, baseDelay: 1 }
    const checkpoint = log.take()
    await failureIn(s.complete(first, receipts, { checkpoint, retry }))
    s.server.setFault(({ operation }) =>
      operation === 'AbortMultipartUpload'
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined,
    )
    const more = { sourceId: 'v2', fence: 'lease' as const }
    const contended = {
      code: 'PAWL_UPLOAD_CONTENDED',
      uploadId: first.uploadId,
    }
    t.match(await failureIn(begin(1e6, { sourceId: 'v2' })), {
      ...contended,
      transient: false,
    })
    t.match(await failureIn(begin(1000, more)), {
      ...contended,
      transient: true,
      retryAfter: Number,
    })
    const second = await begin(1e6, more)
    const again = await s.send(second, { sourceId: 'v2' })
    const refused = await failureIn(
      s.complete(second, again, { checkpoint: log.take({ freeFor: 1e6 }) }),
    )
    t.match(refused, contended, 'who completes says it as well')
    const result = await s.complete(second, again, {
      checkpoint: log.take({ freeFor: 1e6 }),
      fence: 'lease',
    })
    t.equal(result.uploadId, second.uploadId)
    t.ok(s.bytes.equals(await s.object(key)))
  },
)

await t.test('an old upload that may complete has to be dead', async (t) => {
  const s = await sharedUpload(t)
  const ticket = await s.begin({ sourceId: 'v1' })
  const receipts = await s.send(ticket, { sourceId: 'v1' })
  s.server.setFault(neitherCompletesNorAborts)
  await failureIn(
    s.complete(ticket, receipts, { retry: { attempts: 1, baseDelay: 1 } }),
  )
  const error = await failureIn(s.begin({ sourceId: 'v2' }))
  t.match(error, { code: 'PAWL_UPLOAD_CONTENDED', transient: false })
  t.equal(error.uploadId, ticket.uploadId)
  s.server.setFault(undefined)
  const second = await s.begin({ sourceId: 'v2' })
  await s.complete(second, await s.send(second, { sourceId: 'v2' }))
  t.ok(s.bytes.equals(await s.object(key)))
})

await t.test(
  'encrypted parts: the receipt of the stored one counts',
  async (t) => {
    const s = await sharedUpload(t, { wrap: withOpaqueEtags })
    const ticket = await s.begin()
    const first = await s.send(ticket)
    const twice = await s.send(ticket, {
      parts: [3, 4],
      // Nothing is known of the parts that are there.
      store: withoutList(s.small),
    })
    t.not(first[2]?.etag, twice[0]?.etag)
    const result = await s.complete(ticket, [...twice, ...first])
    t.equal(result.parts, 11)
    t.ok(s.bytes.equals(await s.object(key)))
  },
)

/** ETags that are another one each time, as of parts that are encrypted. */
function withOpaqueEtags(store: ObjectStore): ObjectStore {
  const small = smallStore(store)
  const real = new Map<number, { opaque: string; etag: string }>()
  let count = 0
  return {
    ...small,
    digest: 'none',
    async uploadPart(request, call) {
      const { etag } = await small.uploadPart(request, call)
      const opaque = `"opaque-${++count}"`
      real.set(request.partNumber, { opaque, etag })
      return { etag: opaque }
    },
    async listParts(request, call) {
      const page = await small.listParts(request, call)
      const parts = page.parts.map(({ partNumber, size, etag }) => {
        const told = real.get(partNumber)?.opaque ?? etag
        return { partNumber, size, etag: told }
      })
      return { ...page, parts }
    },
    async completeUpload(request, call) {
      const parts = request.parts.map(({ partNumber, etag }) => {
        const known = real.get(partNumber)
        if (known?.opaque === etag) return { partNumber, etag: known.etag }
        throw new StoreError('not the part', { kind: 'invalid-part' })
      })
      return small.completeUpload({ ...request, parts }, call)
    },
  }
}

function withoutList(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async listParts() {
      throw new StoreError('not allowed', {
        kind: 'denied',
        serverCode: 'AccessDenied',
      })
    },
  }
}
