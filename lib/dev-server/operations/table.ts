import type { Operation } from '../options.js'
import { apiError } from '../wire/api-error.js'
import { emptyReply } from '../wire/reply.js'
import { completeUpload } from './complete-upload.js'
import type { Context, Handler } from './context.js'
import { abortUpload, createUpload } from './create-upload.js'
import { listObjects } from './list-objects.js'
import { listParts } from './list-parts.js'
import { listUploads } from './list-uploads.js'
import { putObject } from './put-object.js'
import { deleteObject, getObject, headObject } from './read-object.js'
import { uploadPart } from './upload-part.js'

/** Who does what. */
export const operations: Readonly<Record<Operation, Handler>> = {
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  ListParts: listParts,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListMultipartUploads: listUploads,
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  ListObjects: listObjects,
  CreateBucket: (context) => {
    if (!context.storage.hasBucket(context.bucket)) {
      context.storage.makeBucket(context.bucket)
      context.applied()
    }
    return emptyReply(200, { location: `/${context.bucket}` })
  },
  HeadBucket: () => emptyReply(200),
  Unknown: ({ head }) =>
    apiError(
      ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'].includes(head.method)
        ? 'NotImplemented'
        : 'MethodNotAllowed',
    ),
}

/** The rules on names, and the bucket's existence. */
export function checkNames(context: Context, operation: Operation): void {
  const { bucket, key, dialect, storage } = context
  if (operation === 'Unknown') return
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(bucket)) {
    apiError('InvalidBucketName', { extra: { BucketName: bucket } })
  }
  if (operation !== 'CreateBucket' && !storage.hasBucket(bucket)) {
    apiError('NoSuchBucket', { extra: { BucketName: bucket } })
  }
  if (Buffer.byteLength(key) > dialect.maxKeyBytes) {
    apiError(dialect.name === 'oss' ? 'InvalidObjectName' : 'KeyTooLongError')
  }
  if (dialect.name === 'oss' && /^[/\\]/.test(key)) {
    apiError('InvalidObjectName', { extra: { ObjectName: key } })
  }
}
