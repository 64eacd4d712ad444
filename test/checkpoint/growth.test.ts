/** Parts that grow: where they are, and what a log takes of them. */
import fc from 'fast-check'
import t from 'tap'
import { applyRecord, emptyState } from '../../lib/checkpoint/fold.js'
import {
  areUnequal,
  largestOf,
  offsetAt,
  partAt,
  partsOf,
  partSizeAt,
  type PartSizes,
  roomIn,
} from '../../lib/checkpoint/growth.js'
import { usualSizes } from '../../lib/upload/options/part-sizes.js'
import { header, part, upload } from '../support/log-fixture.js'

const sizes = {
  partSize: 10,
  growth: [
    { from: 3, partSize: 20 },
    { from: 6, partSize: 50 },
  ],
}

await t.test('a part begins where the one before it ends', (t) => {
  let offset = 0
  for (let number = 1; number <= 12; number++) {
    t.equal(offsetAt(sizes, number), offset, `part ${number}`)
    offset += partSizeAt(sizes, number)
  }
  t.same(
    [2, 3, 5, 6, 7].map((number) => partSizeAt(sizes, number)),
    [10, 20, 20, 50, 50],
  )
  t.equal(offsetAt({ partSize: 10 }, 10_000), 99_990, 'without steps')
  t.end()
})

const MiB = 1024 * 1024

await t.test('parts of a stream whose size nobody knows', (t) => {
  const rows: [number: number, offset: number, size: number][] = [
    [1, 0, 8],
    [2, 8, 8],
    [999, 7984, 8],
    [1000, 7992, 8],
    [1001, 8000, 32],
    [1002, 8032, 32],
    [5000, 135_968, 32],
    [9999, 295_936, 32],
    [10_000, 295_968, 32],
  ]
  for (const [number, offset, size] of rows) {
    const name = `part ${number}`
    const at = offset * MiB
    t.equal(offsetAt(usualSizes, number), at, name)
    t.equal(partSizeAt(usualSizes, number), size * MiB, name)
    t.equal(partAt(usualSizes, at), number, `first byte of ${name}`)
    const last = at + size * MiB - 1
    t.equal(partAt(usualSizes, last), number, `last byte of ${name}`)
    t.equal(partsOf(usualSizes, at), number - 1, `up to ${name}`)
    t.equal(partsOf(usualSizes, at + 1), number, `a byte into ${name}`)
    t.equal(partsOf(usualSizes, last + 1), number, `to the end of ${name}`)
    t.equal(roomIn(usualSizes, number), last + 1)
  }
  const most = roomIn(usualSizes, 10_000)
  t.equal(most, 296_000 * MiB)
  t.equal(Math.floor(most / 1024 ** 3), 289, 'GiB, as the documents say')
  t.equal(largestOf(usualSizes), 32 * MiB)
  t.equal(largestOf({ partSize: 5 }), 5)
  t.end()
})

const anySizes: fc.Arbitrary<PartSizes> = fc
  .record({
    partSize: fc.integer({ min: 1, max: 100 }),
    steps: fc.array(
      fc.record({
        after: fc.integer({ min: 1, max: 50 }),
        more: fc.integer({ min: 1, max: 1000 }),
      }),
      { maxLength: 16 },
    ),
  })
  .map(({ partSize, steps }) => {
    let [from, size] = [1, partSize]
    const growth = steps.map(({ after, more }) => {
      from += after
      size += more
      return { from, partSize: size }
    })
    return growth.length === 0 ? { partSize } : { partSize, growth }
  })

await t.test('number and offset say the same, wherever parts grow', (t) => {
  fc.assert(
    fc.property(anySizes, fc.integer({ min: 1, max: 10_000 }), (sizes, n) => {
      const offset = offsetAt(sizes, n)
      const size = partSizeAt(sizes, n)
      t.equal(offsetAt(sizes, n + 1), offset + size)
      t.equal(partAt(sizes, offset), n)
      t.equal(partAt(sizes, offset + size - 1), n)
      t.equal(partsOf(sizes, offset), n - 1)
      t.equal(partsOf(sizes, offset + 1), n)
      t.ok(size <= largestOf(sizes))
    }),
    { numRuns: 300 },
  )
  t.end()
})

await t.test('a log knows of parts that were to be of one size', (t) => {
  const rows: [growth: PartSizes['growth'], reason: string, number?: number][] =
    [
      [sizes.growth, 'equal-parts', 50],
      [sizes.growth, 'complete-refused'],
      [undefined, 'equal-parts', 10],
    ]
  for (const [growth, reason, expected] of rows) {
    const state = emptyState(header())
    applyRecord(state, upload('A', { partSize: 10, growth }))
    applyRecord(state, { type: 'void', uploadId: 'A', reason })
    applyRecord(state, upload('B'))
    applyRecord(state, { type: 'void', uploadId: 'B', reason: 'upload-gone' })
    t.equal(state.equalParts, expected, `${reason}, and not forgotten`)
  }
  t.end()
})

await t.test('a log holds parts against the sizes of its upload', (t) => {
  const state = emptyState(header())
  const apply = (number: number, offset: number, size: number): boolean =>
    applyRecord(state, part(number, { offset, size }))
  applyRecord(state, upload('A', sizes))
  for (const [number, offset, size, isTaken] of [
    [2, 10, 10, true],
    [2, 10, 11, false],
    [3, 20, 20, true],
    [4, 30, 10, false],
    [4, 40, 20, true],
    [6, 80, 50, true],
    [6, 80, 51, false],
  ] as const) {
    t.equal(apply(number, offset, size), isTaken, `${number} at ${offset}`)
  }
  const completing = (parts: number, size: number): boolean =>
    applyRecord(state, {
      type: 'completing',
      parts,
      size,
      etagsDigest: '0'.repeat(64),
    })
  t.notOk(completing(6, 80))
  t.ok(completing(6, 81))
  t.ok(completing(6, 130))
  t.notOk(completing(6, 131))
  t.end()
})

await t.test('what is refused where parts are to be of one size', (t) => {
  const rows: [sizes: number[], isUnequal: boolean][] = [
    [[], false],
    [[5], false],
    [[5, 5, 5], false],
    [[5, 5, 1], false],
    [[5, 5, 6], true],
    [[5, 6, 6], true],
    [[5, 6, 5], true],
    [[5, 4, 4], true],
  ]
  for (const [sizes, isUnequal] of rows) {
    const parts = sizes.map((size) => ({ size }))
    t.equal(areUnequal(parts), isUnequal, sizes.join(', '))
  }
  t.end()
})
