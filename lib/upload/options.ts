/** What callers may say. Bytes and milliseconds everywhere. */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import type { ObjectOptions, ObjectStore } from '../store/object-store.js'
import type { UploadEvents } from './events.js'
import type { Progress } from './progress.js'

/** What a stored part is proved equal to local bytes by. */
export type Proof = 'xxh64' | 'sha256'

/** What is compared with the server. */
export type Verify = 'crc64' | 'md5' | false

/** What is known of the whole object before Complete. */
export interface CompleteCandidate {
  /** Bytes. */
  size: number
  /** Unsigned decimal; absent when this upload computes none. */
  crc64: string | undefined
}

export interface RetryOptions {
  /** Requests for one part or call before giving up. Default 5. */
  attempts?: number
  /** Base of the back-off, ms. Default 200. */
  baseDelay?: number
  /** Longest wait between attempts, ms. Default 20,000. */
  maxDelay?: number
}

export interface TimeoutOptions {
  /** Until a connection stands. Default 10,000. */
  connect?: number
  /** Without a byte moving. Default 60,000. */
  stall?: number
  /** From the last byte sent to the end of the answer. Default 120,000. */
  headers?: number
  /** The same for Complete, which may take minutes. Default 600,000. */
  complete?: number
}

/** Options common to streams and files. */
export interface UploadOptions {
  store: ObjectStore
  /** The object's key: 1 to 1023 bytes of UTF-8 on OSS, 1024 on S3. */
  key: string
  /** Bytes of every part but the last. Default 8 MiB; an existing log's wins. */
  partSize?: number
  /** Parts in flight. Default 4. */
  concurrency?: number
  /** What proves a stored part equal to local bytes. Default `'xxh64'`. */
  proof?: Proof
  /** On resume, a part whose bytes differ. Default `'reupload'`. */
  onSourceChange?: 'reupload' | 'fail'
  /** Runs after the last byte and before the object is made; throwing suspends. */
  beforeComplete?: (candidate: CompleteCandidate) => unknown
  object?: ObjectOptions
  /** Default: the strongest that the store has. */
  verify?: Verify
  /** OSS: bits a second. */
  trafficLimit?: number
  requestPayer?: 'requester'
  /** OSS: parts in order, one at a time. */
  sequential?: boolean
  retry?: RetryOptions
  timeout?: TimeoutOptions
  /** Aborting it suspends the upload. */
  signal?: AbortSignal
}

/** Options of `uploadFile`. */
export interface UploadFileOptions extends UploadOptions {
  /**
   * The log: a path, a directory (which gets a file named by a digest of file
   * and target), a `Checkpoint`, or `false` for none. Default: next to the file,
   * named after it and a digest of the target.
   */
  checkpoint?: string | Checkpoint | false
  /** Instead of `checkpoint`: an existing directory for logs. */
  checkpointDir?: string
  /**
   * Files shorter than this, in bytes, are put in one request; `partSize`
   * unless given. An empty file always is.
   */
  multipartThreshold?: number
  /**
   * `'identity'` (default): stored parts are not read again while device, inode,
   * size, mtime and ctime of the file are what they were when the parts were
   * sent. `'hash'`: every part is read and proved.
   */
  prove?: 'identity' | 'hash'
  /** At most every 100 ms, and once at the end. */
  onProgress?: (progress: Progress) => void
  /** Hears of the other events; what one throws ends the upload. */
  on?: {
    [Name in Exclude<keyof UploadEvents, 'progress'>]?: (
      event: UploadEvents[Name],
    ) => void
  }
}

/** Options of `createResumableUploadStream`. */
export interface UploadStreamOptions extends UploadOptions {
  /**
   * The log: a path, a directory (which gets a file named by a digest of target
   * and source), a `Checkpoint`, or `false` for none.
   */
  checkpoint: string | Checkpoint | false
  /** Total bytes, if known: checked before Complete. */
  size?: number
  /** Changes when the source changes; kept as a digest. */
  sourceId?: string
  /** The write side's buffer, bytes. Default: Node's. */
  highWaterMark?: number
}
