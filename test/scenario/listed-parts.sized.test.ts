/** Lists of parts that say something else than the log, or may not be asked for. */
import t from 'tap'
import type { Fault } from '../../lib/dev-server/index.js'
import { noise } from '../support/dev-store.js'
import { first, mustBe, suspendAfter } from '../support/lost-answers.js'
import { smallStore } from '../support/small-store.js'
import { key, part, smallUploads } from '../support/small-upload.js'
import { sized } from '../support/tier.js'
import { storeCall } from '../support/store-call.js'

await t.test('what ListParts says is not what the log says', async (t) => {
  const bytes = noise(8 * part)
  type Listed = { number: number; etag: string; crc: string; size: number }
  const cases: {
    name: string
    list: (parts: Listed[]) => Listed[]
    sent: number[]
  }[] = [
    { name: 'the same', list: (parts) => parts, sent: [6, 7, 8] },
    {
      name: 'a part is missing',
      list: (parts) => parts.filter(({ number }) => number !== 2),
      sent: [2, 6, 7, 8],
    },
    { name: 'all are missing', list: () => [], sent: [1, 2, 3, 4, 5, 6, 7, 8] },
    {
      name: 'one is of another size',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 3 ? { ...listed, size: 5 } : listed,
        ),
      sent: [3, 6, 7, 8],
    },
    {
      name: 'one has another ETag and another CRC-64',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 4
            ? { ...listed, etag: `"${'0'.repeat(32)}"`, crc: '1' }
            : listed,
        ),
      sent: [4, 6, 7, 8],
    },
    {
      name: 'one has the same ETag and another CRC-64',
      list: (parts) =>
        parts.map((listed) =>
          listed.number === 1 ? { ...listed, crc: '1' } : listed,
        ),
      sent: [1, 6, 7, 8],
    },
    {
      name: 'one has its ETag in lower case and without quotes',
      list: (parts) =>
        parts.map((listed) => ({
          ...listed,
          etag: listed.etag.toLowerCase().replaceAll('"', ''),
        })),
      sent: [6, 7, 8],
    },
    {
      name: 'there are parts beyond the end',
      list: (parts) => [
        ...parts,
        { number: 9, etag: `"${'A'.repeat(32)}"`, crc: '5', size: part },
        { number: 9999, etag: `"${'B'.repeat(32)}"`, crc: '6', size: part },
      ],
      sent: [6, 7, 8],
    },
  ]
  for (const { name, list, sent } of cases) {
    await t.test(name, async (t) => {
      const dev = await smallUploads(t)
      await suspendAfter(dev, bytes, 5)
      // The store knows them all before its list is told wrongly.
      const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
      const page = await dev.small.listParts({ key, uploadId }, storeCall())
      const listed = page.parts.slice(0, 5).map((known) => ({
        number: known.partNumber,
        etag: known.etag,
        crc: known.crc64 ?? '',
        size: known.size,
      }))
      const xml = list(listed)
        .map(
          ({ number, etag, crc, size }) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag><HashCrc64ecma>${crc}</HashCrc64ecma><Size>${size}</Size></Part>`,
        )
        .join('')
      first(dev, 'ListParts', {
        kind: 'status',
        status: 200,
        body: `<ListPartsResult><IsTruncated>false</IsTruncated>${xml}</ListPartsResult>`,
      })
      const before = dev.server.requests.length
      await dev.run(bytes)
      await mustBe(t, dev, bytes)
      t.same(dev.partsSince(before), sent)
    })
  }
})

await t.test('a part that somebody replaced is sent again', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(5 * part)
  const replace = async (partNumber: number): Promise<void> => {
    const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
    const other = noise(part, 1234)
    await dev.small.uploadPart(
      {
        key,
        uploadId,
        partNumber,
        size: part,
        body: async function* () {
          yield other
        },
      },
      storeCall(),
    )
  }
  const beforeComplete = () => replace(2)
  // Replaced between its receipt and Complete: dropped, said, cured.
  t.match(await dev.fail(bytes, { beforeComplete }), {
    code: 'PAWL_COMPLETE_REFUSED',
    resumable: true,
    transient: true,
    message: /parts? 2 /,
  })
  const before = dev.server.requests.length
  t.match(await dev.fail(bytes, { beforeComplete }), {
    code: 'PAWL_UPLOAD_CONTENDED',
    resumable: true,
    transient: false,
  })
  t.same(dev.partsSince(before), [2, 2], 'ours and theirs')
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('CreateMultipartUpload').length, 1)
})

await t.test('where parts may not be listed', async (t) => {
  const refusals: [string, Fault][] = [
    ['denied', { kind: 'status', status: 403, code: 'AccessDenied' }],
    ['405', { kind: 'status', status: 405, code: 'MethodNotAllowed' }],
    ['501', { kind: 'status', status: 501, code: 'NotImplemented' }],
  ]
  for (const [name, refusal] of refusals) {
    await t.test(`${name}: one part is sent again as a probe`, async (t) => {
      const dev = await smallUploads(t)
      const bytes = noise(8 * part)
      await suspendAfter(dev, bytes, 5)
      dev.server.setFault(({ operation }) =>
        operation === 'ListParts' ? refusal : undefined,
      )
      const before = dev.server.requests.length
      await dev.run(bytes)
      await mustBe(t, dev, bytes)
      const [probe, ...rest] = dev.partsSince(before)
      t.equal(probe, 1)
      // Besides the probe what was not stored: of eight parts five were.
      t.ok(rest.length <= 3 && rest[0] !== undefined && rest[0] >= 6)
    })
    await t.test(`${name}: the probe finds a vanished upload`, async (t) => {
      const dev = await smallUploads(t)
      const bytes = noise(8 * part)
      await suspendAfter(dev, bytes, 5)
      const uploadId = dev.server.openUploads()[0]?.uploadId ?? ''
      await dev.small.abortUpload({ key, uploadId }, storeCall())
      dev.server.setFault(({ operation }) =>
        operation === 'ListParts' ? refusal : undefined,
      )
      const error = await dev.fail(bytes).catch(() => undefined)
      if (error !== undefined) {
        t.match(error, {
          code: 'PAWL_UPLOAD_GONE',
          resumable: false,
          transient: true,
        })
        await dev.run(bytes)
      }
      await mustBe(t, dev, bytes)
    })
  }
  await t.test('nor the object looked at: a lost Complete', async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(3 * part)
    let completes = 0
    dev.server.setFault(({ operation }) => {
      if (operation === 'ListParts' || operation === 'HeadObject') {
        return { kind: 'status', status: 403, code: 'AccessDenied' }
      }
      return operation === 'CompleteMultipartUpload' && completes++ === 0
        ? { kind: 'reply-lost' }
        : undefined
    })
    t.match(await dev.fail(bytes), {
      code: 'PAWL_COMPLETE_UNKNOWN',
      message: /may not list/,
      resumable: false,
      transient: true,
    })
    // The next run sends the probe, hears that the upload is gone, and so on.
    const codes: string[] = []
    for (let runs = 0; runs < 3; runs++) {
      const error = await dev.fail(bytes).catch(() => undefined)
      if (error === undefined) break
      codes.push(error.code)
    }
    t.same(codes, ['PAWL_UPLOAD_GONE'], 'no log fails for ever')
    await mustBe(t, dev, bytes)
  })
  await t.test('with wrong credentials it is a failure', async (t) => {
    const dev = await smallUploads(t)
    const bytes = noise(8 * part)
    await suspendAfter(dev, bytes, 5)
    const store = smallStore(
      dev.another({
        credentials: { accessKeyId: 'dev', accessKeySecret: 'wrong' },
      }),
    )
    t.match(await dev.fail(bytes, { store }), {
      code: 'PAWL_ACCESS_DENIED',
      serverCode: 'SignatureDoesNotMatch',
      resumable: true,
      transient: false,
    })
    await dev.run(bytes)
    await mustBe(t, dev, bytes)
  })
})

await t.test('more parts than a page are listed page by page', async (t) => {
  const tiny = 64
  // 1,000 is what real servers give.
  const page = sized({ fast: 100, more: 1000, long: 1000 })
  const dev = await smallUploads(t, { maxPageSize: page })
  const parts = 2 * page + 101
  const enough = parts - 51
  const bytes = noise((parts - 1) * tiny + 5)
  const options = { partSize: tiny, concurrency: 16 }
  await suspendAfter(dev, bytes, enough, options)
  const stored = dev.seen('UploadPart').filter(({ applied }) => applied)
  t.ok(stored.length >= enough)
  const before = dev.server.requests.length
  const result = await dev.run(bytes, options)
  await mustBe(t, dev, bytes)
  t.equal(dev.seen('ListParts').length, 3, 'three pages')
  t.ok(result.partsReused >= enough, `${result.partsReused} reused`)
  t.equal(dev.partsSince(before).length, parts - result.partsReused)
})

await t.test('a list whose pages do not advance is an error', async (t) => {
  const dev = await smallUploads(t)
  const bytes = noise(4 * part)
  await suspendAfter(dev, bytes, 2)
  first(
    dev,
    'ListParts',
    {
      kind: 'status',
      status: 200,
      body: '<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>',
    },
    99,
  )
  t.match(await dev.fail(bytes), {
    code: 'PAWL_RESPONSE',
    resumable: true,
    // Nothing was understood in this run.
    transient: false,
  })
  dev.server.setFault(undefined)
  await dev.run(bytes)
  await mustBe(t, dev, bytes)
})
