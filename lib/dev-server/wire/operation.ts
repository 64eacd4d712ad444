import type { Operation } from '../options.js'
import type { Target } from './target.js'

/** Sub-resources that only other operations than ours have. */
const foreign = [
  'acl',
  'append',
  'cors',
  'delete',
  'lifecycle',
  'location',
  'logging',
  'objectMeta',
  'policy',
  'restore',
  'symlink',
  'tagging',
  'versioning',
  'versions',
  'website',
]

/** Which call a request is, by method, key and query. */
export function operationOf(
  method: string,
  { bucket, key, query }: Target,
): Operation {
  if (bucket === undefined || foreign.some((name) => query.has(name))) {
    return 'Unknown'
  }
  return key === undefined
    ? bucketOperation(method, query.has('uploads'))
    : objectOperation(method, {
        uploads: query.has('uploads'),
        uploadId: query.has('uploadId'),
        partNumber: query.has('partNumber'),
      })
}

function bucketOperation(method: string, uploads: boolean): Operation {
  if (uploads) return method === 'GET' ? 'ListMultipartUploads' : 'Unknown'
  switch (method) {
    case 'GET':
      return 'ListObjects'
    case 'PUT':
      return 'CreateBucket'
    case 'HEAD':
      return 'HeadBucket'
    default:
      return 'Unknown'
  }
}

function objectOperation(
  method: string,
  has: { uploads: boolean; uploadId: boolean; partNumber: boolean },
): Operation {
  switch (method) {
    case 'POST':
      if (has.uploads) return 'CreateMultipartUpload'
      return has.uploadId ? 'CompleteMultipartUpload' : 'Unknown'
    case 'PUT':
      if (has.uploads) return 'Unknown'
      return has.uploadId || has.partNumber ? 'UploadPart' : 'PutObject'
    case 'GET':
      if (has.uploads) return 'Unknown'
      return has.uploadId ? 'ListParts' : 'GetObject'
    case 'HEAD':
      return 'HeadObject'
    case 'DELETE':
      return has.uploadId ? 'AbortMultipartUpload' : 'DeleteObject'
    default:
      return 'Unknown'
  }
}
