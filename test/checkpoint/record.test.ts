import fc from 'fast-check'
import t from 'tap'
import { decodeRecord, encodeRecord } from '../../lib/checkpoint/record.js'
import type { LogRecord } from '../../lib/checkpoint/record.js'
import {
  DIGEST,
  PART,
  header,
  logOf,
  part,
  readGood,
  story,
  upload,
} from '../support/log-fixture.js'

/** Well-formed text with a taste for what breaks lines and escapes. */
const hostile = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\n',
      '\r',
      '\0',
      '\\',
      '"',
      '\u007f',
      '\u2028',
      '💾',
      '\ufeff',
    ),
  ),
  { maxLength: 12 },
)
const key = hostile
  .map((parts) => parts.join(''))
  .filter((text) => text !== '' && Buffer.byteLength(text) <= 1024)
const uploadId = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
  .filter((text) => !/\p{Control}/u.test(text))

function roundTrip(record: LogRecord): unknown {
  return decodeRecord(record.type, encodeRecord(record))
}

/** Without fields that are undefined. */
function plain(record: LogRecord): unknown {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  )
}

await t.test('every record comes back as it went', (t) => {
  for (const record of story.flat())
    t.strictSame(roundTrip(record), plain(record))
  const whole = header({
    fileIdentity: {
      device: '66306',
      inode: '18446744073709551615',
      size: 0,
      mtime: '-1700000000000000001',
      ctime: '0',
    },
    sourceDigest: DIGEST,
    proof: 'sha256',
  })
  t.strictSame(roundTrip(whole), whole)
  t.end()
})

await t.test('a key of any characters stays on one line of ASCII', (t) => {
  fc.assert(
    fc.property(key, (text) => {
      const record = header({ key: text })
      const json = encodeRecord(record)
      return (
        /^[\x20-\x7e]+$/.test(json) &&
        json.startsWith('{"pawl":1,"logId":"') &&
        JSON.stringify(roundTrip(record)) === JSON.stringify(plain(record))
      )
    }),
  )
  t.end()
})

await t.test(
  'a log with hostile names reads back what was written',
  async () => {
    await fc.assert(
      fc.asyncProperty(key, uploadId, uploadId, async (text, first, second) => {
        const log = await logOf([
          [header({ key: text })],
          [upload(first), part(1)],
          [{ type: 'void', uploadId: first, reason: 'test' }],
          [upload(`${second}2`), part(2)],
        ])
        const { state, damage } = readGood(log)
        return (
          state.header.key === text &&
          state.upload?.uploadId === `${second}2` &&
          state.upload.parts.has(2) &&
          damage.lines + damage.refused + damage.missing === 0
        )
      }),
    )
  },
)

await t.test('fields that are not known are passed over', (t) => {
  const json = JSON.stringify({ ...part(1), type: undefined, later: [1] })
  t.strictSame(decodeRecord('part', json), part(1))
  t.strictSame(
    decodeRecord('closed', '{"__proto__":{"polluted":1},"uploadId":"U"}'),
    { type: 'closed', uploadId: 'U' },
  )
  t.end()
})

const refused: Record<string, Record<string, unknown>[]> = {
  log: [
    { pawl: 2 },
    { logId: 'A'.repeat(32) },
    { store: '' },
    { store: 'a\nb' },
    { bucket: 7 },
    { key: '' },
    { key: 'ü'.repeat(513) },
    { key: '\ud800' },
    { partSize: 0 },
    { partSize: 5 * 1024 ** 3 + 1 },
    { partSize: 1.5 },
    { proof: 'md5' },
    { optionsDigest: 'ab' },
    { sourceDigest: 'the source itself' },
    { fileIdentity: { device: '1', inode: '2' } },
    { fileIdentity: null },
    { time: -1 },
    { time: 9e15 },
    { run: 0 },
  ],
  upload: [
    { mark: DIGEST },
    { growth: [] },
    { growth: [{ from: 1, partSize: 8 }] },
    { growth: [{ from: 2, partSize: 0 }] },
    { growth: [{ from: 2, partSize: 8, more: 1 }] },
    {
      growth: [
        { from: 3, partSize: 8 },
        { from: 2, partSize: 9 },
      ],
    },
    {
      growth: [
        { from: 2, partSize: 9 },
        { from: 3, partSize: 9 },
      ],
    },
    {
      growth: Array.from({ length: 17 }, (_, i) => ({
        from: i + 2,
        partSize: i + 1,
      })),
    },
    { uploadId: '' },
    { uploadId: 'x'.repeat(1025) },
    { uploadId: 'a\u0000b' },
    { uploadId: 'a\u0085b' },
    { uploadId: '\udc00' },
    { uploadId: ['U'] },
    { partSize: null },
    { serverDate: 'now' },
  ],
  part: [
    { number: 0 },
    { number: 10_001 },
    { number: '1' },
    { offset: -1 },
    { offset: 2 ** 53 },
    { size: 0 },
    { hash: 'XYZ' },
    { hash: '0'.repeat(17) },
    { etag: '' },
    { etag: 'x'.repeat(129) },
    { etag: 'a\r\nb' },
    { etag: 'ü' },
    { crc64: '18446744073709551616' },
    { crc64: '01' },
    { crc64: 5 },
    { md5: 'AAAA' },
    { check: 'crc32' },
    { run: 0 },
  ],
  drop: [{ reason: '' }, { reason: 'x'.repeat(257) }],
  void: [{ uploadId: '\n' }, { reason: 'a\nb' }],
  completing: [
    { parts: 0 },
    { size: -1 },
    { etagsDigest: '' },
    { put: false },
    { sentDigest: 'x' },
    { before: 'E' },
    { before: { etag: 'E', size: 1 } },
  ],
  done: [{ etag: 'ü' }, { size: NaN }, { versionId: '' }, { put: 1 }],
  intent: [{ time: '0' }, { mark: 'ABC' }],
  closed: [{ uploadId: null }, { by: 'us' }],
}

await t.test('what a field cannot hold is refused, both ways', (t) => {
  const good = new Map(story.flat().map((record) => [record.type, record]))
  for (const [type, changes] of Object.entries(refused)) {
    const record = [...good].find(([name]) => name === type)?.[1]
    for (const change of changes) {
      const json = JSON.stringify({ ...record, ...change })
      t.equal(decodeRecord(type, json), undefined, `${type} ${json}`)
      const bad = Object.assign(Object.create(null), record, change)
      t.throws(() => encodeRecord(bad), {
        message: new RegExp(
          `'${Object.keys(change)[0]}' of a '${type}' record`,
        ),
      })
    }
  }
  for (const json of ['null', '[]', '7', '"x"', '{"a":', '{}']) {
    t.equal(decodeRecord('part', json), undefined)
  }
  t.equal(decodeRecord('gossip', '{}'), undefined)
  t.equal(decodeRecord('constructor', '{}'), undefined)
  t.end()
})

await t.test('the longest record there can be fits its line', async (t) => {
  const log = await logOf([
    [
      header({
        store: 'ü'.repeat(512),
        bucket: 'ü'.repeat(127),
        key: '\n'.repeat(1024),
        partSize: PART,
      }),
    ],
    [upload('ü'.repeat(512))],
  ])
  t.strictSame(readGood(log).damage, { lines: 0, refused: 0, missing: 0 })
})
