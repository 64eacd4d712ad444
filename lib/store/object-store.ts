/**
 * The contract between an upload and an object store.
 *
 * A store makes **one attempt** a call and throws a classified
 * {@link StoreError}; the uploader decides what is tried again. A promise of a
 * call with a body settles only when no byte of that body can be read any more:
 * its answer has been read to the end, or its socket is closed.
 */
import type { StoreError } from './store-error.js'

export type { StoreError }

/** Which digest a store reports for stored bytes, of parts and of objects. */
export type StoreDigest = 'crc64ecma' | 'crc64nvme' | 'md5' | 'none'

/** Sizes in bytes. */
export interface StoreLimits {
  /** Smallest part, except the last. */
  readonly minPartSize: number
  readonly maxPartSize: number
  readonly maxParts: number
  /** Largest object that one PutObject can carry. */
  readonly maxPutSize: number
  /** Largest key, in bytes of UTF-8. */
  readonly maxKeyBytes: number
}

/** How OSS is to call back when the object is complete. */
export interface CallbackOptions {
  /** One to five URLs. */
  url: string | readonly string[]
  /** The body, with `${bucket}`, `${object}`, `${x:name}` and the like. */
  body: string
  bodyType?: 'application/x-www-form-urlencoded' | 'application/json'
  /** The Host header of the callback. */
  host?: string
  /** Send SNI. */
  sni?: boolean
  /** Own values; names are lower case, without the `x:`. */
  variables?: Readonly<Record<string, string>>
}

/** Server-side encryption. */
export interface EncryptionOptions {
  /** `AES256`, `KMS` or `SM4` on OSS; `AES256` or `aws:kms` on S3. */
  algorithm: string
  keyId?: string
  /** OSS: `SM4`, only with `KMS`. */
  dataEncryption?: string
}

/** What the finished object is to be, besides its bytes. */
export interface ObjectOptions {
  contentType?: string
  cacheControl?: string
  contentDisposition?: string
  contentEncoding?: string
  expires?: string | Date
  /** User metadata; names of letters, digits and `-`, values of printable ASCII. */
  metadata?: Readonly<Record<string, string>>
  acl?: string
  storageClass?: string
  tagging?: Readonly<Record<string, string>>
  encryption?: EncryptionOptions
  /** Refuse to replace an object that exists already. */
  forbidOverwrite?: boolean
  /** OSS only. */
  callback?: CallbackOptions
  /** Any further header for Initiate and PutObject. */
  headers?: Readonly<Record<string, string>>
}

/** Milliseconds. */
export interface CallTimeouts {
  /** Until the connection stands. */
  connect: number
  /** Without one byte moving while a body is sent. */
  stall: number
  /** From the last byte sent to the last byte of the answer. */
  headers: number
}

/** What every call takes. */
export interface Call {
  /** Aborting it ends the attempt at once, by closing its socket. */
  signal: AbortSignal
  timeouts: CallTimeouts
  requestPayer?: 'requester' | undefined
  /** Which attempt at the same call this is, from 1; for what is told of it. */
  attempt?: number | undefined
}

/** Makes a fresh iterable of the same bytes for each attempt. */
export type Body = () => AsyncIterable<Uint8Array>

export interface CreateUploadRequest {
  key: string
  object: ObjectOptions
  /** OSS: parts must arrive in order. */
  sequential?: boolean | undefined
}

export interface CreatedUpload {
  uploadId: string
  /** The server's clock at its answer, ms since 1970; absent if it sent none. */
  date?: number | undefined
}

export interface BodyRequest {
  key: string
  size: number
  body: Body
  /** Base64 of the 16 bytes, sent as Content-MD5. */
  md5?: string | undefined
  /** Unsigned decimal, of the polynomial that `digest` names; sent where the store takes it. */
  crc64?: string | undefined
  /** OSS: bits a second. */
  trafficLimit?: number | undefined
}

export interface UploadPartRequest extends BodyRequest {
  uploadId: string
  partNumber: number
}

export interface PutObjectRequest extends BodyRequest {
  object: ObjectOptions
}

/** The store's answer for a part. */
export interface PartReceipt {
  /** As the server spelled it, quotes included; Complete echoes it. */
  etag: string
  /** Unsigned decimal, when the server said it. */
  crc64?: string | undefined
}

export interface ListPartsRequest {
  key: string
  uploadId: string
  /** Parts with higher numbers only. */
  after?: number | undefined
}

export interface ListedPart {
  partNumber: number
  etag: string
  size: number
  crc64?: string | undefined
  /** ms since 1970 */
  lastModified?: number | undefined
}

export interface PartPage {
  parts: ListedPart[]
  /** `after` of the next page; absent on the last. */
  next?: number | undefined
}

export interface CompletedPart {
  partNumber: number
  etag: string
}

export interface CompleteUploadRequest {
  key: string
  uploadId: string
  parts: readonly CompletedPart[]
  object: ObjectOptions
  /** Of the whole object, where the store takes it. */
  crc64?: string | undefined
  size: number
}

/** What a store says of a finished object. */
export interface ObjectReceipt {
  /** Without quotes; empty when the server did not say (HEAD has it). */
  etag: string
  crc64?: string | undefined
  versionId?: string | undefined
  /** Set when the object is stored but the callback failed (OSS, status 203). */
  callbackFailed?: StoreError | undefined
  /** The callback server's answer, when a callback was asked for. */
  callbackBody?: string | undefined
}

export interface ObjectHead {
  etag: string
  size: number
  crc64?: string | undefined
  versionId?: string | undefined
  /** ms since 1970 */
  lastModified?: number | undefined
}

export interface AbortUploadRequest {
  key: string
  uploadId: string
}

export interface ListUploadsRequest {
  prefix?: string | undefined
  keyMarker?: string | undefined
  uploadIdMarker?: string | undefined
}

export interface ListedUpload {
  key: string
  uploadId: string
  /** ms since 1970 */
  initiated: number
}

export interface UploadPage {
  uploads: ListedUpload[]
  /** Markers of the next page; absent on the last. */
  next?: { keyMarker: string; uploadIdMarker: string } | undefined
  /** The server's clock at its answer, ms since 1970. */
  date?: number | undefined
}

/** A place for objects that takes them in parts. */
export interface ObjectStore {
  /** The same string for the same bucket, whatever the endpoint's alias; no secrets. */
  readonly identity: string
  readonly bucket: string
  readonly limits: StoreLimits
  readonly digest: StoreDigest

  /**
   * The headers fixed when an upload begins; the log keeps their digest.
   * Throws `PAWL_INVALID_OPTION` for anything this store cannot send (also for
   * options that go on Complete), so that bad options fail before any request.
   */
  fixedHeaders(object: ObjectOptions): Record<string, string>

  createUpload(request: CreateUploadRequest, call: Call): Promise<CreatedUpload>
  uploadPart(request: UploadPartRequest, call: Call): Promise<PartReceipt>
  /** One page, in ascending order. */
  listParts(request: ListPartsRequest, call: Call): Promise<PartPage>
  completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectReceipt>
  /** Also resolves when there is no such upload. */
  abortUpload(request: AbortUploadRequest, call: Call): Promise<void>
  /** One page, ordered by key, then by upload ID. */
  listUploads(request: ListUploadsRequest, call: Call): Promise<UploadPage>
  putObject(request: PutObjectRequest, call: Call): Promise<ObjectReceipt>
  /** Undefined when there is no such object. */
  headObject(key: string, call: Call): Promise<ObjectHead | undefined>
  /** Closes idle connections of the store's own pool. */
  close(): Promise<void>
}
