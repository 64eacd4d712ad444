import type { Claim } from '../auth/claim.js'
import type { RequestBody } from '../body/request-body.js'
import type { Operation } from '../options.js'
import type { ObjectRecord } from '../storage/records.js'
import type { Storage } from '../storage/storage.js'
import type { Upload } from '../storage/upload.js'
import { apiError } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import type { Reply } from '../wire/reply.js'
import { header, type RequestHead } from '../wire/request-head.js'

/** What an operation gets; its request has been authenticated. */
export interface Context {
  /** With the headers that a presigned URL has in its query. */
  readonly head: RequestHead
  readonly operation: KnownOperation
  readonly dialect: Dialect
  readonly claim: Claim
  /** The server's, or that of the signature where it has none. */
  readonly region: string | undefined
  /** Empty for operations on no bucket. */
  readonly bucket: string
  /** Empty for operations on buckets. */
  readonly key: string
  readonly body: RequestBody
  readonly storage: Storage
  /** Smallest part but the last, bytes. */
  readonly minPartSize: number
  /** All parts but the last must be of one size. */
  readonly equalParts: boolean
  /** Most entries on a page of a list. */
  readonly maxPageSize: number
  /** The server's clock, ms since 1970. */
  readonly now: number
  readonly signal: AbortSignal
  /** To be called when the server's state has changed. */
  applied(): void
}

export type KnownOperation = Exclude<Operation, 'Unknown'>

export type Handler = (context: Context) => Reply | Promise<Reply>

/** The value of one of the dialect's own headers, by its name without prefix. */
export function ownHeader(
  { head, dialect }: Context,
  name: string,
): string | undefined {
  return header(head.headers, dialect.prefix + name)
}

/** The upload that the query names. */
export function requireUpload(context: Context): Upload {
  const uploadId = context.head.query.get('uploadId') ?? ''
  const { bucket, key, storage } = context
  return (
    storage.uploads.find(bucket, key, uploadId) ??
    apiError('NoSuchUpload', { extra: { UploadId: uploadId } })
  )
}

/** The object that the target names. */
export function requireObject({
  storage,
  bucket,
  key,
}: Pick<Context, 'storage' | 'bucket' | 'key'>): ObjectRecord {
  return (
    storage.objects.get(bucket, key) ??
    apiError('NoSuchKey', { extra: { Key: key } })
  )
}
