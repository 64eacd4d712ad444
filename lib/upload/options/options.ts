/** What callers may say. Bytes and milliseconds everywhere. */
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { Proof } from '../../checkpoint/record.js'
import type { FilePath } from '../../file-path.js'
import type { ObjectOptions, ObjectStore } from '../../store/object-store.js'
import type { UploadEvents } from './events.js'
import type { Progress } from './progress.js'

export type { Proof }

/** What is compared with the server. */
export type Verify = 'crc64' | 'md5' | false

/** What is known of the whole object before Complete. */
export interface CompleteCandidate {
  /** Bytes. */
  size: number
  /** Unsigned decimal; absent when this upload computes none. */
  crc64: string | undefined
}

/**
 * How failed requests are tried again: full jitter, `Retry-After` obeyed. What is
 * waited out, and what is given up sooner, is in `docs/outages.md`.
 */
export interface RetryOptions {
  /**
   * For how long requests may fail while nothing of the upload is stored, ms.
   * Default 120,000. Each has four attempts all the same, unless its server asks to
   * be left alone for longer (`Retry-After`).
   */
  patience?: number
  /** The most requests for one part or call, 1 to 1000. Default: no limit. */
  attempts?: number
  /** Base of the back-off, ms. Default 200. */
  baseDelay?: number
  /** Longest wait between attempts, ms. Default 20,000. */
  maxDelay?: number
}

/**
 * How long a request may take, ms, and a step of the log; `PAWL_TIMEOUT` after the last attempt. A slow
 * upload that moves is never given up: `docs/outages.md` says what moving is.
 * Raised by itself under `trafficLimit`.
 */
export interface TimeoutOptions {
  /** Until a connection stands. Default 10,000. */
  connect?: number
  /** Without a byte moving. Default 60,000. */
  stall?: number
  /**
   * From the last byte sent to the end of the answer. Default 120,000; 30,000 for
   * calls without a body.
   */
  headers?: number
  /** The same for Complete, which may take minutes. Default 600,000. */
  complete?: number
  /**
   * One step of the log, such as an append; `PAWL_CHECKPOINT_IO` then. A disk or a
   * service may be slow, so that it is long: default 600,000.
   */
  checkpoint?: number
}

/** Options common to streams and files. */
export interface UploadOptions {
  /** Where to: `ossStore(…)`, `s3Store(…)` or your own. */
  store: ObjectStore
  /**
   * The object's key: 1 to 1023 bytes of UTF-8 on OSS, not beginning with `/` or
   * `\\` ("Object naming conventions"); to 1024 on S3 ("Naming Amazon S3 objects").
   */
  key: string
  /**
   * Bytes of every part but the last. Default 8 MiB; an unfinished upload keeps
   * the size that its log says. 100 KiB to 5 GiB on OSS ("Multipart upload",
   * limits), from 5 MiB on S3 ("Amazon S3 multipart upload limits"). Raised to fit
   * `size` into 10,000 parts. Of a stream without it and without `size` parts are
   * of 32 MiB from number 1,001 on, so that there is room for 289 GiB; not where
   * the store wants parts of one size, nor where `memory` has no room for two of
   * them.
   */
  partSize?: number
  /**
   * Parts in flight: a number from 1 to 256, or `'auto'` (default): as many as fill
   * the line, within `memory`. All uploads to one store share that number, and each
   * has at least one. `docs/tuning.md` says how it is found. With `trafficLimit`,
   * which is a limit for each, `'auto'` is 4.
   */
  concurrency?: number | 'auto'
  /**
   * Bytes a second that this upload may send. Stores have the same option, for all
   * their uploads together. Default: as many as the line carries.
   */
  maxRate?: number
  /**
   * Bytes for the parts of this upload. Of a stream: those in flight and the one
   * being filled, but always two. Default 96 MiB; with a number for `concurrency`,
   * `(concurrency + 1)` times the part size, as it is then; `PAWL_INVALID_OPTION`
   * when both are given and do not fit. A file is read as it is sent, through at most 32 MiB; where a
   * digest goes before the bytes (S3's Content-MD5 and CRC-64/NVME) its parts are
   * held within `memory`, default 96 MiB, until they have left, and read twice when
   * they do not fit, or are sent again.
   */
  memory?: number
  /**
   * What proves a stored part equal to local bytes. Default `'xxh64'`, against
   * accidents; `'sha256'` against people who choose the bytes as well: then a
   * stored part that the log does not prove is sent again.
   */
  proof?: Proof
  /**
   * On resume, a part whose bytes differ is sent again (`'reupload'`, default) or
   * ends the run with `PAWL_SOURCE_CHANGED` (`'fail'`).
   */
  onSourceChange?: 'reupload' | 'fail'
  /**
   * Runs after the last byte and before the object is made, and is waited for;
   * throwing suspends (`PAWL_BEFORE_COMPLETE`). Default: nothing.
   */
  beforeComplete?: (candidate: CompleteCandidate) => unknown
  /** What the object is to be besides its bytes. Default `{}`. */
  object?: ObjectOptions
  /**
   * The object gets the user metadata `pawl`: 128 random bits in hex, others for
   * each upload, public as all metadata, and copied with the object. By it an
   * upload whose Complete got no answer knows its object from somebody else's
   * equal one. Default true; without it an equal object counts as the upload's own
   * only when it is no older than the upload and not what was there before.
   */
  mark?: boolean
  /**
   * What is compared with the server, for each part and the whole object; what
   * differs is `PAWL_VERIFY_FAILED`. Default: the strongest that the store has;
   * `PAWL_VERIFY_UNSUPPORTED` where it has no such thing.
   */
  verify?: Verify
  /**
   * OSS: bits a second for each request, 245,760 to 838,860,800. OSS's
   * documentation ("Single-connection bandwidth throttling") names 819,200 as the
   * least, its SDKs the lower number. Default: no limit.
   */
  trafficLimit?: number
  /** Who pays for requests and traffic, when not the bucket's owner. */
  requestPayer?: 'requester'
  /** OSS: parts in order, one at a time. Default false. */
  sequential?: boolean
  /**
   * A log given by its path, or at its default place, may be owned or written by
   * others, all of whom are trusted: for volumes that set owners and modes.
   * Default false: `PAWL_CHECKPOINT_UNSAFE`.
   */
  trustLog?: boolean
  /**
   * For logs on a service that other machines reach: what keeps an earlier upload
   * of the log, which this caller may not abort, from becoming the object late.
   * Default: nothing, and the run ends with `PAWL_UPLOAD_CONTENDED`. `'lease'`:
   * that its run has not held the log for longer than `timeout.complete`, in
   * which any Complete that it sent has ended; a Complete that its machine sends
   * when it wakes between the look at its lease and the request is not stopped.
   */
  fence?: 'lease'
  /** How failed requests are tried again. */
  retry?: RetryOptions
  /** How long a request may take. */
  timeout?: TimeoutOptions
  /** Aborting it suspends the upload: `PAWL_SUSPENDED`. */
  signal?: AbortSignal
}

