/**
 * The contract between an upload and an object store.
 *
 * A store makes **one attempt** a call and throws a classified
 * {@link StoreError}; the uploader decides what is tried again. A promise of a
 * call with a body settles only when no byte of that body can be read any more:
 * its answer has been read to the end, or its socket is closed.
 */
import type { ObjectOptions } from './object-options.js'
import type { StoreError } from './store-error.js'

export type * from './object-options.js'
export type { StoreError }

/**
 * Which digest a store reports for stored bytes, of parts and of objects:
 * CRC-64/XZ (OSS), CRC-64/NVME (S3 with checksums), MD5 as the ETag, or none.
 */
export type StoreDigest = 'crc64ecma' | 'crc64nvme' | 'md5' | 'none'

/** What a store takes. Sizes in bytes; a violation is found before any request. */
export interface StoreLimits {
  /** Smallest part, except the last. */
  readonly minPartSize: number
  /** Largest part. */
  readonly maxPartSize: number
  /** Most parts of one upload. */
  readonly maxParts: number
  /** Largest object that one PutObject can carry. */
  readonly maxPutSize: number
  /** Largest key, in bytes of UTF-8. */
  readonly maxKeyBytes: number
  /** A key may not begin with a slash of either kind. Absent: it may. */
  readonly noLeadingSlash?: true | undefined
  /**
   * All parts but the last must be of one size, or Complete is refused. Absent:
   * each may have its own.
   */
  readonly equalParts?: true | undefined
}

/** How long one attempt may take, in milliseconds. */
export interface CallTimeouts {
  /** Until the connection stands. */
  connect: number
  /**
   * Without one byte of the body leaving while it is sent. Longer, at most twice
   * as long, once it fills the system's buffers.
   */
  stall: number
  /**
   * From the last byte sent to the last byte of the answer. Longer for a body, as
   * it may lie in a buffer: by its size at 100 kB a second, or by what sending it
   * has taken, whichever is more.
   */
  headers: number
}

/** What every call takes. */
export interface Call {
  /** Aborting it ends the attempt at once, by closing its socket. */
  signal: AbortSignal
  /** What this attempt may take. */
  timeouts: CallTimeouts
  /** Sent when the caller pays for the request instead of the bucket's owner. */
  requestPayer?: 'requester' | undefined
  /** Hears how long, ms, the server says that it has held the request back. */
  heldBack?: ((ms: number) => void) | undefined
  /** Which attempt at the same call this is, from 1; for what is told of it. */
  attempt?: number | undefined
  /**
   * What the object is to be, on calls whose request does not say it: a
   * customer's own key goes with every call that touches the object's bytes.
   */
  object?: ObjectOptions | undefined
}

/**
 * Makes a fresh iterable of the same bytes for each attempt. A view is valid
 * until the next one is asked for, and none is when the call has settled: the
 * memory is another part's then, or another upload's. To keep bytes, copy them.
 */
export type Body = () => AsyncIterable<Uint8Array>

/** A body that is all in memory, which is not used for anything else meanwhile. */
export interface WholeBody {
  /** All of it. */
  view: Uint8Array
  /** Hears that so many bytes have left this process, once an attempt. */
  onSent: (bytes: number) => void
}

/** Begins an upload. */
export interface CreateUploadRequest {
  /** The object's key, not encoded. */
  key: string
  /** What the object is to be. */
  object: ObjectOptions
  /** OSS: parts must arrive in order. Default false. */
  sequential?: boolean | undefined
  /**
   * 32 lower-case hex digits, kept as the object's user metadata `pawl`, by which
   * an upload knows its own object again. Absent: the object has none.
   */
  mark?: string | undefined
}

/** An upload that has begun. */
export interface CreatedUpload {
  /** The server's name for it. */
  uploadId: string
  /** The server's clock at its answer, ms since 1970; absent if it sent none. */
  date?: number | undefined
}

/** A request with bytes of the object. */
export interface BodyRequest {
  /** The object's key, not encoded. */
  key: string
  /** Bytes in the body; sent as Content-Length. */
  size: number
  /** The bytes: exactly `size` of them. */
  body: Body
  /** The same bytes, where they are all at hand: a store may send these instead. */
  bytes?: WholeBody | undefined
  /** Base64 of the 16 bytes, sent as Content-MD5. */
  md5?: string | undefined
  /** Unsigned decimal, of the polynomial that `digest` names; sent where the store takes it. */
  crc64?: string | undefined
  /** OSS: bits a second. */
  trafficLimit?: number | undefined
  /** The body waits for its rate, which is no stall. Absent: it never does. */
  isHeld?: (() => boolean) | undefined
}

