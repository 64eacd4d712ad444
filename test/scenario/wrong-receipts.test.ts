/** Receipts that are wrong, and answers that hide what the server meant. */
import { createHash } from 'node:crypto'
import t from 'tap'
import type { Fault, SeenRequest } from '../../lib/dev-server/index.js'
import type { Body, ObjectStore } from '../../lib/store/object-store.js'
import { StoreError } from '../../lib/store/store-error.js'
import { noise } from '../support/dev-store.js'
import { dialects } from '../support/dialects.js'
import { first, mustBe, suspendAfter } from '../support/lost-answers.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import { key, part, smallUploads } from '../support/small-upload.js'
import { storeCall } from '../support/store-call.js'

await t.test('a wrong ETag in a receipt is cured', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  dev.server.setFault(({ operation, partNumber }) =>
    operation === 'UploadPart' && partNumber === 3
      ? { kind: 'wrong-etag' }
      : undefined,
  )
  t.match(await dev.fail(bytes), { code: 'PAWL_COMPLETE_REFUSED' })
  const before = dev.server.requests.length
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.same(dev.partsSince(before), [], 'its CRC-64 is that of the bytes')
})

await t.test('a wrong CRC-64 of a part sends it again', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  first(dev, 'UploadPart', { kind: 'wrong-crc' }, 2)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('UploadPart').length, 6)
})

await t.test('a wrong CRC-64 of the object is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  first(dev, 'CompleteMultipartUpload', { kind: 'wrong-crc' })
  t.match(await dev.fail(bytes), {
    code: 'PAWL_VERIFY_FAILED',
    resumable: false,
    transient: false,
    completed: true,
  })
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('AbortMultipartUpload').length, 0)
})

await t.test('a reset that hides a refusal is found out', async (t) => {
  const cases: [string, SeenRequest['operation'], Fault, string][] = [
    [
      'denied',
      'ListParts',
      { kind: 'status', status: 403, code: 'AccessDenied' },
      'PAWL_ACCESS_DENIED',
    ],
    [
      'no bucket',
      'ListParts',
      { kind: 'status', status: 404, code: 'NoSuchBucket' },
      'PAWL_NO_SUCH_BUCKET',
    ],
    ['nothing wrong', 'ListParts', { kind: 'delay', ms: 0 }, 'PAWL_NETWORK'],
  ]
  for (const [name, asked, answer, code] of cases) {
    const dev = await smallUploads(t)
    dev.server.setFault(({ operation }) => {
      if (operation === 'UploadPart') return { kind: 'refuse' }
      return operation === asked ? answer : undefined
    })
    t.match(await dev.fail(noise(2 * part), { concurrency: 1 }), { code }, name)
  }
})

await t.test('an ETag that is no MD5 is no proof of anything', async (t) => {
  const dev = await smallUploads(t, { digests: 'none' })
  const bytes = noise(4 * part)
  const store = smallStore(dev.store)
  await suspendAfter(dev, bytes, 3, { store, verify: false })
  const before = dev.server.requests.length
  const result = await dev.run(bytes, { store, verify: false })
  await mustBe(t, dev, bytes)
  t.equal(result.partsReused + dev.partsSince(before).length, 4)
  t.equal(result.verified, 'none')
})

await t.test(
  'a store of one’s own that loses every first answer',
  async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(6 * part)
    const seen = new Map<string, number>()
    const store = wrapStore(smallStore(dev.store), {
      around: async (call, run) => {
        const times = (seen.get(call) ?? 0) + 1
        seen.set(call, times)
        const answer = await run()
        if (times > 1) return answer
        throw new StoreError('lost', { kind: 'network' })
      },
    })
    const result = await dev.run(bytes, { store })
    await mustBe(t, dev, bytes)
    t.match(result, { verified: 'crc64', parts: 6 })
  },
)

await t.test('a Complete without an ETag: the object says it', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(3 * part)
  first(dev, 'CompleteMultipartUpload', {
    kind: 'replace-body',
    body: '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>',
  })
  const result = await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.match(result, { verified: 'crc64', etag: /^[0-9A-F]{32}-3$/ })
})

/** Bytes that are damaged on their way, by a part's or a PutObject's body. */
function damaging(
  store: ObjectStore,
  { times, keepsMd5 = false }: { times: number; keepsMd5?: boolean },
): { store: ObjectStore; sent: () => number; damage: (times: number) => void } {
  const whole = wrapStore(store)
  let left = times
  let sent = 0
  const damage = <T extends { body: Body; md5?: string | undefined }>(
    request: T,
  ): T => {
    sent++
    if (left-- <= 0) return request
    const { body } = request
    return {
      ...request,
      // A server that does not look at it.
      md5: keepsMd5 ? request.md5 : undefined,
      body: async function* () {
        let isFirst = true
        for await (const view of body()) {
          const copy = Uint8Array.from(view)
          if (isFirst) copy[0] = (copy[0] ?? 0) ^ 1
          isFirst = false
          yield copy
        }
      },
    }
  }
  whole.uploadPart = (request, call) => store.uploadPart(damage(request), call)
  whole.putObject = (request, call) => store.putObject(damage(request), call)
  return { store: whole, sent: () => sent, damage: (more) => (left = more) }
}

