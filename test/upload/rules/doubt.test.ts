/** What is believed of a Complete or PutObject that failed. */
import t from 'tap'
import type { ObjectHead } from '../../../lib/store/object-store.js'
import type { StoreErrorKind } from '../../../lib/store/store-error.js'
import type { Listed } from '../../../lib/upload/rules/judge.js'
import {
  afterComplete,
  afterPut,
  type FailedComplete,
  faultOf,
  type SeenPut,
  seenPut,
} from '../../../lib/upload/rules/outcome.js'
import {
  expectedPut,
  type Found,
  type Seen,
} from '../../../lib/upload/rules/proof.js'
import { Doubt, type SentBefore } from '../../../lib/upload/rules/completing.js'

await t.test('ambiguity sticks', (t) => {
  const heard = (
    ...answers: [StoreErrorKind | undefined, boolean][]
  ): { isOpen: boolean; isUnsure: boolean } => {
    const doubt = new Doubt({ isOpen: false, isUnsure: false })
    for (const answer of answers) doubt.hear(...answer)
    const { isOpen, isUnsure } = doubt
    return { isOpen, isUnsure }
  }
  const none = { isOpen: false, isUnsure: false }
  const open = { isOpen: true, isUnsure: false }
  const unsure = { isOpen: true, isUnsure: true }
  t.same(heard(), none)
  t.same(heard(['denied', false], ['network', false]), none)
  t.same(heard(['exists', true]), open, 'an object is there, and whose?')
  t.same(heard(['network', true]), unsure)
  t.same(heard(['server', true], ['denied', false]), unsure)
  t.same(heard(['network', true], ['exists', true]), unsure)
  t.same(heard(['exists', true], ['denied', false]), unsure)
  const before = new Doubt({ isOpen: true, isUnsure: true })
  before.hear('request', false)
  t.ok(before.isOpen && before.isUnsure, "an earlier run's sticks as well")
  t.end()
})

const head: ObjectHead = { etag: 'E', size: 10 }
const theirs: Seen = { is: 'other', found: head }
const absent: Seen = { is: 'other', found: 'absent' }
const equal: Seen = { is: 'equal', found: head }
const unknown: Seen = { is: 'unknown', found: 'refused' }
const listed: Listed = new Map()
const never = (): boolean => false

const lost: FailedComplete = {
  kind: 'network',
  isFinal: false,
  isFirstGone: false,
  isUnsure: true,
  forbidsOverwrite: false,
}
const exists: FailedComplete = { ...lost, kind: 'exists', isFinal: true }
const refused: FailedComplete = { ...lost, kind: 'denied', isFinal: true }
const forbidding = { ...lost, forbidsOverwrite: true }
const gone: FailedComplete = { ...lost, kind: 'no-upload', isFirstGone: true }
const goneOnce: FailedComplete = { ...gone, forbidsOverwrite: true }
const marked: ObjectHead = { ...head, mark: 'ab'.repeat(16) }
const ours: Seen = { is: 'ours', found: marked }
const proved: Seen = { is: 'ours', found: { ...marked, crc64: '5' } }

