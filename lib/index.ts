/**
 * Uploads a stream to object storage in parts, and goes on where an earlier run
 * stopped. Bytes and milliseconds everywhere. A name in quotes after a rule is
 * the page of the vendor's documentation (Alibaba Cloud OSS, Amazon S3) it is from.
 *
 * @module pawl
 */
export {
  createResumableUploadStream,
  ResumableUploadStream,
} from './upload/stream.js'

export {
  createPartStream,
  type Part,
  type PartStreamOptions,
} from './upload/source/part-stream.js'

export { discardFileUpload, uploadFile } from './upload/file.js'

export { uploadBytes, type BlobLike, type Bytes } from './upload/bytes.js'

export type { FilePath } from './file-path.js'

export {
  listUploads,
  type ListUploadsOptions,
  type UnfinishedUpload,
} from './upload/list-uploads.js'

export {
  abortUploads,
  type AbortUploadsOptions,
} from './upload/list-uploads.js'

export { createFixedChunkStream } from './fixed-chunk-stream.js'

export type {
  CompleteCandidate,
  ListenerOptions,
  Proof,
  RetryOptions,
  SkipOptions,
  TimeoutOptions,
  UploadBytesOptions,
  UploadFileOptions,
  UploadOptions,
  UploadStreamOptions,
  Verify,
} from './upload/options/options.js'

export type { UploadResult } from './upload-result.js'

export type {
  InitiatedEvent,
  LeftEvent,
  LimitEvent,
  PartEvent,
  RestartedEvent,
  ResumedEvent,
  RetryEvent,
  StreamEvents,
  UnmarkedEvent,
  UploadEvents,
} from './upload/options/events.js'

export type { Progress } from './upload/options/progress.js'

export type { UploadTrace } from './upload/run/trace.js'

export type { PartTrace } from './upload/run/trace.js'

export type { RequestTrace } from './store/request-trace.js'

export type { OperationName } from './store/dialect.js'

export type { RestartReason } from './upload/options/events.js'

export {
  ossStore,
  type OssCredentials,
  type OssStoreOptions,
} from './store/oss/store.js'

export {
  s3Store,
  type S3Credentials,
  type S3StoreOptions,
} from './store/s3/store.js'

export { defaultCredentials } from './credentials/default-credentials.js'
export type {
  CredentialsOf,
  DefaultCredentialsOptions,
  Service,
} from './credentials/defaults.js'
export type { Addressing } from './store/endpoint-url.js'

export type * from './store/object-store.js'

export {
  StoreError,
  type StoreErrorFields,
  type StoreErrorKind,
} from './store/store-error.js'

export type { Checkpoint } from './checkpoint/checkpoint.js'

export {
  fileCheckpoint,
  type FileCheckpointOptions,
} from './checkpoint/file-checkpoint.js'

export type { GrowthStep } from './checkpoint/growth.js'
export {
  bucketCheckpoint,
  type BucketCheckpointOptions,
} from './lease/bucket.js'

export { memoryCheckpoint } from './checkpoint/memory-checkpoint.js'

export {
  readCheckpoint,
  type CheckpointStatus,
  type CheckpointSummary,
} from './checkpoint/read-checkpoint.js'

export {
  CallbackError,
  errorCodes,
  UploadError,
  type AnyUploadError,
  type ErrorCode,
  type UploadErrorFields,
} from './errors.js'
