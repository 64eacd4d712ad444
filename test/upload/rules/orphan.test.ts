import t from 'tap'
import {
  canBeOrphan,
  mayHaveOrphans,
} from '../../../lib/upload/rules/orphan.js'

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

await t.test('nothing is asked when every Initiate was answered', async (t) => {
  const intents = [{ time: 1 }, { time: 2 }]
  t.notOk(mayHaveOrphans({ intents: [], uploadIds: new Set() }))
  t.notOk(mayHaveOrphans({ intents, uploadIds: new Set(['a', 'b']) }))
  t.ok(mayHaveOrphans({ intents, uploadIds: new Set(['a']) }))
})
