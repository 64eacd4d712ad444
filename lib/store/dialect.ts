/** What OSS and S3 do differently; everything else is `rest-store.ts`. */
import { invalidOption, shown } from '../errors.js'
import type { Credentials } from './credentials.js'
import type {
  BodyRequest,
  CompleteUploadRequest,
  ObjectOptions,
  StoreDigest,
  StoreLimits,
} from './object-store.js'
import type { Query } from './percent-encode.js'
import type { ErrorHeaders, ServerError } from './server-error.js'
import type { StoreErrorKind } from './store-error.js'
import type { MetadataRules } from './metadata.js'

/** The names of the calls, as both services have them. */
export type OperationName =
  | 'InitiateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'PutObject'
  | 'HeadObject'
  | 'GetObject'
  | 'DeleteObject'

/** A request before it is signed. */
export interface UnsignedRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Not encoded; absent for the bucket. */
  key?: string | undefined
  query: Query
  headers: Readonly<Record<string, string>>
  /** A small body that is all here, for services that sign it. */
  content?: Buffer | undefined
}

/** A request as it goes out. */
export interface SignedRequest {
  path: string
  headers: Record<string, string>
}

/** Object options as the headers of each call that carries them. */
export interface ObjectHeaders {
  /** Fixed when an upload begins; also on PutObject. */
  fixed: Record<string, string>
  initiate: Record<string, string>
  put: Record<string, string>
  complete: Record<string, string>
  /** Of every call that touches the bytes: a key of the caller's own. */
  touching: Record<string, string>
}

export interface Dialect {
  readonly service: string
  readonly limits: StoreLimits
  readonly digest: StoreDigest
  /** Of two completed uploads of one key; see `ObjectStore.precedence`. */
  readonly precedence: 'initiate' | undefined
  readonly metadataRules: MetadataRules
  /** Of the service's own headers. */
  readonly prefix: 'x-oss-' | 'x-amz-'
  readonly origin: string
  /** The host is a domain of the caller's, which leads to whatever bucket it does. */
  readonly isOwnDomain: boolean
  readonly errorHeaders: ErrorHeaders
  readonly initiateQuery: Query
  readonly listPartsQuery: Query
  readonly completeQuery: Query
  readonly listUploadsQuery: Query
  /** Of HeadObject. */
  readonly headHeaders: Readonly<Record<string, string>>
  /** Of the body of CompleteMultipartUpload. */
  readonly xmlNamespace?: string | undefined
  /** Where a CRC-64 is: a header, and an element in a list of parts. */
  readonly crcHeader: string
  readonly crcElement: string

  sign(
    request: UnsignedRequest,
    credentials: Credentials,
    time: Date,
  ): SignedRequest
  /** Unsigned decimal from the service's spelling. */
  readCrc(text: string | undefined): string | undefined
  /** Throws `PAWL_INVALID_OPTION` for what cannot be sent. */
  objectHeaders(object: ObjectOptions): ObjectHeaders
  /** Of UploadPart and PutObject, besides length and MD5. */
  bodyHeaders(request: BodyRequest): Record<string, string>
  /** Of CompleteMultipartUpload, besides the object's. */
  completeHeaders(request: CompleteUploadRequest): Record<string, string>
  /** Undefined: the code says nothing, the status decides. */
  kindOf(
    error: ServerError,
    operation: OperationName,
  ): StoreErrorKind | undefined
  /** What to do about it, for the text of the error. */
  hintFor(error: ServerError): string | undefined
}

/** The headers of options that nobody can change any more are worked out once. */
export function remembered(
  dialect: Pick<Dialect, 'objectHeaders'>,
): Dialect['objectHeaders'] {
  const known = new WeakMap<ObjectOptions, ObjectHeaders>()
  return (object) => {
    const found = known.get(object)
    if (found !== undefined) return found
    const headers = dialect.objectHeaders(object)
    if (Object.isFrozen(object)) known.set(object, headers)
    return headers
  }
}

/** Which bucket a store is, and what its server takes. */
export interface StorePlace {
  identity: string
  bucket: string
  maxRate?: number | undefined
  maxParts?: number | undefined
}

/** Of a server that takes fewer than the service does. */
export function withMostParts(
  limits: StoreLimits,
  most: number = limits.maxParts,
): StoreLimits {
  if (Number.isSafeInteger(most) && most >= 1 && most <= limits.maxParts) {
    return { ...limits, maxParts: most }
  }
  return invalidOption(
    `maxParts: expected a whole number from 1 to ${limits.maxParts}, not ${shown(most)}.`,
  )
}
