/** Parts that grow: where they are, and what a log takes of them. */
import t from 'tap'
import { applyRecord, emptyState } from '../../lib/checkpoint/fold.js'
import { offsetAt, partSizeAt } from '../../lib/checkpoint/growth.js'
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
