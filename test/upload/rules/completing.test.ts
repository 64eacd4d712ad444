/** What a Complete names. */
import t from 'tap'
import {
  partsToName,
  type Receipt,
  type Receipts,
} from '../../../lib/upload/rules/completing.js'
import { weakest } from '../../../lib/upload/rules/outcome.js'

const crc = {
  variant: 'crc64ecma',
  isWanted: true,
  isBefore: false,
} as const

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
    partsToName(all, { parts: 3, size: 21 }, crc).parts.map(
      ({ partNumber, size }) => [partNumber, size],
    ),
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
      () => partsToName(all, { parts: count, size }, crc),
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
  const { parts } = partsToName(all, { parts: 1, size: 7 }, crc)
  t.match(parts, [{ etag: '"new"', check: 'none' }])
  t.equal(all.size, 1)
})

await t.test('the CRC-64 of the whole, where it is wanted', async (t) => {
  const all = receipts([1, 7])
  all.set(1, { size: 7, etag: '', crc64: '5', check: 'crc64' })
  const source = { parts: 1, size: 7 }
  t.equal(partsToName(all, source, crc).crc64, '5')
  const unwanted = { ...crc, isWanted: false }
  t.equal(partsToName(all, source, unwanted).crc64, undefined)
})

await t.test('the weakest of some checks', async (t) => {
  t.equal(weakest(['crc64', 'md5', 'crc64']), 'md5')
  t.equal(weakest(['md5', 'none', 'crc64']), 'none')
  t.equal(weakest(['crc64']), 'crc64')
})