const cases: [
  string,
  FailedComplete,
  Seen,
  Listed | 'gone',
  ReturnType<typeof afterComplete>,
  SentBefore?,
][] = [
  ['lost, and ours is there', lost, ours, 'gone', marked],
  ['lost, and an equal one is there', lost, equal, 'gone', head],
  ["gone at once: an earlier run's alike", gone, ours, 'gone', marked, 'alike'],
  ['another ACL', gone, ours, 'gone', 'refused', 'otherwise'],
  ['one alike that was refused', gone, ours, 'gone', marked, 'refused'],
  ['another', gone, ours, 'gone', 'refused', 'otherwise-refused'],
  ["a copy of the log's, as nothing shows", gone, ours, 'gone', 'refused'],
  ['gone at once, and the bytes show it', gone, proved, 'gone', proved.found],
  ['gone at once, and an equal one', gone, equal, 'gone', head],
  ['gone at once, and nothing is there', gone, absent, 'gone', 'refused'],
  ['gone at once, unseen', goneOnce, unknown, 'gone', 'refused'],
  ['and sent before', goneOnce, unknown, 'gone', 'unknown', 'alike'],
  ['and may overwrite', gone, unknown, 'gone', 'refused', 'alike'],
  ['lost, and still there', lost, absent, listed, 'again'],
  ['lost, and nobody may look', lost, unknown, 'refused', 'again'],
  ['lost, beside an equal object', lost, equal, listed, 'again'],
  ['lost, and gone', lost, absent, 'gone', 'seek'],
  ["lost, and gone, another's there", lost, theirs, 'gone', 'seek'],
  ["lost, and another's in the way", forbidding, theirs, listed, 'exists'],
  ['lost, and nothing in the way', forbidding, absent, listed, 'again'],
  ["it exists, and is another's", exists, theirs, listed, 'theirs'],
  ["it exists, another's, and gone", exists, theirs, 'gone', 'theirs'],
  ['it exists, and is gone again', exists, absent, listed, 'believe'],
  ['it exists, and nobody may look', exists, unknown, 'refused', 'again'],
  ['it exists, unseen, still there', exists, unknown, listed, 'believe'],
  [
    'it exists, said at once',
    { ...exists, isUnsure: false },
    unknown,
    'refused',
    'believe',
  ],
  ['refused, and still there', refused, absent, listed, 'believe'],
  ['refused, and gone', refused, absent, 'gone', 'seek'],
  ['refused, beside an equal object', refused, equal, listed, 'believe'],
  ['refused, and nobody may list', refused, equal, 'refused', 'unknown'],
]

await t.test('what comes of a Complete that failed', (t) => {
  const expected = { crc64: '5', etag: undefined }
  for (const [name, failure, seen, parts, next, sentBefore] of cases) {
    const sent = { expected, sentBefore }
    t.same(afterComplete(failure, seen, parts, sent), next, name)
  }
  t.end()
})

await t.test('what is wrong where Complete was refused for good', (t) => {
  const parts = [
    { partNumber: 1, etag: '"A"', size: 5 },
    { partNumber: 2, etag: '"B"', size: 5 },
    { partNumber: 3, etag: '"C"', size: 4 },
  ]
  const there = (etags: string[], size = 5): Listed =>
    new Map(
      etags.map((etag, index) => [
        index + 1,
        { partNumber: index + 1, etag, size: index === 2 ? 4 : size },
      ]),
    )
  const all = there(['a', 'b', 'c'])
  const rows: [string, StoreErrorKind, Listed | 'gone', unknown][] = [
    ['too small, whatever is there', 'too-small', 'refused', 'part-size'],
    ['one is missing', 'invalid-part', there(['a', 'b']), [3]],
    ['one is another', 'invalid-part', there(['a', 'x', 'c']), [2]],
    ['of other sizes', 'invalid-part', there(['a', 'b', 'c'], 6), [1, 2]],
    ['as they were sent', 'invalid-part', all, 'complete-refused'],
    ['nobody may list them', 'invalid-part', 'refused', 'complete-refused'],
  ]
  for (const [name, kind, parts2, fault] of rows) {
    t.same(faultOf(kind, parts, parts2, never), fault, name)
  }
  const growing = [
    { partNumber: 1, etag: 'A', size: 5 },
    { partNumber: 2, etag: 'B', size: 6 },
    { partNumber: 3, etag: 'C', size: 4 },
  ]
  const grown: Listed = new Map(growing.map((part) => [part.partNumber, part]))
  t.equal(faultOf('invalid-part', growing, grown, never), 'equal-parts')
  const more: Listed = new Map([...grown, [4, { ...head, partNumber: 4 }]])
  t.equal(
    faultOf('invalid-part', growing, more, never),
    'complete-refused',
    'what others have sent is left out',
  )
  const lagging: Listed = new Map([...more, [2, { ...head, partNumber: 2 }]])
  const dropped = (number: number): boolean => number === 2
  t.same(
    faultOf('invalid-part', growing, lagging, never),
    [2],
    'sent anew once',
  )
  t.equal(
    faultOf('invalid-part', growing, lagging, dropped),
    'complete-refused',
    'and not again while there are more',
  )
  const late: Listed = new Map([[4, { ...head, partNumber: 4 }]])
  t.same(faultOf('invalid-part', growing, late, never), [1, 2, 3])
  t.equal(faultOf('invalid-part', growing, late, dropped), 'complete-refused')
  const fewer: Listed = new Map([...grown, [2, { ...head, partNumber: 2 }]])
  t.same(faultOf('invalid-part', growing, fewer, dropped), [2])
  t.end()
})

