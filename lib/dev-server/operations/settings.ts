import type { ObjectSettings } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import { headerEntries } from '../wire/request-head.js'
import { ownHeader, type Context } from './context.js'
import { customerKeyReply, readCustomerKey } from './customer-key.js'
import { parseTagHeader } from './tags.js'

const kept = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-language',
  'expires',
]
const ossClasses = [
  'Standard',
  'IA',
  'Archive',
  'ColdArchive',
  'DeepColdArchive',
]
const acls = ['default', 'private', 'public-read', 'public-read-write']
const algorithms = ['AES256', 'KMS', 'SM4', 'aws:kms', 'aws:kms:dsse']
const encryptionHeaders = [
  'server-side-encryption',
  'server-side-encryption-key-id',
  'server-side-encryption-aws-kms-key-id',
  'server-side-data-encryption',
]

/** What the headers of Initiate or PutObject ask the object to be. */
export function readSettings(context: Context): ObjectSettings {
  const { head, dialect } = context
  const headers: Record<string, string> = {}
  const metadata: Record<string, string> = {}
  for (const [name, value] of headerEntries(head.headers)) {
    const prefix = `${dialect.prefix}meta-`
    if (kept.includes(name)) headers[name] = value
    if (name === 'content-encoding') {
      // The framing of the transfer is no property of the object.
      const encoding = value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== 'aws-chunked')
      if (encoding.length > 0) headers[name] = encoding.join(',')
    }
    if (name.startsWith(prefix)) metadata[name.slice(prefix.length)] = value
  }
  checkMetadata(metadata, dialect)
  const storageClass = readStorageClass(context)
  const tagging = ownHeader(context, 'tagging')
  const acl = readAcl(context)
  const customerKeyMd5 = readCustomerKey(context)
  return {
    headers,
    metadata,
    encryption: readEncryption(context),
    ...(customerKeyMd5 === undefined ? {} : { customerKeyMd5 }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(acl === undefined ? {} : { acl }),
    ...(tagging === undefined
      ? {}
      : { tags: parseTagHeader(`${dialect.prefix}tagging`, tagging) }),
  }
}

/** The ACL header's value, checked. */
export function readAcl(context: Context): string | undefined {
  const isOss = context.dialect.name === 'oss'
  const name = isOss ? 'object-acl' : 'acl'
  const acl = ownHeader(context, name)
  if (isOss && acl !== undefined && !acls.includes(acl)) {
    invalidArgument(context.dialect.prefix + name, acl)
  }
  return acl
}

function readStorageClass(context: Context): string | undefined {
  const value = ownHeader(context, 'storage-class')
  if (value === undefined) return undefined
  if (context.dialect.name === 's3') {
    return /^[A-Z_]+$/.test(value) ? value : apiError('InvalidStorageClass')
  }
  return ossClasses.includes(value)
    ? value
    : invalidArgument('x-oss-storage-class', value)
}

function readEncryption(context: Context): Record<string, string> {
  const encryption: Record<string, string> = {}
  for (const name of encryptionHeaders) {
    const value = ownHeader(context, name)
    if (value !== undefined) encryption[name] = value
  }
  const algorithm = encryption['server-side-encryption']
  if (algorithm !== undefined && !algorithms.includes(algorithm)) {
    apiError('InvalidEncryptionAlgorithmError')
  }
  return encryption
}

function checkMetadata(
  metadata: Record<string, string>,
  { name, maxMetadata }: Dialect,
): void {
  let size = 0
  for (const [key, value] of Object.entries(metadata)) {
    if (name === 'oss' && !/^[a-z0-9-]+$/.test(key)) {
      invalidArgument(`x-oss-meta-${key}`, value)
    }
    size += key.length + value.length
  }
  if (size > maxMetadata) {
    if (name === 's3') apiError('MetadataTooLarge')
    invalidArgument('x-oss-meta-*', String(size), 'Total metadata too large.')
  }
}

/** The headers that describe stored settings on HEAD and GET. */
export function settingsHeaders(
  settings: ObjectSettings,
  dialect: Dialect,
): Record<string, string> {
  const { prefix, defaultStorageClass } = dialect
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...settings.headers,
    ...encryptionReply(settings, dialect),
  }
  for (const [name, value] of Object.entries(settings.metadata)) {
    headers[`${prefix}meta-${name}`] = value
  }
  const storageClass = settings.storageClass ?? defaultStorageClass
  if (dialect.name === 'oss' || storageClass !== defaultStorageClass) {
    headers[`${prefix}storage-class`] = storageClass
  }
  const tags = settings.tags?.length ?? 0
  if (tags > 0) headers[`${prefix}tagging-count`] = String(tags)
  return headers
}

/** What writes and reads of an encrypted object echo. */
export function encryptionReply(
  settings: ObjectSettings,
  dialect: Dialect,
): Record<string, string> {
  return {
    ...serviceKeyReply(settings, dialect),
    ...customerKeyReply(settings),
  }
}

/** The same, without a key of the caller's own. */
export function serviceKeyReply(
  { encryption }: ObjectSettings,
  { prefix }: Dialect,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(encryption).map(([name, value]) => [prefix + name, value]),
  )
}
