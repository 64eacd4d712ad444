/** Whether a source is the object that an earlier run's Complete has made. */
import t from 'tap'
import { etagsDigest, type PartRecord } from '../../../lib/checkpoint/record.js'
import { Claim } from '../../../lib/upload/rules/claim.js'
import type { Candidate } from '../../../lib/upload/rules/judge.js'
import {
  combinedCrc64,
  multipartEtag,
} from '../../../lib/upload/rules/proof.js'
import { part, PART, uploadState } from '../../support/log-fixture.js'

/** What Complete has named: two whole parts and a short one. */
const named = [part(1), part(2), part(3, { size: 9 })]
const size = 2 * PART + 9
const whole = combinedCrc64('crc64ecma', named)
const crc = {
  isWanted: true,
  variant: 'crc64ecma',
  isBefore: false,
} as const

function claim(
  records: readonly PartRecord[],
  headCrc64: string | undefined,
  headEtag = 'e',
): Claim {
  const etags = named.map(({ etag }) => etag)
  return new Claim(
    {
      upload: uploadState({
        parts: new Map(records.map((record) => [record.number, record])),
      }),
      completing: {
        type: 'completing',
        parts: named.length,
        size,
        etagsDigest: etagsDigest(etags),
      },
      head: { etag: headEtag, size, crc64: headCrc64 },
    },
    crc,
  )
}

/** The source's parts, by what their bytes are. */
const same = named.map(({ size: bytes, hash }) => ({ size: bytes, hash }))
const [first, second, third] = same as [Candidate, Candidate, Candidate]
const otherHash = { ...second, hash: 'f'.repeat(16) }
const strong = same.map(({ size: bytes }) => ({
  size: bytes,
  hash: 'a'.repeat(64),
}))
const without = (number: number): PartRecord[] =>
  named.filter((record) => record.number !== number)
const replaced = [part(1), part(2, { etag: '"other"' }), part(3, { size: 9 })]

type Row = [
  name: string,
  records: readonly PartRecord[],
  headCrc64: string | undefined,
  source: readonly Candidate[],
  /** Of each part, up to the first that is not the object's. */
  verdicts: ReturnType<Claim['judge']>[],
  isWhole: boolean,
]

const rows: Row[] = [
  ['all its parts', named, whole, same, [true, true, true], true],
  ['no CRC-64 to compare', named, undefined, same, [true, true, true], true],
  ['another object', named, '1', same, [true, true, true], false],
  ['too few parts', named, whole, [first, second], [true, true], false],
  ['nothing', named, whole, [], [], false],
  ['another part', named, whole, [first, otherHash], [true, false], false],
  [
    'a part of another size',
    named,
    whole,
    [first, { ...second, size: 5 }],
    [true, false],
    false,
  ],
  [
    'a part too many',
    named,
    whole,
    [...same, third],
    [true, true, true, false],
    true,
  ],
  ['a record lost', without(2), whole, same, [true, 'crc64', true], true],
  [
    'a record lost, and the object is another',
    without(2),
    '1',
    same,
    [true, 'crc64', true],
    false,
  ],
  [
    'a record lost, and no CRC-64 to compare',
    without(2),
    undefined,
    same,
    [true, false],
    false,
  ],
  ['every record lost', [], whole, same, ['crc64', 'crc64', 'crc64'], true],
  [
    'a record of a later run, no CRC-64 to compare',
    replaced,
    undefined,
    same,
    [true, true, true],
    false,
  ],
  ['a proof of another kind', named, whole, strong, [false], false],
  [
    'an earlier proof of a stronger kind',
    named.map((record) => ({ ...record, hash: 'a'.repeat(64) })),
    undefined,
    same,
    [true, true, true],
    true,
  ],
  [
    'an earlier proof of a stronger kind, of other bytes',
    named.map((record) => ({ ...record, hash: 'b'.repeat(64) })),
    whole,
    same,
    [false],
    false,
  ],
  [
    'a proof of the same strong kind',
    named.map((record) => ({ ...record, hash: 'a'.repeat(64) })),
    undefined,
    strong,
    [true, true, true],
    true,
  ],
]