const mark = 'ab'.repeat(16)
const md5 = '0'.repeat(32)
const put = expectedPut(
  { type: 'completing', put: true, size: 10, md5, mark },
  { isBinding: true },
)
const noFacts = { dropsMarks: false, hasMd5Etags: false }

await t.test('what is under the key after a PutObject', (t) => {
  const ours: ObjectHead = { etag: md5, size: 10, mark }
  const rewritten: ObjectHead = { ...ours, etag: '1'.repeat(32) }
  const others: ObjectHead = { etag: md5, size: 11 }
  const rows: [string, Found, object, string[], ObjectHead | '', boolean][] = [
    ['ours', ours, {}, [], ours, false],
    ["another's", others, {}, [], '', false],
    ['none', 'absent', {}, [], '', false],
    ['it may not be looked at', 'refused', {}, [], '', false],
    ['our mark, another ETag', rewritten, {}, [], '', true],
    ['ETags are MD5s', rewritten, { hasMd5Etags: true }, [], '', false],
    ['a PUT named it', rewritten, {}, ['1'.repeat(32)], rewritten, false],
  ]
  for (const [name, found, facts, answered, made, isDoubtful] of rows) {
    const known = { ...noFacts, ...facts }
    t.same(
      seenPut(found, put, known, new Set(answered)),
      { found, made: made === '' ? undefined : made, isDoubtful },
      name,
    )
  }
  t.end()
})

await t.test('what a PutObject that was given up has come to', (t) => {
  const seen = (found: Found, more: Partial<SeenPut> = {}): SeenPut => ({
    found,
    made: undefined,
    isDoubtful: false,
    ...more,
  })
  const made = seen(marked, { made: marked })
  const same = seen(head, { made: head })
  const doubtful = seen(head, { isDoubtful: true })
  const rows: [
    string,
    StoreErrorKind | undefined,
    boolean,
    SeenPut,
    ReturnType<typeof afterPut>,
  ][] = [
    ['lost, and there', 'network', true, made, marked],
    ['lost, equal bytes', 'network', true, same, head],
    ['refused at once, our mark', 'exists', false, made, marked],
    [
      "refused at once, equal bytes: another's",
      'exists',
      false,
      same,
      'believe',
    ],
    ['refused after a lost answer, equal bytes', 'exists', true, same, head],
    ['lost, and not there', 'network', true, seen('absent'), 'unheard'],
    ['lost, not to be seen', 'network', true, seen('refused'), 'unheard'],
    ['lost, perhaps ours', 'network', true, doubtful, 'unheard'],
    ["refused for another's", 'exists', true, seen(head), 'believe'],
    [
      'refused at once, not to be seen',
      'exists',
      false,
      seen('refused'),
      'believe',
    ],
    ['refused, not to be seen', 'exists', true, seen('refused'), 'unknown'],
    ['refused, and gone', 'exists', true, seen('absent'), 'unknown'],
    ['refused, perhaps ours', 'exists', true, doubtful, 'undecided'],
  ]
  for (const [name, kind, isUnsure, found, come] of rows) {
    t.same(afterPut({ kind, isUnsure }, found), come, name)
  }
  t.end()
})
