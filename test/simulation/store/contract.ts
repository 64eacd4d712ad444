/** The store contract in the words of the models. */
import type { StoreCallName } from '../../../lib/store/around-calls.js'
import type {
  CreateUploadRequest,
  ObjectHead,
  ObjectReceipt,
  PartReceipt,
  PutObjectRequest,
  UploadPartRequest,
} from '../../../lib/store/object-store.js'

export type Create = CreateUploadRequest
export type Put = PutObjectRequest
export type Part = UploadPartRequest
export type PartAnswer = PartReceipt
export type ObjectAnswer = ObjectReceipt
export type Head = ObjectHead

/** A call by the name of the store's method; uploads make no others. */
export type CallName = Exclude<StoreCallName, 'getObject' | 'deleteObject'>

export type {
  AbortUploadRequest,
  CompleteUploadRequest,
  ListPartsRequest,
  ListUploadsRequest,
  ObjectOptions,
  ObjectStore as Model,
} from '../../../lib/store/object-store.js'
