import { randomBytes } from 'node:crypto'
import type { ObjectSettings } from './records.js'

/**
 * The ETag of what came in one request: the MD5 of its bytes. Anything else where
 * S3 encrypts with a key of KMS or of the caller's own, and where MD5s are
 * switched off.
 */
export function newEtag(
  md5: string | undefined,
  { encryption, customerKeyMd5 }: ObjectSettings,
): string {
  const algorithm = encryption['server-side-encryption'] ?? ''
  const isHidden =
    customerKeyMd5 !== undefined || algorithm.startsWith('aws:kms')
  return md5 === undefined || isHidden ? randomBytes(16).toString('hex') : md5
}
