/** Whose the object under a key is: equal is not ours. */
import t from 'tap'
import type { ObjectHead } from '../../../lib/store/object-store.js'
import {
  checkObject,
  expectedEtag,
  multipartEtag,
  whose,
  type ExpectedObject,
  type Found,
  type Seen,
} from '../../../lib/upload/rules/proof.js'
import {
  sentBefore,
  wasSentOtherwise,
  type SentBefore,
} from '../../../lib/upload/rules/completing.js'
import { uploadState } from '../../support/log-fixture.js'

const md5 = '25f9e794323b453885f5181f1b624d0b'
const other = '0'.repeat(32)
const mark = 'ab'.repeat(16)
const theirs = 'cd'.repeat(16)
const etag = multipartEtag([md5, md5])
const binding = { value: etag, isBinding: true }
const loose = { value: etag, isBinding: false }
const time = 1_750_000_000_000

function head(fields: Partial<ObjectHead> = {}): ObjectHead {
  return { size: 10, etag: 'x', lastModified: time, ...fields }
}

function expected(fields: Partial<ExpectedObject> = {}): ExpectedObject {
  return {
    size: 10,
    crc64: undefined,
    etag: undefined,
    mark,
    isOnly: true,
    mayBeReplayed: false,
    begun: time,
    before: undefined,
    ...fields,
  }
}

const plain = { mark: undefined, crc64: '5', before: { etag: 'old' } }

const cases: [string, Found, Partial<ExpectedObject>, Seen['is']][] = [
  ['nothing', 'absent', {}, 'other'],
  ['no permission to look', 'refused', {}, 'unknown'],
  ['our mark and size', head({ mark }), {}, 'ours'],
  ['another size', head({ mark, size: 9 }), {}, 'other'],
  ['our mark and CRC-64', head({ mark, crc64: '5' }), { crc64: '5' }, 'ours'],
  [
    'our mark, another CRC-64',
    head({ mark, crc64: '6' }),
    { crc64: '5' },
    'other',
  ],
  ['our mark and ETag', head({ mark, etag }), { etag: binding }, 'ours'],
  [
    'our mark, the ETag of other parts',
    head({ mark, etag: `${other}-2` }),
    { etag: binding },
    'other',
  ],
  [
    'our mark, an ETag of another form',
    head({ mark, etag: `${other}-3` }),
    { etag: binding },
    'ours',
  ],
  [
    'our mark, an ETag that was never compared',
    head({ mark, etag: `${other}-2` }),
    { etag: loose },
    'ours',
  ],
  [
    'our mark, an encrypted object',
    head({ mark, etag: `${other}-2`, isOpaque: true }),
    { etag: binding },
    'ours',
  ],
  [
    'our mark alone, where others sent parts too',
    head({ mark }),
    { isOnly: false },
    'other',
  ],
  [
    'our mark and CRC-64, where others sent parts too',
    head({ mark, crc64: '5' }),
    { isOnly: false, crc64: '5' },
    'ours',
  ],
  ['equal bytes, no mark', head({ crc64: '5' }), { crc64: '5' }, 'other'],
  [
    'equal bytes, another mark',
    head({ crc64: '5', mark: theirs }),
    { crc64: '5' },
    'other',
  ],
  ['equal bytes, none was sent', head({ crc64: '5' }), plain, 'equal'],
  [
    'equal bytes, none was sent, another’s mark',
    head({ crc64: '5', mark: theirs }),
    plain,
    'other',
  ],
  ['no proof, none was sent', head(), { ...plain, crc64: undefined }, 'other'],
  [
    'equal bytes, older than the upload',
    head({ crc64: '5', lastModified: time - 2001 }),
    plain,
    'other',
  ],
  [
    'equal bytes, as old as seconds tell',
    head({ crc64: '5', lastModified: time - 2000 }),
    plain,
    'equal',
  ],
  [
    'equal bytes, there before',
    head({ crc64: '5', etag: '"x"' }),
    { ...plain, before: { etag: 'x', lastModified: time } },
    'other',
  ],
  [
    'equal bytes, nothing was there before',
    head({ crc64: '5' }),
    { ...plain, before: { etag: '' } },
    'equal',
  ],
  [
    'equal bytes, nobody looked before',
    head({ crc64: '5' }),
    { ...plain, before: undefined },
    'other',
  ],
  [
    'a PutObject: equal bytes, nothing there before',
    head({ crc64: '5' }),
    { ...plain, begun: undefined, before: { etag: '' } },
    'equal',
  ],
]

