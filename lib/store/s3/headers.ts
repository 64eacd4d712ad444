/** Object options as S3 headers, by the call that carries them. */
import { invalidOption } from '../../errors.js'
import type { ObjectHeaders } from '../dialect.js'
import {
  encodeTags,
  HeaderBag,
  setFurtherHeaders,
  setMetadata,
  setStandardHeaders,
  unsupportedOption,
} from '../header-values.js'
import type { ObjectOptions } from '../object-store.js'

/** Signing, and everything that has an option: names, or prefixes with `-`. */
const owned = [
  'if-match',
  'if-none-match',
  'x-amz-acl',
  'x-amz-checksum-',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-meta-',
  'x-amz-request-payer',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-trailer',
  'x-oss-',
]

/**
 * Throws `PAWL_INVALID_OPTION` for what S3 cannot be told. `initiate` is what
 * the checksum option adds to the beginning of an upload.
 */
export function s3ObjectHeaders(
  object: ObjectOptions,
  initiate: Record<string, string>,
): ObjectHeaders {
  if (object.callback !== undefined) {
    unsupportedOption('object.callback', 'S3')
  }
  const condition: Record<string, string> =
    object.forbidOverwrite === true ? { 'if-none-match': '*' } : {}
  return {
    fixed: fixedHeaders(object),
    // Checked when the upload ends; at its beginning S3 takes no condition.
    initiate,
    put: condition,
    complete: condition,
  }
}

function fixedHeaders(object: ObjectOptions): Record<string, string> {
  const bag = new HeaderBag()
  setStandardHeaders(bag, object)
  bag.set('x-amz-acl', object.acl, 'object.acl')
  bag.set('x-amz-storage-class', object.storageClass, 'object.storageClass')
  bag.set('x-amz-tagging', encodeTags(object.tagging), 'object.tagging')
  setEncryption(bag, object.encryption)
  setMetadata(bag, object.metadata, {
    prefix: 'x-amz-meta-',
    maxBytes: 2 * 1024,
  })
  setFurtherHeaders(bag, object.headers, owned)
  return bag.headers
}

function setEncryption(
  bag: HeaderBag,
  encryption: ObjectOptions['encryption'],
): void {
  if (encryption === undefined) return
  const { algorithm, keyId, dataEncryption } = encryption
  if (dataEncryption !== undefined) {
    unsupportedOption('object.encryption.dataEncryption', 'S3')
  }
  if (keyId !== undefined && !algorithm.startsWith('aws:kms')) {
    invalidOption('object.encryption: keyId needs the algorithm aws:kms.')
  }
  const name = 'x-amz-server-side-encryption'
  bag.set(name, algorithm, 'object.encryption.algorithm')
  bag.set(`${name}-aws-kms-key-id`, keyId, 'object.encryption.keyId')
}
