import t from 'tap'
import {
  canBeOrphan,
  rivalsOf,
  untilFenced,
  untilSure,
} from '../../../lib/upload/rules/left-behind.js'

const state = {
  unclosed: new Set(['a', 'b', 'c']),
  rivals: new Map([['b', 'mark of b']]),
  marks: new Map([
    ['a', 'mark of a'],
    ['b', 'mark of b'],
  ]),
}

await t.test('whose Complete may still come', (t) => {
  const b = { uploadId: 'b', mark: 'mark of b', mayComplete: true }
  const rows: [string, boolean | undefined, object[]][] = [
    ['the log says whose', undefined, [b]],
    ['nothing of it is ever lost', false, [b]],
    [
      'the record that says it may be lost',
      true,
      [
        { uploadId: 'a', mark: 'mark of a', mayComplete: false },
        b,
        { uploadId: 'c', mark: undefined, mayComplete: false },
      ],
    ],
  ]
  for (const [name, canLose, expected] of rows) {
    t.strictSame(rivalsOf(state, { canLose }), expected, name)
  }
  t.end()
})

await t.test('how long gone once is not gone', (t) => {
  const rows: [string, number, number][] = [
    ['at once', 0, 10_000],
    ['four seconds later', 4000, 6000],
    ['ten seconds later', 10_000, 0],
    ['an hour later', 3_600_000, 0],
  ]
  for (const [name, passed, expected] of rows) {
    t.equal(untilSure(5000, 5000 + passed), expected, name)
  }
  t.end()
})

await t.test('when a lease stands in for an Abort', (t) => {
  type Row = [
    string,
    'lease' | undefined,
    number | undefined,
    number | undefined,
  ]
  const rows: Row[] = [
    ['it was not asked for', undefined, 1e9, undefined],
    ['nobody knows when the lease ended', 'lease', undefined, undefined],
    ['it has just ended', 'lease', 0, 600_000],
    ['it ended too lately, and is held again now', 'lease', 599_999.5, 600_000],
    ['a Complete has ended', 'lease', 600_000, 0],
    ['long ago', 'lease', 1e9, 0],
  ]
  for (const [name, fence, freeFor, expected] of rows) {
    t.equal(untilFenced({ fence, freeFor, longest: 600_000 }), expected, name)
  }
  t.end()
})

const minute = 60_000
const began = 1_700_000_000_000

await t.test('what may be aborted as nobody’s', async (t) => {
  const begun = {
    key: 'k',
    intents: [{ time: began }, { time: began + minute }],
    uploadIds: new Set(['known']),
  }
  const cases: [
    string,
    boolean,
    { key?: string; uploadId?: string; initiated?: number },
    { age?: number; offset?: number },
  ][] = [
    ['all as it should be', true, {}, {}],
    ['another key', false, { key: 'k2' }, {}],
    ['a key that begins so', false, { key: 'k/' }, {}],
    ['one of our own', false, { uploadId: 'known' }, {}],
    ['14 minutes old', false, {}, { age: 14 * minute }],
    ['15 minutes old', true, {}, { age: 15 * minute }],
    ['begun before ours', false, { initiated: began - 3000 }, {}],
    ['in the same second', true, { initiated: began - 900 }, {}],
    ['while the second was sent', true, { initiated: began + minute }, {}],
    ['5 minutes after it', true, { initiated: began + 6 * minute }, {}],
    ['later than any answer', false, { initiated: began + 7 * minute }, {}],
    [
      'by a server an hour ahead',
      true,
      { initiated: began + 60 * minute },
      { offset: 60 * minute },
    ],
    [
      'by ours, on a server an hour ahead',
      false,
      {},
      { offset: 60 * minute, age: 90 * minute },
    ],
  ]
  for (const [name, can, upload, { age = 30 * minute, offset = 0 }] of cases) {
    const listed = { key: 'k', uploadId: 'x', initiated: began, ...upload }
    const servers = listed.initiated + age
    const clocks = { servers, ours: servers - offset }
    t.equal(canBeOrphan(listed, begun, clocks), can, name)
  }
})
