import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { Receipt } from '../../../lib/upload/calls/send.js'
import { weakest } from '../../../lib/upload/rules/proof.js'
import {
  receiptsInOrder,
  type Receipts,
} from '../../../lib/upload/run/current-upload.js'
import { ResumableUploadStream } from '../../../lib/upload/stream.js'
import { handClock } from '../../support/hand-clock.js'
import { environmentOn, key, storeInMemory } from '../../support/hand-upload.js'

function receipts(...parts: [number, number][]): Map<number, Receipt> {
  return new Map(
    parts.map(([number, size]) => [
      number,
      { size, etag: `"${number}"`, check: 'crc64' },
    ]),
  )
}

await t.test('parts in order, whatever order they came in', async (t) => {
  const all = receipts([3, 1], [1, 10], [2, 10])
  t.same(
    receiptsInOrder(all, 3, 21).map(({ partNumber, size }) => [
      partNumber,
      size,
    ]),
    [
      [1, 10],
      [2, 10],
      [3, 1],
    ],
  )
})

await t.test('nothing is completed without every part', async (t) => {
  const cases: [string, Receipts, number, number, RegExp][] = [
    ['none', receipts(), 1, 10, /part 1 of 1/],
    ['the first is missing', receipts([2, 10]), 2, 20, /part 1 of 2/],
    ['one between', receipts([1, 10], [3, 10]), 3, 30, /part 2 of 3/],
    ['the last', receipts([1, 10]), 2, 20, /part 2 of 2/],
    ['one too many', receipts([1, 10], [2, 10]), 1, 10, /2 parts/],
    ['too few bytes', receipts([1, 10], [2, 9]), 2, 20, /19 bytes/],
    ['too many bytes', receipts([1, 10], [2, 10]), 2, 19, /20 bytes/],
  ]
  for (const [name, all, count, size, message] of cases) {
    t.throws(
      () => receiptsInOrder(all, count, size),
      {
        code: 'PAWL_INVALID_STATE',
        resumable: false,
        transient: false,
        message,
      },
      name,
    )
  }
})

await t.test('a later receipt of a part counts', async (t) => {
  const all = receipts([1, 10])
  all.set(1, { size: 7, etag: '"new"', check: 'none' })
  t.match(receiptsInOrder(all, 1, 7), [{ etag: '"new"', check: 'none' }])
  t.equal(all.size, 1)
})

await t.test('the weakest of some checks', async (t) => {
  t.equal(weakest(['crc64', 'md5', 'crc64']), 'md5')
  t.equal(weakest(['md5', 'none', 'crc64']), 'none')
  t.equal(weakest(['crc64']), 'crc64')
})

for (const [verify, digest] of [
  ['md5', 'md5'],
  ['crc64', 'crc64nvme'],
] as const) {
  await t.test(
    `a digest that goes first waits for no upload and no turn: ${digest}`,
    async (t) => {
      const memory = storeInMemory()
      const environment = environmentOn(handClock())
      let begun = 0
      let tellBegun: () => void = () => undefined
      const bothBegun = new Promise<void>((resolve) => (tellBegun = resolve))
      const { digests } = environment
      const watched: typeof digests = {
        create: (kind) => digests.create(kind),
        beside: (kind, size) => digests.beside(kind, size),
        warmUp: () => digests.warmUp(),
        digest: (kind, ...pieces) => {
          t.equal(kind, digest)
          if (++begun === 2) tellBegun()
          return digests.digest(kind, ...pieces)
        },
      }
      memory.before = async ({ call }) => {
        if (call === 'createUpload') await bothBegun
      }
      const store = { ...memory.store, digest }
      const upload = new ResumableUploadStream(
        { store, key, checkpoint: false, partSize: 2, concurrency: 1, verify },
        { ...environment, digests: watched },
      )
      await pipeline(Readable.from([Buffer.from('abcd')]), upload)
      t.equal(String(memory.objects.get(key)), 'abcd')
      t.equal(begun, 2, 'each was worked out once')
    },
  )
}
