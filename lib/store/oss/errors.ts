/** What OSS's error codes mean to an upload. */
import type { OperationName } from '../dialect.js'
import type { ErrorHeaders, ServerError } from '../server-error.js'
import type { StoreErrorKind } from '../store-error.js'

export const ossErrorHeaders: ErrorHeaders = {
  requestId: 'x-oss-request-id',
  ec: 'x-oss-ec',
  xml: 'x-oss-err',
}

const kinds: Record<string, StoreErrorKind> = {
  NoSuchUpload: 'no-upload',
  NoSuchBucket: 'no-bucket',
  NoSuchKey: 'no-key',

  AccessDenied: 'denied',
  SignatureDoesNotMatch: 'denied',
  UserDisable: 'denied',
  InDebt: 'denied',
  InDebtOverdue: 'denied',
  BucketDisable: 'denied',
  AbnormalBucketOwnerStatus: 'denied',
  KmsServiceNotEnabled: 'denied',

  InvalidAccessKeyId: 'credentials',
  SecurityTokenExpired: 'credentials',
  InvalidSecurityToken: 'credentials',
  AccessKeyIdAndSecurityTokenNotMatch: 'credentials',

  RequestTimeTooSkewed: 'clock',
  // A 400: the body came too slowly.
  RequestTimeout: 'timeout',
  BadRequest: 'server',
  InternalError: 'server',

  InvalidDigest: 'digest',
  BadDigest: 'digest',
  XAmzContentSHA256Mismatch: 'digest',

  InvalidPart: 'invalid-part',
  FilePartNotExist: 'invalid-part',
  FilePartStale: 'invalid-part',
  FilePartInterity: 'invalid-part',
  EntityTooSmall: 'too-small',

  FileAlreadyExists: 'exists',
  FileImmutable: 'conflict',
  PartAlreadyExist: 'conflict',
  PartNotSequential: 'conflict',

  MethodNotAllowed: 'unsupported',
  NotImplemented: 'unsupported',
  SecondLevelDomainForbidden: 'request',
  // 203, or 424 in some documents: the object is stored.
  CallbackFailed: 'request',
}

export function ossKindOf(
  { status, code, endpoint }: ServerError,
  operation: OperationName,
): StoreErrorKind | undefined {
  // A wrong address, not a refusal: nothing sent there can succeed.
  if (code === 'AccessDenied' && endpoint !== undefined) return 'request'
  if (code !== undefined && Object.hasOwn(kinds, code)) return kinds[code]
  // HEAD has no body; without x-oss-err all that is left is the status.
  if (operation === 'HeadObject' && status === 404 && code === undefined) {
    return 'no-key'
  }
  return undefined
}

const hints: Record<string, string> = {
  InvalidAccessKeyId:
    'The access key is unknown or disabled, or its session token is missing.',
  SignatureDoesNotMatch: 'Check the access key secret and the region.',
  SecondLevelDomainForbidden:
    "OSS takes the bucket in the host name: use addressing 'virtual'.",
  RequestTimeTooSkewed: 'The local clock is more than 15 minutes off.',
}

export function ossHintFor({
  code,
  endpoint,
}: ServerError): string | undefined {
  if (endpoint !== undefined) {
    return `The bucket is at ${endpoint}: set region or endpoint accordingly.`
  }
  return code !== undefined && Object.hasOwn(hints, code)
    ? hints[code]
    : undefined
}
