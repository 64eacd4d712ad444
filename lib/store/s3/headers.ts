/** Object options as S3 headers, by the call that carries them. */
import { invalidOption } from '../../errors.js'
import type { ObjectHeaders } from '../dialect.js'
import {
  encodeTags,
  HeaderBag,
  setAcl,
  setFurtherHeaders,
  setStandardHeaders,
  unsupportedOption,
} from '../header-values.js'
import { markName, setMetadata, type MetadataRules } from '../metadata.js'
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
 * AWS's canned ACLs ("Access control list (ACL) overview"), and the one that
 * Google's S3 API adds ("Predefined ACLs").
 */
const acls = [
  'private',
  'public-read',
  'public-read-write',
  'aws-exec-read',
  'authenticated-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'project-private',
]

/** AWS counts names without the prefix ("Working with object metadata"). */
export const s3Metadata: MetadataRules = {
  prefix: 'x-amz-meta-',
  maxBytes: 2 * 1024,
  countsPrefix: false,
}

/** A key of the caller's own, for this object: SSE-C. */
const customerKey = 'x-amz-server-side-encryption-customer-'

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
  const fixed = fixedHeaders(object)
  return {
    fixed,
    // Checked when the upload ends; at its beginning S3 takes no condition.
    initiate,
    put: condition,
    complete: condition,
    touching: customerKeyOf(fixed),
  }
}

/**
 * What every call wants that touches the bytes of an object with a key of the
 * caller's own ("Using server-side encryption with customer-provided keys",
 * UploadPart, HeadObject). AWS refuses two of the three only at the first part.
 */
function customerKeyOf(fixed: Record<string, string>): Record<string, string> {
  const given = Object.entries(fixed).filter(([name]) =>
    name.startsWith(customerKey),
  )
  if (given.length === 0) return {}
  for (const last of ['algorithm', 'key', 'key-md5']) {
    if (!Object.hasOwn(fixed, customerKey + last)) {
      invalidOption(
        `object.headers: a key of your own needs ${customerKey}${last} too.`,
      )
    }
  }
  return Object.fromEntries(given)
}

function fixedHeaders(object: ObjectOptions): Record<string, string> {
  const bag = new HeaderBag()
  setStandardHeaders(bag, object)
  setAcl(bag, 'x-amz-acl', object, acls)
  bag.set('x-amz-storage-class', object.storageClass, 'object.storageClass')
  bag.set('x-amz-tagging', encodeTags(object.tagging), 'object.tagging')
  setEncryption(bag, object.encryption)
  setMetadata(bag, object.metadata, s3Metadata)
  const dropped = s3Metadata.prefix + markName
  setFurtherHeaders(bag, object.headers, { owned, dropped })
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
