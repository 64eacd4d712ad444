import t from 'tap'
import {
  applyRecord,
  emptyState,
  mayHaveOrphans,
} from '../../lib/checkpoint/fold.js'
import type { LogState } from '../../lib/checkpoint/fold.js'
import type { DoneRecord, LogRecord } from '../../lib/checkpoint/record.js'
import { DIGEST, PART, header, part, upload } from '../support/log-fixture.js'

const done: DoneRecord = { type: 'done', etag: 'E', size: PART }

function stateOf(...records: LogRecord[]): LogState {
  const state = emptyState(header())
  for (const record of [header(), ...records]) applyRecord(state, record)
  return state
}

function voided(uploadId: string): LogRecord {
  return { type: 'void', uploadId, reason: 'discard' }
}

await t.test(
  'a new upload starts without parts and leaves the old one open',
  (t) => {
    const {
      upload: current,
      unclosed,
      uploadIds,
    } = stateOf(upload('A'), part(1), upload('B', { partSize: 2 * PART }))
    t.equal(current?.uploadId, 'B')
    t.equal(current?.partSize, 2 * PART)
    t.equal(current?.parts.size, 0)
    t.strictSame([...unclosed], ['A'])
    t.strictSame([...uploadIds], ['A', 'B'])
    t.end()
  },
)

await t.test(
  'a voided upload is unclosed until its abort is confirmed',
  (t) => {
    t.equal(stateOf(upload('A'), voided('A')).upload?.voided, 'discard')
    const cases: [string[], ...LogRecord[]][] = [
      [['A'], upload('A'), voided('A')],
      [[], upload('A'), voided('A'), { type: 'closed', uploadId: 'A' }],
      [['A'], upload('A'), voided('A'), upload('B')],
      [
        [],
        upload('A'),
        voided('A'),
        { type: 'closed', uploadId: 'A' },
        upload('B'),
      ],
      [['A', 'B'], upload('A'), upload('B'), voided('B')],
      [['X'], voided('X')],
    ]
    for (const [expected, ...records] of cases) {
      t.strictSame([...stateOf(...records).unclosed], expected)
    }
    t.end()
  },
)

await t.test('a completed upload is never to be aborted', (t) => {
  for (const records of [
    [upload('A'), done, voided('A'), upload('B')],
    [upload('A'), done, upload('B')],
    [upload('A'), voided('A'), done],
  ]) {
    t.equal(stateOf(...records).unclosed.size, 0)
  }
  t.end()
})

await t.test(
  'the last record of a part counts, and a drop takes it away',
  (t) => {
    const again = part(1, { etag: '"again"', run: 3 })
    const { upload: current, maxRun } = stateOf(
      upload('A'),
      part(1),
      part(2),
      again,
      {
        type: 'drop',
        number: 2,
        reason: 'gone',
      },
    )
    t.strictSame([...(current?.parts.values() ?? [])], [again])
    t.equal(maxRun, 3)
    t.end()
  },
)

await t.test('what does not fit is refused and changes nothing', (t) => {
  const cases: [LogState, LogRecord][] = [
    [stateOf(), part(1)],
    [stateOf(), { type: 'drop', number: 1, reason: 'x' }],
    [stateOf(), done],
    [stateOf(upload('A')), part(2, { offset: 0 })],
    [stateOf(upload('A')), part(1, { size: PART + 1 })],
    [stateOf(upload('A', { partSize: 2 * PART })), part(2)],
    [
      stateOf(upload('A')),
      { type: 'completing', parts: 2, size: PART, etagsDigest: DIGEST },
    ],
    [
      stateOf(upload('A')),
      { type: 'completing', parts: 1, size: PART + 1, etagsDigest: DIGEST },
    ],
    [stateOf(), header({ key: 'another' })],
    [stateOf(), header({ bucket: 'another' })],
    [stateOf(), header({ store: 'another' })],
    [stateOf(), header({ logId: '1'.repeat(32) })],
  ]
  for (const [state, record] of cases) {
    const before = structuredClone(state)
    t.equal(applyRecord(state, record), false, record.type)
    t.strictSame(state, before)
  }
  t.end()
})

await t.test('each run keeps what it said of its source', (t) => {
  const { runs, header: last } = stateOf(
    header({ run: 2, sourceDigest: DIGEST }),
    header({ run: 3 }),
  )
  t.strictSame([...runs.keys()], [1, 2, 3])
  t.equal(runs.get(2)?.sourceDigest, DIGEST)
  t.equal(last.run, 3)
  t.end()
})

