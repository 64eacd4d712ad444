/** The errors that the server answers: code, HTTP status, text, OSS's EC. */

const catalogue = {
  AccessDenied: [403, 'AccessDenied', '0003-00000001'],
  AuthorizationHeaderMalformed: [
    400,
    'The authorization header is malformed.',
    '',
  ],
  BadDigest: [400, 'The digest you specified did not match the body.', ''],
  BucketNotEmpty: [409, 'The bucket you tried to delete is not empty.', ''],
  BadRequest: [400, 'The request cannot be understood.', ''],
  CallbackFailed: [203, 'Error status : 502.', '0007-00000203'],
  ConditionalRequestConflict: [
    409,
    'A conflicting request succeeded while this conditional one was under way.',
    '',
  ],
  EntityTooLarge: [
    400,
    'Your proposed upload exceeds the maximum allowed size.',
    '0042-00000214',
  ],
  EntityTooSmall: [
    400,
    'Your proposed upload smaller than the minimum allowed size.',
    '0042-00000213',
  ],
  ExpiredToken: [400, 'The provided token has expired.', ''],
  FileAlreadyExists: [
    409,
    'The object you specified already exists and can not be overwritten.',
    '0026-00000002',
  ],
  IncompleteBody: [
    400,
    'The body is shorter or longer than it was said to be.',
    '',
  ],
  InternalError: [500, 'We encountered an internal error.', '0052-00000001'],
  InvalidAccessKeyId: [
    403,
    'The Access Key Id you provided does not exist in our records.',
    '0002-00000901',
  ],
  InvalidArgument: [400, 'Invalid Argument.', '0017-00000001'],
  InvalidBucketName: [
    400,
    'The specified bucket is not valid.',
    '0015-00000001',
  ],
  InvalidDigest: [
    400,
    'The Content-MD5 you specified did not match what we received.',
    '0017-00000503',
  ],
  InvalidEncryptionAlgorithmError: [
    400,
    'The Encryption Algorithm is not valid.',
    '0017-00000801',
  ],
  InvalidObjectName: [
    400,
    'The specified object is not valid.',
    '0015-00000003',
  ],
  InvalidObjectState: [
    403,
    'The bytes of this object were discarded.',
    '0061-00000001',
  ],
  InvalidPart: [
    400,
    'One or more of the specified parts could not be found or the specified entity tag might not have matched.',
    '0042-00000204',
  ],
  InvalidPartOrder: [
    400,
    'The list of parts was not in ascending order.',
    '0042-00000209',
  ],
  InvalidRange: [416, 'The requested range cannot be satisfied.', ''],
  InvalidRequest: [400, 'The request is not valid.', ''],
  InvalidSecurityToken: [
    403,
    'The security token you provided is invalid.',
    '0002-00000006',
  ],
  InvalidStorageClass: [400, 'The storage class is not valid.', ''],
  InvalidTag: [400, 'The tag you provided is not valid.', ''],
  InvalidToken: [400, 'The provided token is malformed or not valid.', ''],
  InvalidURI: [400, 'The URI cannot be parsed.', ''],
  KeyTooLongError: [400, 'Your key is too long.', ''],
  MalformedXML: [
    400,
    'The XML you provided was not well-formed or did not validate.',
    '0042-00000210',
  ],
  MetadataTooLarge: [400, 'Your metadata headers are too large.', ''],
  MethodNotAllowed: [
    405,
    'The specified method is not allowed against this resource.',
    '0018-00000001',
  ],
  MissingContentLength: [
    411,
    'You must provide the Content-Length HTTP header.',
    '0017-00000701',
  ],
  NoSuchBucket: [404, 'The specified bucket does not exist.', '0015-00000101'],
  NoSuchKey: [404, 'The specified key does not exist.', '0026-00000001'],
  NoSuchUpload: [
    404,
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    '0042-00000002',
  ],
  NotImplemented: [
    501,
    'The request needs something that is not implemented.',
    '0017-00000901',
  ],
  PartAlreadyExist: [
    409,
    'For sequential multipart upload, you cannot upload a part twice.',
    '0042-00000108',
  ],
  PartNotSequential: [
    400,
    'For sequential multipart upload, the part number must be the next one.',
    '0042-00000107',
  ],
  PreconditionFailed: [
    412,
    'At least one of the pre-conditions you specified did not hold.',
    '0017-00001001',
  ],
  RequestTimeTooSkewed: [
    403,
    'The difference between the request time and the current time is too large.',
    '0002-00000504',
  ],
  SecurityTokenExpired: [
    403,
    'The security token you provided has expired.',
    '0002-00000007',
  ],
  SignatureDoesNotMatch: [
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    '0002-00000001',
  ],
  XAmzContentSHA256Mismatch: [
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    '',
  ],
} as const satisfies Record<string, readonly [number, string, string]>

export type ApiErrorCode = keyof typeof catalogue

export interface ApiErrorDetails {
  /** Where it is not the code's usual one. */
  status?: number
  message?: string
  ec?: string
  /** Further children of the XML's root. */
  extra?: Readonly<Record<string, string>>
}

/** A refusal, thrown anywhere below the handler and answered as XML. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  readonly status: number
  readonly ec: string
  readonly extra: Readonly<Record<string, string>>

  constructor(code: ApiErrorCode, details: ApiErrorDetails = {}) {
    const [status, message, ec] = catalogue[code]
    super(details.message ?? message)
    this.code = code
    this.status = details.status ?? status
    this.ec = details.ec ?? ec
    this.extra = details.extra ?? {}
  }
}

/** Throws an {@link ApiError}; for checks in expressions. */
export function apiError(code: ApiErrorCode, details?: ApiErrorDetails): never {
  throw new ApiError(code, details)
}

/** `InvalidArgument` that names the argument, as OSS does. */
export function invalidArgument(
  name: string,
  value: string,
  message?: string,
  ec?: string,
): never {
  throw new ApiError('InvalidArgument', {
    extra: { ArgumentName: name, ArgumentValue: value },
    ...(message === undefined ? {} : { message }),
    ...(ec === undefined ? {} : { ec }),
  })
}
