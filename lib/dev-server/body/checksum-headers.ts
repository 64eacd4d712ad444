import type { IncomingHttpHeaders } from 'node:http'
import { apiError } from '../wire/api-error.js'
import { header } from '../wire/request-head.js'
import { isCombinable } from './crc-combine.js'

/** The checksums that S3 has besides MD5. */
export const checksumAlgorithms = [
  'crc32',
  'crc32c',
  'crc64nvme',
  'sha1',
  'sha256',
] as const

export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number]

/** What an upload says about its checksum when it is created. */
export interface ChecksumMode {
  readonly algorithm: ChecksumAlgorithm
  readonly type: 'FULL_OBJECT' | 'COMPOSITE'
}

const prefix = 'x-amz-checksum-'

/** The header, trailer or request field of an algorithm. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return prefix + algorithm
}

/** The XML element of an algorithm, such as `ChecksumCRC64NVME`. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm.toUpperCase()}`
}

/** The algorithm that a name means, in any case; undefined for others. */
export function toAlgorithm(
  name: string | undefined,
): ChecksumAlgorithm | undefined {
  const lower = name?.trim().toLowerCase()
  return checksumAlgorithms.find((algorithm) => algorithm === lower)
}

/** The checksum that comes as a header: algorithm and base64 value. */
export function givenChecksum(
  headers: IncomingHttpHeaders,
): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  for (const algorithm of checksumAlgorithms) {
    const value = header(headers, checksumHeader(algorithm))
    if (value !== undefined) return { algorithm, value }
  }
  return undefined
}

/** The algorithm whose value comes after the body. */
export function trailingAlgorithm(
  headers: IncomingHttpHeaders,
): ChecksumAlgorithm | undefined {
  const names = (header(headers, 'x-amz-trailer') ?? '').split(',')
  for (const name of names) {
    const lower = name.trim().toLowerCase()
    if (lower.startsWith(prefix)) return toAlgorithm(lower.slice(prefix.length))
  }
  return undefined
}

/** Algorithm and type asked for at CreateMultipartUpload. */
export function checksumMode(
  headers: IncomingHttpHeaders,
): ChecksumMode | undefined {
  const name = header(headers, 'x-amz-checksum-algorithm')
  if (name === undefined) return undefined
  const algorithm = toAlgorithm(name)
  if (algorithm === undefined) {
    apiError('InvalidRequest', {
      message: 'Checksum algorithm provided is unsupported.',
    })
  }
  const fallback = algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE'
  const type = header(headers, 'x-amz-checksum-type') ?? fallback
  const isAllowed =
    type === 'FULL_OBJECT'
      ? isCombinable(algorithm)
      : type === 'COMPOSITE' && algorithm !== 'crc64nvme'
  if (!isAllowed) {
    apiError('InvalidRequest', {
      message: `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
    })
  }
  return { algorithm, type: type === 'FULL_OBJECT' ? type : 'COMPOSITE' }
}
