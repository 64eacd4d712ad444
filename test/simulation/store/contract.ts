/** The store contract as the models speak it, marks included. */
import type {
  AbortUploadRequest,
  CompleteUploadRequest,
  CreateUploadRequest,
  ListPartsRequest,
  ListUploadsRequest,
  ObjectHead,
  ObjectOptions,
  ObjectReceipt,
  ObjectStore,
  PartReceipt,
  PutObjectRequest,
  UploadPartRequest,
} from '../../../lib/store/object-store.js'

/** 32 hex digits, kept as the user metadata `pawl`. */
interface Marked {
  mark?: string | undefined
}

/** Set where an ETag is no digest of the bytes (KMS). */
interface Opaque {
  isOpaque?: true | undefined
}

export type Create = CreateUploadRequest & Marked
export type Put = PutObjectRequest & Marked
export type Part = UploadPartRequest
export type PartAnswer = PartReceipt & Opaque
export type ObjectAnswer = ObjectReceipt & Opaque
export type Head = ObjectHead & Opaque & Marked

export interface Model extends ObjectStore {
  readonly keepsMetadata?: boolean
  readonly precedence?: 'initiate'
  sentHeaders(object: ObjectOptions): Record<string, string>
  canMark(object: ObjectOptions): boolean
}

/** A call by the name of the store's method. */
export type CallName =
  | 'createUpload'
  | 'uploadPart'
  | 'listParts'
  | 'completeUpload'
  | 'abortUpload'
  | 'listUploads'
  | 'putObject'
  | 'headObject'

export type {
  AbortUploadRequest,
  CompleteUploadRequest,
  ListPartsRequest,
  ListUploadsRequest,
  ObjectOptions,
}