/** Sends one part; sent again, it replaces the part of the same number. */
export interface UploadPartRequest extends BodyRequest {
  /** The upload that the part belongs to. */
  uploadId: string
  /** From 1 to the store's `maxParts`. */
  partNumber: number
}

/** Makes an object in one request. */
export interface PutObjectRequest extends BodyRequest {
  /** What the object is to be. */
  object: ObjectOptions
  /**
   * 32 lower-case hex digits, kept as the object's user metadata `pawl`, by which
   * an upload knows its own object again. Absent: the object has none.
   */
  mark?: string | undefined
}

/** The store's answer for a part. */
export interface PartReceipt {
  /** As the server spelled it, quotes included; Complete echoes it. */
  etag: string
  /** Unsigned decimal, when the server said it. */
  crc64?: string | undefined
  /** The part is encrypted so that its ETag is no MD5 of its bytes. */
  isOpaque?: true | undefined
}

/** Asks for the parts that are stored. */
export interface ListPartsRequest {
  /** The object's key, not encoded. */
  key: string
  /** The upload whose parts are listed. */
  uploadId: string
  /** Parts with higher numbers only. */
  after?: number | undefined
  /** No more than so many are wanted on the page. Default: as many as it takes. */
  most?: number | undefined
}

/** A part that the server has. */
export interface ListedPart {
  /** From 1. */
  partNumber: number
  /** As the server spells it in its lists. */
  etag: string
  /** Bytes. */
  size: number
  /** Unsigned decimal, when the server said it. */
  crc64?: string | undefined
  /** ms since 1970 */
  lastModified?: number | undefined
}

/** One page of stored parts. */
export interface PartPage {
  /** In ascending order. */
  parts: ListedPart[]
  /** `after` of the next page; absent on the last. */
  next?: number | undefined
}

/** A part as Complete names it. */
export interface CompletedPart {
  /** From 1. */
  partNumber: number
  /** Of the receipt or the list, as it was spelled there. */
  etag: string
}

/** Makes the object out of the stored parts. */
export interface CompleteUploadRequest {
  /** The object's key, not encoded. */
  key: string
  /** The upload that ends with it. */
  uploadId: string
  /** Every part, in ascending order and without a gap. */
  parts: readonly CompletedPart[]
  /** What the object is to be; a store sends what belongs on Complete. */
  object: ObjectOptions
  /** Of the whole object, where the store takes it. */
  crc64?: string | undefined
  /** Bytes of the whole object. */
  size: number
}

/** What a store says of a finished object. */
export interface ObjectReceipt {
  /** Without quotes; empty when the server did not say (HEAD has it). */
  etag: string
  /** Of the whole object, unsigned decimal, when the server said it. */
  crc64?: string | undefined
  /** In a bucket with versioning. */
  versionId?: string | undefined
  /** Set when the object is stored but the callback failed (OSS). */
  callbackFailed?: StoreError | undefined
  /** The callback server's answer, when a callback was asked for. */
  callbackBody?: string | undefined
  /** The object is encrypted so that its ETag is no MD5 of its bytes. */
  isOpaque?: true | undefined
}

/** What HEAD says of an object. */
export interface ObjectHead {
  /** Without quotes. */
  etag: string
  /** Bytes. */
  size: number
  /** Unsigned decimal, when the server said it. */
  crc64?: string | undefined
  /** In a bucket with versioning. */
  versionId?: string | undefined
  /** ms since 1970 */
  lastModified?: number | undefined
  /** Its user metadata `pawl`; absent when that is no mark, or none is there. */
  mark?: string | undefined
  /** The object is encrypted so that its ETag is no MD5 of its bytes. */
  isOpaque?: true | undefined
}

/** Reads a small object. */
export interface GetObjectRequest {
  /** The object's key, not encoded. */
  key: string
  /** Bytes; a longer one is `PAWL_RESPONSE`. */
  maxBytes: number
}

/** A small object. */
export interface StoredObject extends ObjectHead {
  /** All of it. */
  bytes: Uint8Array
  /** The server's clock at its answer, ms since 1970; absent if it sent none. */
  date?: number | undefined
}

/** Ends an upload without an object, and removes its parts. */
export interface AbortUploadRequest {
  /** The object's key, not encoded. */
  key: string
  /** The upload to be ended. */
  uploadId: string
}

