import { createHash } from 'node:crypto'
import { checksumHeader } from '../body/checksum-headers.js'
import { combineCrc, isCombinable } from '../body/crc-combine.js'
import { DigestSet, hexToBase64 } from '../body/digests.js'
import type {
  PartRecord,
  StoredChecksum,
  UploadRecord,
} from '../storage/records.js'
import { apiError } from '../wire/api-error.js'
import { header } from '../wire/request-head.js'
import type { Context } from './context.js'

/** MD5 of the parts' MD5s and their number. */
export function joinedEtag(parts: readonly PartRecord[]): string {
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(etag, 'hex')
  return `${hash.digest('hex')}-${parts.length}`
}

/** CRC-64 of the whole object in hex; undefined when a part has none. */
export function joinedCrc64(parts: readonly PartRecord[]): string | undefined {
  const pieces: { crc: string; size: number }[] = []
  for (const { crc64, size } of parts) {
    if (crc64 === undefined) return undefined
    pieces.push({ crc: crc64, size })
  }
  return combineCrc('crc64ecma', pieces)
}

/** S3's checksum of the whole object, in the way its upload asked for. */
export async function joinedChecksum(
  { checksum }: UploadRecord,
  parts: readonly PartRecord[],
): Promise<StoredChecksum | undefined> {
  if (checksum === undefined) return undefined
  const { algorithm, type } = checksum
  const pieces: { crc: string; size: number }[] = []
  for (const part of parts) {
    if (part.checksum?.algorithm !== algorithm) return undefined
    pieces.push({ crc: part.checksum.hex, size: part.size })
  }
  if (type === 'FULL_OBJECT' && isCombinable(algorithm)) {
    const value = hexToBase64(combineCrc(algorithm, pieces))
    return { algorithm, type, value }
  }
  const digests = await DigestSet.create([algorithm])
  try {
    for (const { crc } of pieces) digests.update(Buffer.from(crc, 'hex'))
    const hex = digests.finish()[algorithm] ?? ''
    const value = `${hexToBase64(hex)}-${parts.length}`
    return { algorithm, type, value }
  } finally {
    digests.release()
  }
}

/** Compares what a Complete says about the object with what it is. */
export function checkPromises(
  { head }: Context,
  checksum: StoredChecksum | undefined,
  size: number,
): void {
  const promisedSize = header(head.headers, 'x-amz-mp-object-size')
  if (promisedSize !== undefined && promisedSize !== String(size)) {
    apiError('InvalidRequest', {
      message: 'The provided x-amz-mp-object-size does not match the parts.',
    })
  }
  if (checksum === undefined) return
  const promised = header(head.headers, checksumHeader(checksum.algorithm))
  if (promised !== undefined && promised !== checksum.value) {
    apiError('BadDigest')
  }
}
