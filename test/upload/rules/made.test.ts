/** What an answered Complete has made, by the answer and by what HEAD has shown. */
import t from 'tap'
import type {
  ObjectHead,
  ObjectReceipt,
} from '../../../lib/store/object-store.js'
import { madeObject, type Made } from '../../../lib/upload/rules/outcome.js'
import type { ExpectedObject, Found } from '../../../lib/upload/rules/proof.js'

const mark = 'ab'.repeat(16)
const time = 1_750_000_000_000
const etag = `${'1'.repeat(32)}-2`
const others = '2'.repeat(32)

const expected: ExpectedObject = {
  size: 10,
  crc64: '5',
  etag: undefined,
  mark,
  isOnly: true,
  mayBeReplayed: false,
  begun: time,
  before: undefined,
}

function head(fields: Partial<ObjectHead>): ObjectHead {
  return { size: 10, etag, crc64: '5', lastModified: time, ...fields }
}

const told: ObjectReceipt = { etag }
const untold: ObjectReceipt = { etag: '' }

/** Of a store that orders by Initiate, of which nothing is known yet. */
const cases: [
  string,
  ObjectReceipt,
  Found,
  { etag: string; current: boolean | undefined; dropsMarks: boolean },
][] = [
  [
    'the object of the answer, without the mark: this store drops marks',
    told,
    head({}),
    { etag, current: true, dropsMarks: true },
  ],
  [
    'an equal object without a mark, of another ETag than the answer’s',
    told,
    head({ etag: others }),
    { etag, current: false, dropsMarks: false },
  ],
  [
    'an equal object without a mark, where the answer had no ETag',
    untold,
    head({ etag: others }),
    { etag: '', current: undefined, dropsMarks: false },
  ],
  [
    'one of other bytes, where the answer had no ETag',
    untold,
    head({ etag: others, crc64: '6' }),
    { etag: '', current: false, dropsMarks: false },
  ],
  [
    'ours by its mark, where the answer had no ETag',
    untold,
    head({ mark }),
    { etag, current: true, dropsMarks: false },
  ],
  [
    'nothing, where the answer had no ETag',
    untold,
    'absent',
    { etag: '', current: false, dropsMarks: false },
  ],
]

await t.test('what HEAD shows after an answered Complete', async (t) => {
  for (const [name, receipt, found, made] of cases) {
    const is: Made = madeObject(receipt, found, expected, {
      ordersByInitiate: true,
      dropsMarks: false,
    })
    const { current, dropsMarks } = is
    t.same({ etag: is.receipt.etag, current, dropsMarks }, made, name)
  }
})

await t.test(
  'where marks are known to be dropped, equal is ours',
  async (t) => {
    const store = { ordersByInitiate: true, dropsMarks: true }
    const made = madeObject(untold, head({}), expected, store)
    t.match(made, { receipt: { etag }, current: true, check: 'crc64' })
  },
)

await t.test(
  'without marks and an ETag in the answer, other parts are another run’s',
  async (t) => {
    const theirs = `${others}-2`
    const ours = { value: etag, isBinding: true }
    const sent = { ...expected, crc64: undefined, etag: ours }
    const found = head({ etag: theirs, crc64: undefined })
    const unmarked = { ...sent, mark: undefined }
    const store = { ordersByInitiate: false, dropsMarks: false }
    const dropping = { ...store, dropsMarks: true }
    const checkOf = (...made: Parameters<typeof madeObject>) =>
      madeObject(...made).check
    t.equal(checkOf(untold, found, unmarked, store), 'others')
    t.equal(checkOf(untold, found, sent, dropping), 'others')
    t.equal(checkOf(untold, found, sent, store), 'others', 'perhaps dropped')
    const marked = { ...found, mark }
    t.equal(checkOf(untold, marked, unmarked, store), 'none', 'marked')
    const whole = { ...found, etag: others }
    t.equal(checkOf(untold, whole, unmarked, store), 'none', 'put whole')
  },
)

await t.test(
  'an object that is gone before it was seen is told, and not verified',
  async (t) => {
    const store = { ordersByInitiate: false, dropsMarks: false }
    const ours = { value: etag, isBinding: true }
    const sent = { ...expected, crc64: undefined, etag: ours }
    for (const found of ['absent', head({ mark: others })] as const) {
      const made = madeObject(untold, found, sent, store)
      t.match(made, { receipt: { etag }, check: 'none', current: undefined })
    }
    // The answer itself may say what it has made.
    const spoken = madeObject(
      { etag: '', crc64: '5' },
      'absent',
      expected,
      store,
    )
    t.equal(spoken.check, 'crc64')
  },
)

await t.test(
  'what an earlier Complete of other parts may have made is looked at',
  async (t) => {
    const store = { ordersByInitiate: false, dropsMarks: false }
    const sent = { ...expected, crc64: undefined, mayBeReplayed: true }
    const ours = head({ mark, crc64: undefined })
    const rows: [string, Found, Partial<ExpectedObject>, Made['check']][] = [
      ['of our size, which no other has', ours, {}, 'none'],
      ['of our size, as another is', ours, { isOnly: false }, 'others'],
      ['of another size', { ...ours, size: 7 }, {}, 'others'],
      ['without the mark', head({ crc64: undefined }), {}, 'others'],
      ['not there', 'absent', {}, 'others'],
      ['not to be seen', 'refused', {}, 'others'],
    ]
    for (const [name, found, more, check] of rows) {
      const all = { ...sent, ...more }
      t.equal(madeObject(told, undefined, all, store).needsLook, true)
      t.equal(madeObject(told, found, all, store).check, check, name)
    }
    // The answer's own word can be compared, or there was no other.
    const spoken = { etag, crc64: '5' }
    const compared = { ...expected, mayBeReplayed: true }
    const made = madeObject(spoken, undefined, compared, store)
    t.match(made, { check: 'crc64', needsLook: false })
    const only = { ...sent, mayBeReplayed: false }
    t.equal(madeObject(told, undefined, only, store).needsLook, false)
  },
)

await t.test(
  'another version without the mark is another’s, of equal bytes',
  (t) => {
    const store = { ordersByInitiate: true, dropsMarks: false }
    const answer = { etag, versionId: '1' }
    const bare = head({ etag, crc64: undefined, mark: undefined })
    const rows = [
      ['another version', { ...bare, versionId: '2' }, false],
      ['the same version', { ...bare, versionId: '1' }, true],
      ['no versions', bare, true],
    ] as const
    for (const [name, found, dropsMarks] of rows) {
      const made = madeObject(
        answer,
        found,
        { ...expected, crc64: undefined },
        store,
      )
      t.equal(made.dropsMarks, dropsMarks, name)
      t.equal(made.receipt.versionId, '1', name)
    }
    t.end()
  },
)

await t.test('an answer without an ETag needs a look that tells of it', (t) => {
  const store = { ordersByInitiate: false, dropsMarks: false }
  const sent = { ...expected, crc64: undefined }
  const rows = [
    ['it was not looked at', undefined, true],
    ['nothing is there yet', 'absent', true],
    ['it may not be looked at', 'refused', false],
    [
      'another’s',
      head({ etag: others, crc64: undefined, mark: undefined }),
      true,
    ],
    ['ours', head({ etag, crc64: undefined, mark }), false],
  ] as const
  for (const [name, found, needsLook] of rows) {
    const made = madeObject(untold, found, sent, store)
    t.equal(made.needsLook, needsLook, name)
  }
  t.end()
})
