/** Lists of a server that is broken, or means harm. */
import t from 'tap'
import { readPartPage, readUploadPage } from '../../lib/store/listings.js'
import { loadXmlParser } from '../../lib/store/xml-parser.js'

await loadXmlParser()

const crc = { crcElement: 'Crc', readCrc: (text?: string) => text }
const refused = { name: 'StoreError', kind: 'response' }

const part = (number: number | string): string =>
  `<Part><PartNumber>${number}</PartNumber><ETag>"e"</ETag><Size>9</Size></Part>`

function partPage(numbers: readonly (number | string)[], next?: number) {
  const truncated =
    next === undefined
      ? ''
      : `<IsTruncated>true</IsTruncated><NextPartNumberMarker>${next}</NextPartNumberMarker>`
  return Buffer.from(
    `<ListPartsResult>${truncated}${numbers.map(part).join('')}</ListPartsResult>`,
  )
}

await t.test('parts ascend, and so do their pages', async (t) => {
  const page = readPartPage(partPage([3, 7], 7), 2, crc)
  t.same(
    page.parts.map(({ partNumber }) => partNumber),
    [3, 7],
  )
  t.equal(page.next, 7)
  t.equal(readPartPage(partPage([10_000]), 0, crc).next, undefined)
  const bad: [string, Buffer][] = [
    ['a part that was on the page before', partPage([2])],
    ['a part twice', partPage([3, 3])],
    ['parts that descend', partPage([4, 3])],
    ['part 10,001', partPage([10_001])],
    ['part 0', partPage([0])],
    ['a marker that stays', partPage([3], 2)],
    ['a marker before the last part', partPage([3, 7], 5)],
    ['a marker without a part', partPage([], 5)],
    ['a marker beyond all parts', partPage([3], 10_001)],
  ]
  for (const [name, page] of bad) {
    t.throws(() => readPartPage(page, 2, crc), refused, name)
  }
})

interface Entry {
  key: string
  id: string
  at?: string
}

function uploadPage(entries: readonly Entry[], next?: [string, string]) {
  const truncated =
    next === undefined
      ? ''
      : `<IsTruncated>true</IsTruncated><NextKeyMarker>${next[0]}</NextKeyMarker><NextUploadIdMarker>${next[1]}</NextUploadIdMarker>`
  const uploads = entries.map(
    ({ key, id, at = '2024-01-02T03:04:05.000Z' }) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${at}</Initiated></Upload>`,
  )
  return Buffer.from(
    `<ListMultipartUploadsResult>${truncated}${uploads.join('')}</ListMultipartUploadsResult>`,
  )
}

const start = { prefix: '', keyMarker: '', uploadIdMarker: '' }

await t.test('uploads go on, in the order of each server', async (t) => {
  const early = '2024-01-02T03:04:05.000Z'
  const late = '2024-01-02T03:04:06.000Z'
  const orders: [string, Entry[]][] = [
    [
      'OSS: by ID',
      [
        { key: 'a', id: '1', at: late },
        { key: 'a', id: '2', at: early },
        { key: 'b', id: '0' },
      ],
    ],
    [
      'AWS: by time',
      [
        { key: 'a', id: '2', at: early },
        { key: 'a', id: '1', at: late },
      ],
    ],
    [
      'Swift: by key and ID as one name',
      [
        { key: 'a b', id: '9' },
        { key: 'a', id: '1' },
        { key: 'a', id: '2' },
      ],
    ],
    [
      'by bytes, not by UTF-16',
      [
        { key: '\uffee', id: '1' },
        { key: '😀', id: '1' },
      ],
    ],
  ]
  for (const [name, entries] of orders) {
    const { key, id } = entries.at(-1) ?? { key: '', id: '' }
    const page = readUploadPage(uploadPage(entries, [key, id]), start)
    t.same(
      page.uploads.map(({ key, uploadId }) => ({ key, uploadId })),
      entries.map(({ key, id }) => ({ key, uploadId: id })),
      name,
    )
    t.same(page.next, { keyMarker: key, uploadIdMarker: id })
  }
})

await t.test('a list of uploads that does not advance', async (t) => {
  const before = { prefix: '', keyMarker: 'm', uploadIdMarker: '5' }
  const bad: [string, Buffer][] = [
    ['the upload of the marker again', uploadPage([{ key: 'm', id: '5' }])],
    ['a key before the marker', uploadPage([{ key: 'l', id: '6' }])],
    [
      'an upload twice',
      uploadPage([
        { key: 'n', id: '1' },
        { key: 'n', id: '1' },
      ]),
    ],
    [
      'keys that descend',
      uploadPage([
        { key: 'o', id: '1' },
        { key: 'n', id: '1' },
      ]),
    ],
    ['a marker and no upload', uploadPage([], ['n', '1'])],
    [
      'a marker before the last one',
      uploadPage([{ key: 'n', id: '1' }], ['m', '9']),
    ],
    ['no marker', uploadPage([{ key: 'n', id: '1' }], ['', ''])],
  ]
  for (const [name, page] of bad) {
    t.throws(() => readUploadPage(page, before), refused, name)
  }
})

await t.test('what is not under the prefix is not returned', async (t) => {
  const sent = { ...start, prefix: 'backups/' }
  const all = [
    { key: 'a', id: '1' },
    { key: 'backups/x', id: '2' },
    { key: 'backups/y', id: '3' },
  ]
  const page = readUploadPage(uploadPage(all, ['backups/y', '3']), sent)
  t.same(
    page.uploads.map(({ key }) => key),
    ['backups/x', 'backups/y'],
  )
  t.same(page.next, { keyMarker: 'backups/y', uploadIdMarker: '3' })
  // Beyond it nothing can follow that was asked for.
  const beyond = [...all, { key: 'prod/other-team', id: '4' }]
  const last = readUploadPage(
    uploadPage(beyond, ['prod/other-team', '4']),
    sent,
  )
  t.same(
    last.uploads.map(({ key }) => key),
    ['backups/x', 'backups/y'],
  )
  t.equal(last.next, undefined)
  // Before it much may: the server begins where it likes.
  const first = readUploadPage(
    uploadPage([{ key: 'a', id: '1' }], ['a', '1']),
    sent,
  )
  t.same(first, {
    uploads: [],
    next: { keyMarker: 'a', uploadIdMarker: '1' },
  })
})
