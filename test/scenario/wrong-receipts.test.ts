/** Receipts that are wrong, and answers that hide what the server meant. */
import t from 'tap'
import type { Fault, SeenRequest } from '../../lib/dev-server/index.js'
import { StoreError } from '../../lib/store/store-error.js'
import { noise } from '../support/dev-store.js'
import { first, mustBe, suspendAfter } from '../support/lost-answers.js'
import { smallStore, wrapStore } from '../support/small-store.js'
import { part, smallUploads } from '../support/small-upload.js'

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
