/** Object options as OSS headers, by the call that carries them. */
import { invalidOption } from '../../errors.js'
import type { ObjectHeaders } from '../dialect.js'
import {
  encodeTags,
  HeaderBag,
  setAcl,
  setFurtherHeaders,
  setStandardHeaders,
} from '../header-values.js'
import { markName, setMetadata, type MetadataRules } from '../metadata.js'
import type { BodyRequest, ObjectOptions } from '../object-store.js'
import { callbackHeaders } from './callback.js'

/** Signing, and everything that has an option: names, or prefixes with `-`. */
const owned = [
  'x-oss-acl',
  'x-oss-callback',
  'x-oss-callback-var',
  'x-oss-complete-all',
  'x-oss-content-sha256',
  'x-oss-date',
  'x-oss-forbid-overwrite',
  'x-oss-meta-',
  'x-oss-object-acl',
  'x-oss-request-payer',
  'x-oss-security-token',
  'x-oss-traffic-limit',
  'x-amz-',
]

/** All that there are (OSS documentation, "Object ACLs"). */
const acls = ['default', 'private', 'public-read', 'public-read-write']

/**
 * OSS counts whole header names, and 8 KB is too many already (OSS
 * documentation, error 0011-00000002).
 */
export const ossMetadata: MetadataRules = {
  prefix: 'x-oss-meta-',
  maxBytes: 8 * 1024 - 1,
  countsPrefix: true,
}

/** Throws `PAWL_INVALID_OPTION` for what OSS cannot be told. */
export function ossObjectHeaders(object: ObjectOptions): ObjectHeaders {
  const forbid: Record<string, string> =
    object.forbidOverwrite === true ? { 'x-oss-forbid-overwrite': 'true' } : {}
  const late = new HeaderBag()
  setAcl(late, 'x-oss-object-acl', object, acls)
  const callback =
    object.callback === undefined ? {} : callbackHeaders(object.callback)
  // Only these two calls take an ACL and end with a callback.
  const ending = { ...forbid, ...late.headers, ...callback }
  return {
    fixed: fixedHeaders(object),
    initiate: forbid,
    put: ending,
    complete: ending,
    touching: {},
  }
}

/** Of UploadPart and PutObject. */
export function ossBodyHeaders({
  trafficLimit,
}: BodyRequest): Record<string, string> {
  if (trafficLimit === undefined) return {}
  if (!Number.isSafeInteger(trafficLimit) || trafficLimit <= 0) {
    invalidOption('trafficLimit: expected a whole number of bits a second.')
  }
  return { 'x-oss-traffic-limit': String(trafficLimit) }
}

function fixedHeaders(object: ObjectOptions): Record<string, string> {
  const bag = new HeaderBag()
  setStandardHeaders(bag, object)
  bag.set('x-oss-storage-class', object.storageClass, 'object.storageClass')
  bag.set('x-oss-tagging', encodeTags(object.tagging), 'object.tagging')
  setEncryption(bag, object.encryption)
  setMetadata(bag, object.metadata, ossMetadata)
  const dropped = ossMetadata.prefix + markName
  setFurtherHeaders(bag, object.headers, { owned, dropped })
  return bag.headers
}

function setEncryption(
  bag: HeaderBag,
  encryption: ObjectOptions['encryption'],
): void {
  if (encryption === undefined) return
  const { algorithm, keyId, dataEncryption } = encryption
  const extra = keyId !== undefined || dataEncryption !== undefined
  if (extra && algorithm !== 'KMS') {
    invalidOption(
      'object.encryption: keyId and dataEncryption need the algorithm KMS.',
    )
  }
  const name = 'x-oss-server-side-encryption'
  bag.set(name, algorithm, 'object.encryption.algorithm')
  bag.set(`${name}-key-id`, keyId, 'object.encryption.keyId')
  bag.set(
    'x-oss-server-side-data-encryption',
    dataEncryption,
    'object.encryption.dataEncryption',
  )
}
