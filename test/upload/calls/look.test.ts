/** Parts that the store lists, held against the bytes that they should be of. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { processDigests } from '../../../lib/hash/digest.js'
import { compared } from '../../../lib/upload/calls/look.js'
import { MemoryContent } from '../../../lib/upload/source/part-content.js'

const bytes = Buffer.from('a part that no record speaks of')
const md5 = createHash('md5').update(bytes).digest('hex')
const variant = 'crc64ecma'
const wanted = {
  verify: 'crc64',
  crc: { variant, isWanted: true, isBefore: false },
} as const
const byMd5Only = {
  verify: 'md5',
  crc: { ...wanted.crc, isWanted: false },
} as const

await t.test(
  'a part that is listed has what is worked out of each',
  async (t) => {
    const crc64 = await processDigests.digest(variant, bytes)
    const etag = `"${md5.toUpperCase()}"`
    const byMd5 = {
      do: 'compare',
      by: 'md5',
      value: etag,
      etag,
      record: undefined,
    } as const
    const byCrc = { ...byMd5, by: 'crc64', value: crc64 } as const
    const size = bytes.length
    const rows = [
      ['by MD5', byMd5, wanted, { size, etag, crc64, md5, check: 'md5' }],
      [
        'by MD5, and none is wanted',
        byMd5,
        byMd5Only,
        { size, etag, crc64: undefined, md5, check: 'md5' },
      ],
      [
        'by CRC-64',
        byCrc,
        wanted,
        { size, etag, crc64, md5: undefined, check: 'crc64' },
      ],
      [
        'by CRC-64, where MD5 is asked for',
        byCrc,
        byMd5Only,
        { size, etag, crc64, md5, check: 'crc64' },
      ],
      ['another MD5', { ...byMd5, value: 'a'.repeat(32) }, wanted, undefined],
      ['another CRC-64', { ...byCrc, value: '1' }, wanted, undefined],
    ] as const
    for (const [name, verdict, settings, receipt] of rows) {
      const content = new MemoryContent([bytes], undefined, processDigests)
      const part = {
        partNumber: 1,
        offset: 0,
        size,
        content,
        release: () => undefined,
      }
      t.strictSame(await compared(part, verdict, settings), receipt, name)
    }
  },
)
