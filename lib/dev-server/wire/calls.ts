import type { Operation } from '../options.js'

/** One call: how a request for it looks, and what its query may say. */
export interface Call {
  readonly operation: Exclude<Operation, 'Unknown'>
  readonly method: string
  /** What its target names. */
  readonly on: 'service' | 'bucket' | 'object'
  /** Absent where both dialects have it. */
  readonly dialect?: 'oss' | 's3'
  /** Names that its query must have. */
  readonly needs?: readonly string[]
  /** The request names a source in a header. */
  readonly copies?: true
  /** Further names that its query may have; those of signatures always may. */
  readonly allows?: readonly string[]
}

const list = ['prefix', 'delimiter', 'max-keys', 'encoding-type']
const version = ['versionId']
const callback = ['callback', 'callback-var']
const traffic = ['x-oss-traffic-limit']

/** The only headers of an answer that a request can choose. */
export const overridable = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const

const overrides = overridable.map((name) => `response-${name}`)

/**
 * Every call that is understood. A request is the first whose method, target,
 * needs and copying fit; a name in its query that this call does not know makes
 * it none, so that nothing is done for a question that was not understood.
 */
export const calls: readonly Call[] = [
  {
    operation: 'ListBuckets',
    method: 'GET',
    on: 'service',
    dialect: 's3',
    allows: ['prefix', 'max-buckets', 'continuation-token', 'bucket-region'],
  },
  {
    operation: 'ListBuckets',
    method: 'GET',
    on: 'service',
    dialect: 'oss',
    allows: ['prefix', 'marker', 'max-keys'],
  },

  {
    operation: 'ListMultipartUploads',
    method: 'GET',
    on: 'bucket',
    needs: ['uploads'],
    allows: [
      'prefix',
      'delimiter',
      'encoding-type',
      'max-uploads',
      'key-marker',
      'upload-id-marker',
    ],
  },
  {
    operation: 'GetBucketLocation',
    method: 'GET',
    on: 'bucket',
    needs: ['location'],
  },
  {
    operation: 'GetBucketVersioning',
    method: 'GET',
    on: 'bucket',
    needs: ['versioning'],
  },
  {
    operation: 'GetBucketInfo',
    method: 'GET',
    on: 'bucket',
    dialect: 'oss',
    needs: ['bucketInfo'],
  },
  {
    operation: 'ListObjects',
    method: 'GET',
    on: 'bucket',
    needs: ['list-type'],
    allows: [...list, 'continuation-token', 'start-after', 'fetch-owner'],
  },
  {
    operation: 'ListObjects',
    method: 'GET',
    on: 'bucket',
    allows: [...list, 'marker'],
  },
  { operation: 'CreateBucket', method: 'PUT', on: 'bucket' },
  { operation: 'HeadBucket', method: 'HEAD', on: 'bucket' },
  { operation: 'DeleteBucket', method: 'DELETE', on: 'bucket' },
  {
    operation: 'DeleteObjects',
    method: 'POST',
    on: 'bucket',
    needs: ['delete'],
    allows: ['encoding-type'],
  },

  {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    on: 'object',
    dialect: 'oss',
    needs: ['uploads'],
    allows: ['encoding-type', 'sequential'],
  },
  {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    on: 'object',
    dialect: 's3',
    needs: ['uploads'],
  },
  {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    on: 'object',
    dialect: 'oss',
    needs: ['uploadId'],
    allows: ['encoding-type', ...callback],
  },
  {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    on: 'object',
    dialect: 's3',
    needs: ['uploadId'],
  },
  {
    operation: 'UploadPartCopy',
    method: 'PUT',
    on: 'object',
    copies: true,
    needs: ['partNumber', 'uploadId'],
  },
  {
    operation: 'UploadPart',
    method: 'PUT',
    on: 'object',
    needs: ['partNumber', 'uploadId'],
    allows: traffic,
  },
  {
    operation: 'ListParts',
    method: 'GET',
    on: 'object',
    needs: ['uploadId'],
    allows: ['encoding-type', 'max-parts', 'part-number-marker'],
  },
  {
    operation: 'AbortMultipartUpload',
    method: 'DELETE',
    on: 'object',
    needs: ['uploadId'],
  },

  {
    operation: 'PutObjectTagging',
    method: 'PUT',
    on: 'object',
    needs: ['tagging'],
    allows: version,
  },
  {
    operation: 'GetObjectTagging',
    method: 'GET',
    on: 'object',
    needs: ['tagging'],
    allows: version,
  },
  {
    operation: 'DeleteObjectTagging',
    method: 'DELETE',
    on: 'object',
    needs: ['tagging'],
    allows: version,
  },
  {
    operation: 'GetObjectAttributes',
    method: 'GET',
    on: 'object',
    dialect: 's3',
    needs: ['attributes'],
    allows: version,
  },
  {
    operation: 'GetObjectMeta',
    method: 'HEAD',
    on: 'object',
    dialect: 'oss',
    needs: ['objectMeta'],
    allows: version,
  },

  { operation: 'CopyObject', method: 'PUT', on: 'object', copies: true },
  {
    operation: 'PutObject',
    method: 'PUT',
    on: 'object',
    dialect: 'oss',
    allows: [...callback, ...traffic],
  },
  { operation: 'PutObject', method: 'PUT', on: 'object', dialect: 's3' },
  {
    operation: 'GetObject',
    method: 'GET',
    on: 'object',
    dialect: 's3',
    allows: [...version, ...overrides, 'partNumber'],
  },
  {
    operation: 'GetObject',
    method: 'GET',
    on: 'object',
    dialect: 'oss',
    allows: [...version, ...overrides],
  },
  {
    operation: 'HeadObject',
    method: 'HEAD',
    on: 'object',
    dialect: 's3',
    allows: [...version, ...overrides, 'partNumber'],
  },
  {
    operation: 'HeadObject',
    method: 'HEAD',
    on: 'object',
    dialect: 'oss',
    allows: version,
  },
  {
    operation: 'DeleteObject',
    method: 'DELETE',
    on: 'object',
    allows: version,
  },
]