const s3 = dialects.find(({ name }) => name === 'S3')

await t.test('damage is seen by the MD5 that a server tells', async (t) => {
  for (const size of [3 * part, part - 1]) {
    const dev = await smallUploads(t)
    const real = s3?.store(dev) ?? dev.small
    t.teardown(() => real.close())
    const bytes = noise(size)
    const once = damaging(real, { times: 1 })
    const verify = 'md5'
    t.match(await dev.run(bytes, { store: once.store, verify }), {
      verified: 'md5',
    })
    await mustBe(t, dev, bytes)
    t.equal(once.sent(), Math.ceil(size / part) + 1, 'one more')
    // Its ETags are known to be MD5s by now.
    once.damage(1000)
    const other = noise(size, 2)
    t.match(
      await dev.fail(other, {
        store: once.store,
        verify,
        concurrency: 1,
        retry: { attempts: 3, baseDelay: 1 },
      }),
      { code: 'PAWL_VERIFY_FAILED', transient: false },
    )
    t.same(dev.seen('CompleteMultipartUpload').length, size < part ? 0 : 1)
  }
})

await t.test(
  'an object that was replaced before it was seen is not verified',
  async (t) => {
    const dev = await smallUploads(t)
    const real = s3?.store(dev) ?? dev.small
    t.teardown(() => real.close())
    const theirs = noise(part, 7)
    const store = wrapStore(real)
    store.completeUpload = async (request, call) => {
      await real.completeUpload(request, call)
      const body = async function* () {
        yield theirs
      }
      const { length: size } = theirs
      await real.putObject({ key, object: {}, size, body }, call)
      return { etag: '' }
    }
    const result = await dev.run(noise(3 * part), { store })
    t.match(result, { verified: 'none', etag: /^[0-9a-f]{32}-3$/ })
    await mustBe(t, dev, theirs)
  },
)

await t.test('an encrypted part’s ETag is no sign of damage', async (t) => {
  const dev = await smallUploads(t)
  const real = s3?.store(dev) ?? dev.small
  t.teardown(() => real.close())
  const store = wrapStore(real)
  store.uploadPart = async (request, call) => ({
    ...(await real.uploadPart(request, call)),
    isOpaque: true,
  })
  const bytes = noise(3 * part)
  const result = await dev.run(bytes, { store })
  t.match(result, { verified: 'none' })
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('UploadPart').length, 3)
})

await t.test(
  'what is encrypted with a key of its own is not verified, nor taken for damaged',
  async (t) => {
    const dev = await smallUploads(t)
    const real = s3?.store(dev) ?? dev.small
    t.teardown(() => real.close())
    const object = { encryption: { algorithm: 'aws:kms' } } as const
    for (const [size, requests] of [
      [3 * part, 3],
      [part - 1, 1],
    ] as const) {
      const bytes = noise(size)
      const before = dev.server.requests.length
      const result = await dev.run(bytes, { store: real, object })
      t.match(result, { verified: 'none' })
      await mustBe(t, dev, bytes)
      const sent = dev.server.requests
        .slice(before)
        .filter(({ operation }) => /^(UploadPart|PutObject)$/.test(operation))
      t.equal(sent.length, requests, 'nothing is sent a second time')
      const head = await real.headObject(key, storeCall())
      t.notMatch(head?.etag, createHash('md5').update(bytes).digest('hex'))
    }
  },
)

await t.test('a PutObject that is damaged replaces nothing', async (t) => {
  for (const { name, store: storeOf } of dialects) {
    const dev = await smallUploads(t)
    const real = storeOf(dev)
    t.teardown(() => real.close())
    const good = noise(part - 1)
    await dev.run(good, { store: real })
    const bytes = noise(part - 1, 2)
    const always = damaging(real, { times: 1000, keepsMd5: true })
    const retry = { attempts: 2, baseDelay: 1 }
    const error = await dev.fail(bytes, { store: always.store, retry })
    t.match(error, { status: 400, resumable: false }, name)
    t.ok(good.equals(await dev.object(key)), 'the good object is there')
    const once = damaging(real, { times: 1, keepsMd5: true })
    await dev.run(bytes, { store: once.store })
    await mustBe(t, dev, bytes)
  }
})
