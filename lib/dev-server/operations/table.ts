import type { RequestHead } from '../wire/request-head.js'
import { apiError } from '../wire/api-error.js'
import type { Asked } from '../wire/operation.js'
import {
  createBucket,
  deleteBucket,
  getBucketInfo,
  getBucketLocation,
  getBucketVersioning,
  headBucket,
} from './buckets.js'
import { completeUpload } from './complete-upload.js'
import type { Handler, KnownOperation } from './context.js'
import { copyObject } from './copy-object.js'
import { abortUpload, createUpload } from './create-upload.js'
import { deleteObject } from './delete-object.js'
import { deleteObjects } from './delete-objects.js'
import { listBuckets } from './list-buckets.js'
import { listObjects } from './list-objects.js'
import { listParts } from './list-parts.js'
import { listUploads } from './list-uploads.js'
import { getObjectAttributes } from './object-attributes.js'
import { putObject } from './put-object.js'
import { getObject, getObjectMeta, headObject } from './read-object.js'
import { deleteTagging, getTagging, putTagging } from './tagging.js'
import { uploadPartCopy } from './upload-part-copy.js'
import { uploadPart } from './upload-part.js'

/** The handler of each operation. */
export const operations: Readonly<Record<KnownOperation, Handler>> = {
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  ListParts: listParts,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListMultipartUploads: listUploads,
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: headObject,
  GetObjectMeta: getObjectMeta,
  GetObjectAttributes: getObjectAttributes,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetObjectTagging: getTagging,
  PutObjectTagging: putTagging,
  DeleteObjectTagging: deleteTagging,
  ListObjects: listObjects,
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getBucketLocation,
  GetBucketVersioning: getBucketVersioning,
  GetBucketInfo: getBucketInfo,
}

const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD']

/** What is said of a request that is no call of this server. */
export function refuseUnknown(
  { method }: RequestHead,
  { unknownName }: Asked,
): never {
  if (!methods.includes(method)) apiError('MethodNotAllowed')
  return unknownName === undefined
    ? apiError('NotImplemented')
    : apiError('NotImplemented', {
        message: `The query parameter ${JSON.stringify(unknownName)} is not implemented for this request.`,
      })
}
