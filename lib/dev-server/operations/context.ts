import type { Claim } from '../auth/claim.js'
import type { RequestBody } from '../body/request-body.js'
import type { Storage } from '../storage/storage.js'
import type { Upload } from '../storage/upload.js'
import { apiError } from '../wire/api-error.js'
import type { Dialect } from '../wire/dialect.js'
import type { Reply } from '../wire/reply.js'
import { header, type RequestHead } from '../wire/request-head.js'

/** What an operation gets; its request has been authenticated. */
export interface Context {
  readonly head: RequestHead
  readonly dialect: Dialect
  readonly claim: Claim
  readonly bucket: string
  /** Empty for operations on buckets. */
  readonly key: string
  readonly body: RequestBody
  readonly storage: Storage
  /** Smallest part but the last, bytes. */
  readonly minPartSize: number
  /** Most entries on a page of a list. */
  readonly maxPageSize: number
  /** The server's clock, ms since 1970. */
  readonly now: number
  readonly signal: AbortSignal
  /** To be called when the server's state has changed. */
  applied(): void
}

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

/** Throws when the object exists and the request forbids to replace it. */
export function checkOverwrite(context: Context): void {
  const { head, dialect, storage, bucket, key } = context
  const forbids =
    dialect.name === 'oss'
      ? ownHeader(context, 'forbid-overwrite')?.toLowerCase() === 'true'
      : header(head.headers, 'if-none-match') === '*'
  if (!forbids || storage.objects.get(bucket, key) === undefined) return
  if (dialect.name === 'oss') apiError('FileAlreadyExists')
  apiError('PreconditionFailed', { extra: { Condition: 'If-None-Match' } })
}
