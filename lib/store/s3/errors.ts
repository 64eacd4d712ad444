/** What S3's error codes mean to an upload, and those of its likenesses. */
import type { OperationName } from '../dialect.js'
import type { ErrorHeaders, ServerError } from '../server-error.js'
import type { StoreErrorKind } from '../store-error.js'

export const s3ErrorHeaders: ErrorHeaders = {
  requestId: 'x-amz-request-id',
  hostId: 'x-amz-id-2',
  region: 'x-amz-bucket-region',
}

const kinds: Record<string, StoreErrorKind> = {
  NoSuchUpload: 'no-upload',
  NoSuchBucket: 'no-bucket',
  NoSuchKey: 'no-key',

  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  InvalidPayer: 'denied',
  NotSignedUp: 'denied',
  SignatureDoesNotMatch: 'denied',

  ExpiredToken: 'credentials',
  InvalidAccessKeyId: 'credentials',
  InvalidToken: 'credentials',
  TokenRefreshRequired: 'credentials',

  RequestTimeTooSkewed: 'clock',
  RequestTimeout: 'timeout',
  InternalError: 'server',
  IncompleteBody: 'server',

  SlowDown: 'throttled',
  ServiceUnavailable: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequests: 'throttled',
  RequestLimitExceeded: 'throttled',
  BandwidthLimitExceeded: 'throttled',

  BadDigest: 'digest',
  XAmzContentSHA256Mismatch: 'digest',
  XAmzContentChecksumMismatch: 'digest',

  InvalidPart: 'invalid-part',
  EntityTooSmall: 'too-small',

  OperationAborted: 'conflict',
  ConditionalRequestConflict: 'conflict',

  MethodNotAllowed: 'unsupported',
  NotImplemented: 'unsupported',

  AuthorizationHeaderMalformed: 'request',
  PermanentRedirect: 'request',
  TemporaryRedirect: 'server',
}

const ofUploads: readonly OperationName[] = [
  'UploadPart',
  'ListParts',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
]

export function s3KindOf(
  { status, code }: ServerError,
  operation: OperationName,
): StoreErrorKind | undefined {
  // Ceph says this of an unknown upload in a list of parts, Swift in an abort.
  if (code === 'NoSuchKey' && ofUploads.includes(operation)) return 'no-upload'
  // We send one condition: that the object must not exist. Swift calls its
  // failure InvalidRequest.
  if (status === 412) return 'exists'
  if (code !== undefined && Object.hasOwn(kinds, code)) return kinds[code]
  if (operation === 'HeadObject' && status === 404) return 'no-key'
  return undefined
}

export function s3HintFor({
  code,
  endpoint,
  region,
}: ServerError): string | undefined {
  if (endpoint !== undefined) {
    return `The bucket is at ${endpoint}: set region or endpoint accordingly.`
  }
  switch (code) {
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return region === undefined
        ? 'Check the region.'
        : `The bucket's region is ${region}.`
    case 'SignatureDoesNotMatch':
      return 'Check the secret access key and the region.'
    case 'InvalidAccessKeyId':
      return 'The access key is unknown, or its session token is missing.'
    case undefined:
    default:
      return undefined
  }
}