await t.test('whose an object is', async (t) => {
  for (const [name, found, fields, is] of cases) {
    t.equal(whose(found, expected(fields), { dropsMarks: false }).is, is, name)
  }
})

await t.test('a store that drops marks is asked for the bytes', async (t) => {
  const bytes = { crc64: '5' }
  const dropping = { dropsMarks: true }
  t.equal(whose(head(bytes), expected(bytes), dropping).is, 'equal')
  t.equal(whose(head(), expected(), dropping).is, 'other')
  t.equal(
    whose(head({ ...bytes, mark: theirs }), expected(bytes), dropping).is,
    'other',
  )
  t.equal(whose(head({ ...bytes, mark }), expected(bytes), dropping).is, 'ours')
})

await t.test('what an ETag is worth', async (t) => {
  const compared = { etag: `"${md5}"`, md5 }
  t.same(expectedEtag([compared, compared]), binding)
  t.same(expectedEtag([compared, { etag: md5 }]), loose)
  t.equal(expectedEtag([compared, { etag: 'opaque' }]), undefined)
  t.equal(expectedEtag([]), undefined)
  const crc64 = undefined
  t.equal(checkObject({ etag: `"${etag}"` }, { crc64, etag: loose }), 'md5')
  t.equal(checkObject({ etag: '' }, { crc64, etag: binding }), 'none')
})

await t.test('what went with the Completes of an upload', (t) => {
  const [mine, others] = ['a'.repeat(64), 'b'.repeat(64)]
  const done = { type: 'done' as const, etag: 'e', size: 10 }
  const [sent, refused] = [1, 0]
  type Sent = [digest: string, inDoubt: number][]
  const cases: [string, Sent, boolean, boolean, SentBefore][] = [
    ['none was sent', [], false, false, undefined],
    ['all alike', [[mine, sent]], false, false, 'alike'],
    ['another one', [[others, sent]], false, true, 'otherwise'],
    [
      'one of each, nobody heard',
      [
        [others, sent],
        [mine, sent],
      ],
      false,
      true,
      'otherwise',
    ],
    [
      'one of each, and the last was heard',
      [
        [others, sent],
        [mine, sent],
      ],
      true,
      false,
      'alike',
    ],
    [
      'one of each, another was heard',
      [
        [mine, sent],
        [others, sent],
      ],
      true,
      true,
      'otherwise',
    ],
    [
      'another one, which was refused',
      [
        [others, refused],
        [mine, sent],
      ],
      false,
      false,
      'alike',
    ],
    [
      'another one, when this one was refused',
      [
        [mine, refused],
        [others, sent],
      ],
      false,
      true,
      'otherwise',
    ],
    [
      'refused, and nothing else was sent',
      [[mine, refused]],
      false,
      false,
      'refused',
    ],
    [
      'another one was refused, and nothing else was sent',
      [[others, refused]],
      false,
      true,
      'otherwise-refused',
    ],
    [
      'all were refused, and not all were alike',
      [
        [others, refused],
        [mine, refused],
      ],
      false,
      true,
      'otherwise-refused',
    ],
  ]
  for (const [name, digests, isDone, isOtherwise, before] of cases) {
    const last = digests.at(-1)?.[0]
    const completing = {
      type: 'completing' as const,
      parts: 1,
      size: 10,
      etagsDigest: mine,
      sentDigest: last,
    }
    const upload = uploadState({
      sentDigests: new Map(digests),
      completing: last === undefined ? undefined : completing,
      done: isDone ? done : undefined,
    })
    t.equal(wasSentOtherwise(upload, mine), isOtherwise, name)
    t.equal(sentBefore(upload, mine), before, name)
  }
  t.end()
})
