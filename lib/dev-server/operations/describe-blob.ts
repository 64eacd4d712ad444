import type { ChecksumAlgorithm } from '../body/checksum-headers.js'
import { hexToBase64 } from '../body/digests.js'
import { newEtag } from '../storage/etag.js'
import type { Blob } from '../storage/receive-blob.js'
import type { ObjectRecord, ObjectSettings } from '../storage/records.js'
import type { Context } from './context.js'

/** The record of an object in one piece. */
export function describeBlob(
  { bucket, key, now }: Context,
  { size, digests }: Blob,
  algorithm: ChecksumAlgorithm | undefined,
  settings: ObjectSettings,
): ObjectRecord {
  const { md5, crc64ecma } = digests
  const hex = algorithm === undefined ? undefined : digests[algorithm]
  return {
    bucket,
    key,
    size,
    etag: newEtag(md5, settings),
    type: 'Normal',
    ...(md5 === undefined ? {} : { md5 }),
    ...(crc64ecma === undefined ? {} : { crc64: crc64ecma }),
    ...(algorithm === undefined || hex === undefined
      ? {}
      : {
          checksum: {
            algorithm,
            type: 'FULL_OBJECT',
            value: hexToBase64(hex),
          },
        }),
    time: now,
    settings,
  }
}