/** Asks for uploads that are neither complete nor aborted. */
export interface ListUploadsRequest {
  /** Of the keys; absent: the whole bucket. */
  prefix?: string | undefined
  /** Of the page before: uploads of later keys, or of this one with a later ID. */
  keyMarker?: string | undefined
  /** Of the page before; goes with `keyMarker`. */
  uploadIdMarker?: string | undefined
}

/** An unfinished upload in a list. */
export interface ListedUpload {
  /** The object's key. */
  key: string
  /** The server's name for the upload. */
  uploadId: string
  /** ms since 1970 */
  initiated: number
}

/** Where the next page of uploads begins. */
export interface UploadMarkers {
  /** `keyMarker` of the next request. */
  keyMarker: string
  /** `uploadIdMarker` of the next request. */
  uploadIdMarker: string
}

/** One page of unfinished uploads. */
export interface UploadPage {
  /** Ordered by key, then by upload ID. */
  uploads: ListedUpload[]
  /** Markers of the next page; absent on the last. */
  next?: UploadMarkers | undefined
  /** The server's clock at its answer, ms since 1970. */
  date?: number | undefined
}

/**
 * A place for objects that takes them in parts.
 *
 * Every call makes one attempt and rejects with a classified `StoreError`. A
 * call with a body settles only when no byte of that body can be read any more.
 */
export interface ObjectStore {
  /** The same string for the same bucket, whatever the endpoint's alias; no secrets. */
  readonly identity: string
  /** The bucket's name. */
  readonly bucket: string
  /** What the store takes. */
  readonly limits: StoreLimits
  /** What the store reports of stored bytes. */
  readonly digest: StoreDigest
  /** False: this store keeps no user metadata, and so no marks. Absent: it does. */
  readonly keepsMetadata?: boolean | undefined
  /**
   * `initiate`: of two completed uploads of one key the object is that of the
   * upload which began last. Absent: that of the one which was completed last.
   */
  readonly precedence?: 'initiate' | undefined
  /**
   * Bytes a second that all uploads to this store may send together; the uploads
   * see to it. Absent: as many as the line carries.
   */
  readonly maxRate?: number | undefined
  /**
   * True: the server was seen to be one that takes parts after Complete, and
   * breaks the finished object with them (Swift). Absent: it refuses them.
   */
  readonly takesLateParts?: boolean | undefined

  /**
   * The headers fixed when an upload begins; the log keeps their digest.
   * Throws `PAWL_INVALID_OPTION` for anything this store cannot send (also for
   * options that go on Complete), so that bad options fail before any request.
   * Never among them: the mark, which is another one for each upload. Metadata of
   * that name is dropped and not refused, as it is copied from other objects.
   */
  fixedHeaders(object: ObjectOptions): Record<string, string>
  /**
   * What goes with Complete, or with PutObject besides the fixed headers: an
   * ACL, a callback, a condition. The log keeps its digest. Absent: nothing.
   */
  sentHeaders?(object: ObjectOptions): Record<string, string>
  /**
   * Whether a mark fits beside the object's own metadata. Absent: always.
   */
  canMark?(object: ObjectOptions): boolean

  /** Begins an upload. Not idempotent: each answer is another upload. */
  createUpload(request: CreateUploadRequest, call: Call): Promise<CreatedUpload>
  /** Stores one part, in place of one with the same number. */
  uploadPart(request: UploadPartRequest, call: Call): Promise<PartReceipt>
  /** One page, in ascending order. */
  listParts(request: ListPartsRequest, call: Call): Promise<PartPage>
  /** Makes the object; a `200` with an error inside is an error. */
  completeUpload(
    request: CompleteUploadRequest,
    call: Call,
  ): Promise<ObjectReceipt>
  /** Also resolves when there is no such upload. */
  abortUpload(request: AbortUploadRequest, call: Call): Promise<void>
  /** One page, ordered by key, then by upload ID. */
  listUploads(request: ListUploadsRequest, call: Call): Promise<UploadPage>
  /** Makes an object in one request, an empty one too. */
  putObject(request: PutObjectRequest, call: Call): Promise<ObjectReceipt>
  /** Undefined when there is no such object. */
  headObject(key: string, call: Call): Promise<ObjectHead | undefined>
  /**
   * A small object whole; undefined when there is none. For logs that are kept in
   * the bucket itself (`bucketCheckpoint`), as is `deleteObject`; an upload needs
   * neither.
   */
  getObject?(
    request: GetObjectRequest,
    call: Call,
  ): Promise<StoredObject | undefined>
  /** Also resolves when there is no such object. */
  deleteObject?(key: string, call: Call): Promise<void>
  /** Closes idle connections of the store's own pool. */
  close(): Promise<void>
}