await t.test(
  'a PutObject that was about to be sent is known until a part is',
  (t) => {
    const completing = { type: 'completing', put: true, size: 3 } as const
    t.strictSame(stateOf(completing).put, {
      completing,
      done: undefined,
      isTold: false,
    })
    const put: DoneRecord = { ...done, put: true }
    t.strictSame(stateOf(upload('A'), completing, put).put, {
      completing,
      done: put,
      isTold: false,
    })
    t.equal(stateOf(upload('A'), completing, put).upload?.done, undefined)
    t.equal(stateOf(completing, upload('A')).put, undefined)
    t.equal(stateOf(upload('A'), completing, part(1)).put, undefined)
    t.end()
  },
)

await t.test('the same upload said again loses nothing', (t) => {
  const { upload: current } = stateOf(upload('A'), part(1), upload('A'))
  t.equal(current?.parts.size, 1)
  t.end()
})

const completing: LogRecord = {
  type: 'completing',
  parts: 1,
  size: PART,
  etagsDigest: DIGEST,
}
const mark = 'ab'.repeat(16)

await t.test(
  'an upload that may complete late is a rival until closed',
  (t) => {
    const cases: [string, [string, string | undefined][], ...LogRecord[]][] = [
      ['never completing', [], upload('A'), voided('A')],
      ['voided', [['A', mark]], upload('A', { mark }), completing, voided('A')],
      ['left behind', [['A', undefined]], upload('A'), completing, upload('B')],
      ['complete', [], upload('A'), completing, done, voided('A')],
      [
        'closed',
        [],
        upload('A'),
        completing,
        voided('A'),
        { type: 'closed', uploadId: 'A', by: 'abort' },
      ],
    ]
    for (const [name, expected, ...records] of cases) {
      t.strictSame([...stateOf(...records).rivals], expected, name)
    }
    t.end()
  },
)

await t.test('a Complete that was refused has made nothing', (t) => {
  const [one, other] = ['a'.repeat(64), 'b'.repeat(64)]
  const sent = (sentDigest: string): LogRecord => ({
    ...completing,
    sentDigest,
  })
  const refused = (sentDigest: string): LogRecord => ({
    type: 'refused',
    sentDigest,
  })
  const cases: [string, LogRecord[], [digest: string, inDoubt: number][]][] = [
    ['sent', [sent(one)], [[one, 1]]],
    ['refused', [sent(one), refused(one)], [[one, 0]]],
    [
      'sent twice, the second refused',
      [sent(one), sent(one), refused(one)],
      [[one, 1]],
    ],
    [
      'another refused',
      [sent(one), sent(other), refused(other)],
      [
        [one, 1],
        [other, 0],
      ],
    ],
    ['sent anew', [sent(one), refused(one), sent(one)], [[one, 1]]],
    [
      'of a Complete whose record is lost',
      [refused(one), sent(one)],
      [[one, 1]],
    ],
  ]
  for (const [name, records, expected] of cases) {
    const { upload: current } = stateOf(upload('A'), ...records)
    t.strictSame([...(current?.sentDigests ?? [])], expected, name)
    t.ok(current?.completing ?? name.startsWith('of '), 'it is looked for')
  }
  t.notOk(applyRecord(stateOf(), refused(one)), 'without an upload')
  t.end()
})

await t.test('what was told is not claimed, whatever begins after it', (t) => {
  const put: LogRecord[] = [
    { type: 'completing', put: true, size: 1 },
    { ...done, put: true },
  ]
  const told: LogRecord = { type: 'told' }
  const cases: [boolean, ...LogRecord[]][] = [
    [false, upload('A'), completing, told],
    [true, upload('A'), completing, done, told],
    [true, upload('A'), completing, done, told, { type: 'intent', time: 1 }],
    [false, upload('A'), completing, done, told, upload('B')],
    [true, ...put, told],
    [false, ...put, told, { type: 'completing', put: true, size: 1 }],
  ]
  for (const [expected, ...records] of cases) {
    const { put: made, upload: current } = stateOf(...records)
    t.equal((made ?? current)?.isTold, expected)
  }
  t.end()
})

await t.test('nothing is asked when every Initiate was answered', async (t) => {
  const intents = [{ time: 1 }, { time: 2 }]
  t.notOk(mayHaveOrphans({ intents: [], uploadIds: new Set() }))
  t.notOk(mayHaveOrphans({ intents, uploadIds: new Set(['a', 'b']) }))
  t.ok(mayHaveOrphans({ intents, uploadIds: new Set(['a']) }))
})