/** What `skipUploaded` may be told. */
export interface SkipOptions {
  /** True: the caller knows that the source is the one that earlier runs read. */
  trustSource?: boolean
}

/** Listeners, where no stream is there to listen to. */
export interface ListenerOptions {
  /** Hears of the counters, at most every 100 ms and once at the end. */
  onProgress?: (progress: Progress) => void
  /** Hears of the other events; what one throws ends the upload. */
  on?: {
    [Name in keyof UploadEvents as Exclude<Name, 'progress'>]?: (
      event: UploadEvents[Name],
    ) => void
  }
}

/** Options of `uploadFile`. */
export interface UploadFileOptions extends UploadOptions, ListenerOptions {
  /**
   * The log: a path or a `file:` URL, of a file or a directory (which gets a file
   * named by a digest of file and target), a `Checkpoint`, or `false` for none.
   * Default: next to the file, named after it and a digest of the target; a file
   * that goes in one request has none then, unless it may not overwrite, has a
   * callback, or an earlier run has left one. Killed while it is put, it is put
   * again by the next call: in a bucket with versions that makes a second one.
   */
  checkpoint?: FilePath | Checkpoint | false
  /** Instead of `checkpoint`: an existing directory for logs. */
  checkpointDir?: FilePath
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
  /**
   * A string that changes when the file changes, such as a version or a digest:
   * kept as a digest, and used instead of device, inode and times, which mean
   * nothing on another machine. Stored parts are not read again while it is what
   * it was. Default: none.
   */
  sourceId?: string
}

/** Options of `uploadBytes`. */
export interface UploadBytesOptions extends UploadOptions, ListenerOptions {
  /**
   * The log: a path or a `file:` URL, of a file or a directory (which gets a file
   * named by a digest of the target), a `Checkpoint`, or `false` for none. Default
   * `false`: memory is gone with its process.
   */
  checkpoint?: FilePath | Checkpoint | false
}

/** Options of `createResumableUploadStream`. */
export interface UploadStreamOptions extends UploadOptions {
  /**
   * The log: a path or a `file:` URL, of a file or a directory (which gets a file
   * named by a digest of target and source), a `Checkpoint`, or `false` for none.
   */
  checkpoint: FilePath | Checkpoint | false
  /**
   * Total bytes, if known: a total for progress, room for it in 10,000 parts, and
   * checked before Complete (`PAWL_SIZE_MISMATCH`). Default: unknown.
   */
  size?: number
  /**
   * A string that changes when the source changes; kept as a digest, and needed
   * by `skipUploaded()`. Default: none.
   */
  sourceId?: string
  /** The write side's buffer, bytes. Default: Node's. */
  highWaterMark?: number
  /**
   * Has V8 collect its young heap, which is that of the whole process, for every few
   * MiB that the source allocates: before so much lies there in vain, and before V8
   * collects everything. Default: true.
   */
  chunkCollections?: boolean
}
