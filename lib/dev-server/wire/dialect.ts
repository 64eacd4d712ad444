/** What differs between the two protocols in how the same things are spelled. */
export interface Dialect {
  readonly name: 'oss' | 's3'
  /** Of all headers of its own. */
  readonly prefix: 'x-oss-' | 'x-amz-'
  readonly server: string
  /** Of answers; empty where they have none. */
  readonly namespace: string
  /** Smallest part but the last, bytes. */
  readonly minPartSize: number
  readonly maxKeyBytes: number
  /** Bytes of names and values of user metadata. */
  readonly maxMetadata: number
  readonly defaultStorageClass: string
  /** From the stored lower-case form, without quotes. */
  etag(stored: string): string
}

const oss: Dialect = {
  name: 'oss',
  prefix: 'x-oss-',
  server: 'AliyunOSS',
  // OSS's documents show a namespace, its servers send none, and the official
  // Python SDKs look for tags without one.
  namespace: '',
  minPartSize: 102_400,
  maxKeyBytes: 1023,
  maxMetadata: 8192,
  defaultStorageClass: 'Standard',
  etag: (stored) => `"${stored.toUpperCase()}"`,
}

const s3: Dialect = {
  name: 's3',
  prefix: 'x-amz-',
  server: 'AmazonS3',
  namespace: 'http://s3.amazonaws.com/doc/2006-03-01/',
  minPartSize: 5_242_880,
  maxKeyBytes: 1024,
  maxMetadata: 2048,
  defaultStorageClass: 'STANDARD',
  etag: (stored) => `"${stored}"`,
}

export const dialects = { oss, s3 }

/** The form in which ETags are stored and compared. */
export function plainEtag(etag: string): string {
  return etag
    .trim()
    .replace(/^W\//, '')
    .replaceAll('"', '')
    .trim()
    .toLowerCase()
}
