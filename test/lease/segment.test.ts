import t from 'tap'
import {
  decodeHeartbeat,
  decodeSegment,
  encodeHeartbeat,
  encodeSegment,
  foldSegments,
  untilFree,
  type Segment,
  type SegmentKind,
} from '../../lib/lease/segment.js'

const [one, two] = ['1'.repeat(32), '2'.repeat(32)]
const text = (of: string) => Buffer.from(of)

await t.test('what is written is read', (t) => {
  const segments: Segment[] = [
    { number: 1, token: one, kind: 'held', end: 0, bytes: text('') },
    { number: 7, token: one, kind: 'data', end: 0, bytes: text('a\nb') },
    { number: 123_456_789, token: two, kind: 'aside', end: 0, bytes: text('') },
    { number: 8, token: two, kind: 'removed', end: 0, bytes: text('') },
    { number: 1, token: two, kind: 'moved', end: 8, bytes: text('') },
  ]
  for (const segment of segments) {
    const written = encodeSegment(segment)
    t.same(decodeSegment(written, segment.number), segment, segment.kind)
    t.equal(decodeSegment(written, segment.number + 1), undefined)
  }
  const heartbeats = [
    { token: one, lease: 1000, isFree: true, end: 0 },
    { token: two, lease: 86_400_000, isFree: false, end: 12 },
  ]
  for (const heartbeat of heartbeats) {
    t.same(decodeHeartbeat(encodeHeartbeat(heartbeat)), heartbeat)
  }
  t.end()
})

await t.test('anything else is no segment', (t) => {
  const rows = [
    '',
    'pawl',
    `pawl-segment 2 1 ${one} held\n`,
    `pawl-segment 1 1 ${one} held`,
    `pawl-segment 1 01 ${one} held\n`,
    `pawl-segment 1 1 ${one.slice(1)} held\n`,
    `pawl-segment 1 1 ${one} other\n`,
    `pawl-segment 1 1 ${one} held\nbytes`,
    `pawl-segment 1 1 ${one} moved\n`,
    `pawl-segment 1 1 ${one} data 4\n`,
    `pawl-segment 1 1 ${one} moved 0\n`,
  ]
  for (const row of rows) t.equal(decodeSegment(text(row), 1), undefined, row)
  for (const row of ['', `pawl-hold 1 ${one} 1000 gone 0\n`, 'x'.repeat(500)]) {
    t.equal(decodeHeartbeat(text(row)), undefined, row)
  }
  t.end()
})

await t.test('what segments add up to', (t) => {
  const rows: [string, [SegmentKind, string?][], string, number, number][] = [
    ['none', [], '', 5, 5],
    ['taken, nothing written', [['held']], '', 5, 6],
    [
      'taken over in between',
      [['held'], ['data', 'a'], ['held'], ['data', 'b']],
      'ab',
      5,
      9,
    ],
    [
      'set aside',
      [['held'], ['data', 'a'], ['aside'], ['data', 'b']],
      'b',
      5,
      9,
    ],
    ['removed', [['held'], ['data', 'a'], ['removed']], '', 8, 8],
    [
      'begun anew behind it',
      [['held'], ['data', 'a'], ['removed'], ['held'], ['data', 'b']],
      'b',
      8,
      10,
    ],
  ]
  for (const [name, kinds, bytes, first, next] of rows) {
    const segments = kinds.map(([kind, data = ''], index) => ({
      number: 5 + index,
      token: one,
      kind,
      end: 0,
      bytes: text(data),
    }))
    const log = foldSegments(segments, 5)
    t.equal(Buffer.from(log.bytes).toString(), bytes, name)
    t.same([log.first, log.next], [first, next], name)
    t.equal(log.token, kinds.length === 0 ? undefined : one, name)
  }
  t.end()
})

await t.test('when a log may be taken', (t) => {
  const held = { token: one, lease: 20_000, isFree: false, end: 0 }
  const free = { ...held, isFree: true }
  type Row = [string, Parameters<typeof untilFree>[0], number | undefined]
  const rows: Row[] = [
    [
      'nobody ever had it',
      { heartbeat: undefined, token: undefined, age: undefined, lease: 5000 },
      undefined,
    ],
    [
      'held, by its holder’s lease',
      { heartbeat: held, token: one, age: 4000, lease: 5000 },
      17_000,
    ],
    [
      'its lease is over',
      { heartbeat: held, token: one, age: 31_000, lease: 5000 },
      -10_000,
    ],
    [
      'let go of',
      { heartbeat: free, token: one, age: 4000, lease: 5000 },
      -4000,
    ],
    [
      'let go of, and taken by one that has said nothing yet',
      { heartbeat: free, token: two, age: 1000, lease: 5000 },
      5000,
    ],
    [
      'taken by one that died before it said anything',
      { heartbeat: undefined, token: two, age: 7000, lease: 5000 },
      -1000,
    ],
    [
      'removed, with all that was before it',
      { heartbeat: free, token: undefined, age: 10, lease: 5000 },
      -10,
    ],
  ]
  for (const [name, signs, expected] of rows) {
    t.equal(untilFree(signs), expected, name)
  }
  t.end()
})
