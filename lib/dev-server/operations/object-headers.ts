import { checksumHeader } from '../body/checksum-headers.js'
import { hexToBase64, hexToDecimal } from '../body/digests.js'
import type { ObjectRecord } from '../storage/records.js'
import { ownHeader, type Context } from './context.js'
import { settingsHeaders } from './settings.js'

/** What reads of an object say of it; S3's checksum only where all of it is read. */
export function objectHeaders(
  context: Context,
  record: ObjectRecord,
  isWhole: boolean,
): Record<string, string> {
  const { dialect } = context
  const { md5, checksum } = record
  const headers: Record<string, string> = {
    ...settingsHeaders(record.settings, dialect),
    etag: dialect.etag(record.etag),
    'last-modified': new Date(record.time).toUTCString(),
    'accept-ranges': 'bytes',
    ...crcHeader(record, context),
  }
  if (dialect.name === 'oss') {
    headers['x-oss-object-type'] = record.type
    if (md5 !== undefined) headers['content-md5'] = hexToBase64(md5)
    return headers
  }
  const mode = ownHeader(context, 'checksum-mode')?.toUpperCase()
  if (checksum !== undefined && mode === 'ENABLED' && isWhole) {
    headers[checksumHeader(checksum.algorithm)] = checksum.value
    headers['x-amz-checksum-type'] = checksum.type
  }
  return headers
}

/** The object's CRC-64, in OSS's dialect. */
export function crcHeader(
  { crc64 }: ObjectRecord,
  { dialect }: Context,
): Record<string, string> {
  return dialect.name === 'oss' && crc64 !== undefined
    ? { 'x-oss-hash-crc64ecma': hexToDecimal(crc64) }
    : {}
}
