/** Which stored parts are reused, compared or sent. */
import t from 'tap'
import type { UploadState } from '../../../lib/checkpoint/fold.js'
import type { PartRecord } from '../../../lib/checkpoint/record.js'
import type { ListedPart } from '../../../lib/store/object-store.js'
import type { Verify } from '../../../lib/upload/options/options.js'
import {
  judgePart,
  storedRun,
  type Verdict,
} from '../../../lib/upload/rules/judge.js'
import { PART, part, uploadState } from '../../support/log-fixture.js'

const md5 = 'abcdef0123456789abcdef0123456789'

const opaque = '"opaque-etag"'

function listed(
  record: PartRecord,
  fields: Partial<ListedPart> = {},
): ListedPart {
  const { number: partNumber, etag, size, crc64 } = record
  return { partNumber, etag, size, crc64, ...fields }
}

await t.test('what becomes of a part', async (t) => {
  const record = part(1)
  const same = { size: record.size, hash: record.hash }
  const other = { size: record.size, hash: 'f'.repeat(16) }
  const sha = { size: record.size, hash: 'f'.repeat(64) }
  const noCrc = { crc64: undefined }
  const md5Part = part(1, { etag: `"${md5}"`, check: 'md5', ...noCrc })
  const unchecked = part(1, { check: 'none', ...noCrc })
  type Case = [
    string,
    typeof same,
    PartRecord | undefined,
    ListedPart | undefined | 'refused',
    Verify,
    Verdict['do'] | 'crc64' | 'md5',
  ]
  const cases: Case[] = [
    [
      'as the log and the list say',
      same,
      record,
      listed(record),
      'crc64',
      'reuse',
    ],
    [
      'its ETag in another spelling',
      same,
      record,
      listed(record, { etag: record.etag.replaceAll('"', '').toLowerCase() }),
      'crc64',
      'reuse',
    ],
    ['not listed', same, record, undefined, 'crc64', 'send'],
    [
      'neither in the log nor listed',
      same,
      undefined,
      undefined,
      'crc64',
      'send',
    ],
    ['other bytes', other, record, listed(record), 'crc64', 'send'],
    [
      'fewer bytes',
      { ...same, size: 5 },
      record,
      listed(record),
      'crc64',
      'send',
    ],
    [
      'listed with another size',
      same,
      record,
      listed(record, { size: 5 }),
      'crc64',
      'send',
    ],
    [
      'listed with another CRC-64',
      same,
      record,
      listed(record, { crc64: '1' }),
      'crc64',
      'send',
    ],
    [
      'listed with another ETag',
      same,
      record,
      listed(record, { etag: `"${md5}"` }),
      'crc64',
      'crc64',
    ],
    [
      'listed with another ETag and no CRC-64',
      same,
      record,
      listed(record, { etag: `"${md5}"`, ...noCrc }),
      'md5',
      'md5',
    ],
    [
      'listed with another ETag that is no MD5, and no CRC-64',
      same,
      record,
      listed(record, { etag: opaque, ...noCrc }),
      false,
      'send',
    ],
    [
      'listed, not in the log',
      same,
      undefined,
      listed(record),
      'crc64',
      'crc64',
    ],
    [
      'listed, in the log with a weaker hash than this run asks for',
      sha,
      record,
      listed(record),
      'crc64',
      'send',
    ],
    [
      'listed, in the log with a stronger hash',
      same,
      { ...record, hash: sha.hash },
      listed(record),
      'crc64',
      'crc64',
    ],
    [
      'checked by less than this run asks',
      same,
      md5Part,
      listed(md5Part, { crc64: '7' }),
      'crc64',
      'crc64',
    ],
    ['checked by as much', same, md5Part, listed(md5Part), 'md5', 'reuse'],
    ['checked by more', same, record, listed(record), 'md5', 'reuse'],
    [
      'not checked, and nobody asks',
      same,
      unchecked,
      listed(unchecked),
      false,
      'reuse',
    ],
    [
      'listed, of unknown bytes, and the proof is SHA-256',
      { ...same, hash: 'a'.repeat(64) },
      undefined,
      listed(record),
      'crc64',
      'send',
    ],
    ['the list is refused', same, record, 'refused', 'crc64', 'reuse'],
    [
      'the list is refused, other bytes',
      other,
      record,
      'refused',
      'crc64',
      'send',
    ],
    [
      'the list is refused, no record',
      same,
      undefined,
      'refused',
      'crc64',
      'send',
    ],
    [
      'the list is refused, checked by less',
      same,
      md5Part,
      'refused',
      'crc64',
      'send',
    ],
  ]
  for (const [name, candidate, known, there, verify, expected] of cases) {
    const verdict = judgePart(candidate, known, there, verify)
    const found = verdict.do === 'compare' ? verdict.by : verdict.do
    t.equal(found, expected, name)
  }
})

await t.test('the run of stored parts from the first', async (t) => {
  const parts = [1, 2, 3, 4].map((number) => part(number))
  const short = part(3, { size: 5 })
  const upload = (records: PartRecord[]): UploadState =>
    uploadState({
      parts: new Map(records.map((record) => [record.number, record])),
    })
  const all = new Map(parts.map((one) => [one.number, listed(one)]))
  const cases: [
    string,
    PartRecord[],
    typeof all | 'refused',
    Verify,
    number,
  ][] = [
    ['all', parts, all, 'crc64', 4],
    ['none', [], all, 'crc64', 0],
    [
      'up to a hole in the log',
      parts.filter((_, at) => at !== 2),
      all,
      'crc64',
      2,
    ],
    [
      'up to a hole in the list',
      parts,
      new Map([...all].filter(([number]) => number !== 2)),
      'crc64',
      1,
    ],
    ['on the log’s word', parts, 'refused', 'crc64', 4],
    [
      'up to a part that is short',
      [...parts.slice(0, 2), short],
      'refused',
      'crc64',
      3,
    ],
    [
      'up to a part that is not checked',
      [part(1), part(2, { check: 'none' })],
      'refused',
      'crc64',
      1,
    ],
  ]
  for (const [name, records, list, verify, count] of cases) {
    t.equal(storedRun(upload(records), list, verify).length, count, name)
  }
  const growth = [{ from: 3, partSize: 2 * PART }]
  const grown = (size: number): UploadState => ({
    ...upload([
      part(1),
      part(2),
      part(3, { size }),
      part(4, { offset: 4 * PART, size: 2 * PART }),
    ]),
    growth,
  })
  t.equal(storedRun(grown(2 * PART), 'refused', 'crc64').length, 4)
  t.equal(
    storedRun(grown(PART), 'refused', 'crc64').length,
    3,
    'a part that is short where parts have grown',
  )
})