await t.test('a source is the object, or ceases to be', async (t) => {
  for (const [name, records, headCrc64, source, verdicts, isWhole] of rows) {
    const claimed = claim(records, headCrc64)
    const found: (typeof verdicts)[number][] = []
    for (const [at, candidate] of source.entries()) {
      let verdict = claimed.judge(at + 1, candidate)
      if (verdict === 'sha256') {
        const hash = 'a'.repeat(64)
        verdict = claimed.judge(at + 1, { ...candidate, hash })
      }
      found.push(verdict)
      if (verdict === false) break
      if (verdict !== 'crc64') continue
      const { size: bytes } = candidate
      const crc64 = named[at]?.crc64
      claimed.add({ size: bytes, crc64, check: 'crc64' })
    }
    t.same(found, verdicts, name)
    t.equal(claimed.isWhole(), isWhole, `${name}: whole`)
    t.equal(claimed.parts, verdicts.filter((one) => one !== false).length)
  }
})

const md5s = ['a', 'b', 'c'].map((digit) => digit.repeat(32))
const recorded = named.map((record, at) => ({
  ...record,
  etag: `"${md5s[at]?.toUpperCase()}"`,
}))
const other = 'd'.repeat(32)

await t.test(
  'parts whose records are lost are the object by their MD5s, where its ETag is made of them',
  async (t) => {
    const etag = multipartEtag(md5s)
    const rows: [
      string,
      string,
      readonly string[],
      boolean | 'md5',
      boolean,
    ][] = [
      ['the same bytes', etag, md5s, 'md5', true],
      ['as OSS spells it', etag.toUpperCase(), md5s, 'md5', true],
      ['other bytes', etag, [md5s[0] ?? '', other, other], 'md5', false],
      ['an object of other parts', `${other}-3`, md5s, 'md5', false],
      ['of another number of parts', `${other}-2`, md5s, false, false],
      ['an ETag that is no MD5', 'opaque-3', md5s, false, false],
    ]
    for (const [name, head, bytes, verdict, isWhole] of rows) {
      const claimed = claim(recorded.slice(0, 1), undefined, head)
      t.equal(claimed.judge(1, first), true, name)
      for (const [at, candidate] of [second, third].entries()) {
        const found = claimed.judge(at + 2, candidate)
        t.equal(found, verdict, `${name}: part ${at + 2}`)
        if (found !== 'md5') continue
        claimed.add({ size: candidate.size, md5: bytes[at + 1], check: 'md5' })
      }
      t.equal(claimed.isWhole(), isWhole, `${name}: whole`)
      t.equal(claimed.judge(2, strong[1] ?? second), false, `${name}: SHA-256`)
    }
  },
)

await t.test(
  'what the server had confirmed of the parts is kept',
  async (t) => {
    const records = [part(1), part(2, { check: 'md5' })]
    const claimed = claim(records, whole)
    claimed.judge(1, first)
    claimed.judge(2, second)
    claimed.add({ size: 9 })
    t.same([...claimed.checks].toSorted(), ['crc64', 'md5', 'none'])
  },
)

await t.test(
  'the CRC-64 of what was found equal and of what follows',
  async (t) => {
    const claimed = claim(named, whole)
    claimed.judge(1, first)
    claimed.judge(2, second)
    t.equal(claimed.crc64With({ size: 9, crc64: named[2]?.crc64 }), whole)
    t.equal(claimed.crc64With({ size: 9, crc64: undefined }), undefined)
  },
)

await t.test("receipts of others are the object's, or are not", async (t) => {
  const others = [part(1), part(2, { hash: '0'.repeat(16) }), named[2]]
  const unlike = [part(1), part(2, { crc64: '1' }), named[2]]
  const rows: [string, Claim, readonly (PartRecord | undefined)[], boolean][] =
    [
      ['of the log', claim(named, undefined), named, true],
      ['by the CRC-64 alone', claim([], whole), named, true],
      ['nothing to compare', claim([], undefined), named, false],
      ['of other bytes', claim(named, undefined), others, false],
      ['of another CRC-64', claim([], whole), unlike, false],
      ['too few', claim(named, whole), named.slice(0, 2), false],
      ['too many', claim(named, whole), [...named, part(4)], false],
    ]
  for (const [name, one, receipts, expected] of rows) {
    const records = receipts.filter((record) => record !== undefined)
    t.equal(one.isOf(records), expected, name)
  }
})
