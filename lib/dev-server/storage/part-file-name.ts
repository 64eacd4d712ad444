import { toAlgorithm } from '../body/checksum-headers.js'
import type { PartRecord } from './records.js'

/**
 * Everything known about a part is in the name of its file, so that one rename
 * makes both visible at once and a restart needs no other record:
 * `number.sequence.size.etag.crc64.algorithm-checksum`, `-` for what is unknown.
 */
export function formatPartFileName(part: PartRecord): string {
  const { checksum } = part
  return [
    String(part.partNumber).padStart(5, '0'),
    part.sequence,
    part.size,
    part.etag,
    part.crc64 ?? '-',
    checksum === undefined ? '-' : `${checksum.algorithm}-${checksum.hex}`,
  ].join('.')
}

const pattern =
  /^(\d{5})\.(\d+)\.(\d+)\.([0-9a-f]{32})\.(-|[0-9a-f]{16})\.(?:-|([a-z0-9]+)-([0-9a-f]+))$/

/** Undefined for any other file's name. */
export function parsePartFileName(name: string): PartRecord | undefined {
  const match = pattern.exec(name)
  if (match === null) return undefined
  const [, number, sequence, size, etag = '', crc64 = '-', , hex = ''] = match
  const algorithm = toAlgorithm(match[6])
  return {
    partNumber: Number(number),
    sequence: Number(sequence),
    size: Number(size),
    etag,
    ...(crc64 === '-' ? {} : { crc64 }),
    ...(algorithm === undefined ? {} : { checksum: { algorithm, hex } }),
  }
}
