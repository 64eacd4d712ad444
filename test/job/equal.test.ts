import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Crc64Hashers } from '../../lib/hash/crc64.js'
import { hasBytesOf } from '../../lib/job/equal.js'
import { noise, temporaryDirectory } from '../support/dev-store.js'

const md5 = (bytes: Uint8Array): Buffer =>
  createHash('md5').update(bytes).digest()

function etagOf(bytes: Buffer, partSize: number): string {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += partSize) {
    parts.push(md5(bytes.subarray(at, at + partSize)))
  }
  return `${md5(Buffer.concat(parts)).toString('hex')}-${parts.length}`
}

await t.test('a file is compared with what the server says', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'f')
  const mib = 1024 * 1024
  const bytes = noise(17 * mib + 5)
  await writeFile(path, bytes)
  const crc = async (variant: 'crc64ecma' | 'crc64nvme') => {
    const digest = await new Crc64Hashers().create(variant)
    digest.update(bytes)
    return digest.digest()
  }
  const size = bytes.length
  const whole = md5(bytes).toString('hex')
  const other = md5(Buffer.from('other')).toString('hex')
  const rows: [
    object: { etag: string; crc64?: string },
    digest: 'crc64ecma' | 'crc64nvme' | 'md5',
    partSize: number | undefined,
    isEqual: boolean,
  ][] = [
    [
      { etag: 'x', crc64: await crc('crc64ecma') },
      'crc64ecma',
      undefined,
      true,
    ],
    [
      { etag: 'x', crc64: await crc('crc64nvme') },
      'crc64nvme',
      undefined,
      true,
    ],
    [{ etag: 'x', crc64: '1' }, 'crc64ecma', undefined, false],
    // A CRC that is there and differs is not outvoted.
    [{ etag: whole, crc64: '1' }, 'crc64ecma', undefined, false],
    [{ etag: whole }, 'md5', undefined, true],
    [{ etag: whole.toUpperCase() }, 'md5', undefined, true],
    [{ etag: other }, 'md5', undefined, false],
    [{ etag: etagOf(bytes, 8 * mib) }, 'md5', undefined, true],
    [{ etag: etagOf(bytes, 5 * mib) }, 'md5', undefined, true],
    [{ etag: etagOf(bytes, 7 * mib) }, 'md5', 7 * mib, true],
    [{ etag: etagOf(bytes, 7 * mib) }, 'md5', undefined, false],
    [{ etag: `${other}-3` }, 'md5', undefined, false],
    [{ etag: 'opaque' }, 'md5', undefined, false],
    [{ etag: '' }, 'md5', undefined, false],
  ]
  for (const [object, digest, partSize, isEqual] of rows) {
    t.equal(
      await hasBytesOf(path, { ...object, size }, { digest, partSize }),
      isEqual,
      JSON.stringify(object),
    )
  }
})
