import { apiError } from '../wire/api-error.js'
import type { Context } from './context.js'

/** The rules on names, and the bucket's existence. */
export function checkNames(context: Context): void {
  const { operation, bucket, key, dialect, head } = context
  if (operation === 'ListBuckets') return
  checkBucketName(bucket)
  if (operation !== 'CreateBucket') requireBucket(context, bucket)
  if (Buffer.byteLength(key) > dialect.maxKeyBytes) {
    apiError(dialect.name === 'oss' ? 'InvalidObjectName' : 'KeyTooLongError')
  }
  if (dialect.name === 'oss' && /^[/\\]/.test(key)) {
    apiError('InvalidObjectName', { extra: { ObjectName: key } })
  }
  checkVersion(head.query.get('versionId'))
}

export function checkBucketName(bucket: string): void {
  if (/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(bucket)) return
  apiError('InvalidBucketName', { extra: { BucketName: bucket } })
}

export function requireBucket(
  { storage }: Pick<Context, 'storage'>,
  bucket: string,
): void {
  if (storage.hasBucket(bucket)) return
  apiError('NoSuchBucket', { extra: { BucketName: bucket } })
}

/** Objects have the one version that buckets without versioning call `null`. */
export function checkVersion(versionId: string | undefined): void {
  if (versionId === undefined || versionId === 'null') return
  apiError('NotImplemented', { message: 'Versions are not implemented.' })
}
