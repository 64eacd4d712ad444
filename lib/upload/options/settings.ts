/**
 * The caller's options, checked and with every default filled in. Whatever is
 * wrong throws `PAWL_INVALID_OPTION` before anything is opened or sent.
 */
import { createHash } from 'node:crypto'
import { FileCheckpoint } from '../../checkpoint/file-checkpoint.js'
import { memoryCheckpoint } from '../../checkpoint/memory-checkpoint.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { defaultCheckpointPath } from '../../checkpoint/default-path.js'
import { invalidOption, UploadError } from '../../errors.js'
import { checkKey } from '../../store/names.js'
import type { ObjectOptions, ObjectStore } from '../../store/object-store.js'
import type { UploadEnvironment } from './environment.js'
import { aFunction, oneOf, optional, wholeNumber } from './option-checks.js'
import type { Proof, UploadOptions, Verify } from './options.js'
import {
  readRequestSettings,
  type RequestSettings,
} from './request-settings.js'

/** Options with every default filled in. */
export interface UploadSettings extends RequestSettings {
  readonly environment: UploadEnvironment
  readonly store: ObjectStore
  /** There is a log that outlives the run. */
  readonly isResumable: boolean
  readonly key: string
  readonly partSize: number
  readonly size: number | undefined
  readonly concurrency: number
  readonly proof: Proof
  readonly onSourceChange: 'reupload' | 'fail'
  readonly beforeComplete: UploadOptions['beforeComplete']
  readonly object: ObjectOptions
  /** SHA-256 of what is fixed when an upload begins. */
  readonly optionsDigest: string
  readonly verify: Verify
  readonly trafficLimit: number | undefined
  readonly sequential: boolean
  readonly signal: AbortSignal | undefined
  /** SHA-256 of `sourceId`. */
  readonly sourceDigest: string | undefined
}

const MiB = 1024 * 1024
/** Part sizes that are worked out are whole multiples of this. */
const partSizeStep = MiB

export function readSettings(
  options: UploadOptions & {
    checkpoint?: unknown
    size?: number
    sourceId?: string
  },
  environment: UploadEnvironment,
): UploadSettings {
  const { store, key, object = {} } = options
  checkStore(store)
  checkKey(key, store.limits)
  const size = optional(options.size, (n) => wholeNumber('size', n, 0))
  const verify = readVerify(options.verify, store)
  const fixed = store.fixedHeaders(object)
  return {
    store,
    isResumable: options.checkpoint !== false,
    key,
    partSize: readPartSize(options.partSize, size, store),
    size,
    concurrency:
      options.sequential === true
        ? 1
        : wholeNumber('concurrency', options.concurrency ?? 4, 1, 256),
    proof: oneOf('proof', options.proof ?? 'xxh64', ['xxh64', 'sha256']),
    onSourceChange: oneOf(
      'onSourceChange',
      options.onSourceChange ?? 'reupload',
      ['reupload', 'fail'],
    ),
    beforeComplete: optional(options.beforeComplete, (value) =>
      aFunction('beforeComplete', value),
    ),
    object,
    optionsDigest: sha256(
      JSON.stringify([
        Object.entries(fixed).toSorted(([a], [b]) => (a < b ? -1 : 1)),
        options.sequential === true,
      ]),
    ),
    verify,
    trafficLimit: optional(options.trafficLimit, (n) =>
      wholeNumber('trafficLimit', n, 245_760, 838_860_800),
    ),
    sequential: options.sequential === true,
    ...readRequestSettings(options, environment),
    signal: optional(options.signal, (signal) =>
      signal instanceof AbortSignal
        ? signal
        : invalidOption('signal must be an AbortSignal'),
    ),
    sourceDigest: optional(options.sourceId, (id) =>
      typeof id === 'string' && id !== ''
        ? sha256(id)
        : invalidOption('sourceId must be a string that is not empty'),
    ),
  }
}

/** The sink that `checkpoint` names. */
export async function openableCheckpoint(
  checkpoint: string | Checkpoint | false,
  settings: Pick<
    UploadSettings,
    'store' | 'key' | 'sourceDigest' | 'environment'
  >,
): Promise<Checkpoint> {
  if (checkpoint === false) return memoryCheckpoint()
  if (typeof checkpoint !== 'string') return checkpoint
  const { logFiles, locker } = settings.environment
  const path = await defaultCheckpointPath(
    checkpoint,
    {
      identity: settings.store.identity,
      key: settings.key,
      source: settings.sourceDigest ?? '',
    },
    logFiles,
  )
  return new FileCheckpoint(path, locker, logFiles)
}

/** Throws unless it is something that an upload can keep its log in. */
export function checkCheckpoint(
  checkpoint: unknown,
): asserts checkpoint is string | Checkpoint | false {
  if (checkpoint === false) return
  if (typeof checkpoint === 'string' && checkpoint !== '') return
  if (
    typeof checkpoint === 'object' &&
    checkpoint !== null &&
    'open' in checkpoint &&
    'append' in checkpoint
  ) {
    return
  }
  invalidOption(
    'checkpoint is required: a path for the log, a Checkpoint, or false for an upload that cannot be resumed',
  )
}

/** SHA-256 of a string, in hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex')
}

/** Throws unless it is something that has a store's calls. */
export function checkStore(store: unknown): asserts store is ObjectStore {
  if (
    typeof store !== 'object' ||
    store === null ||
    !('uploadPart' in store) ||
    !('identity' in store)
  ) {
    invalidOption('store is required: ossStore(…), s3Store(…) or your own')
  }
}

function readVerify(given: Verify | undefined, store: ObjectStore): Verify {
  const own: Verify =
    store.digest === 'crc64ecma' || store.digest === 'crc64nvme'
      ? 'crc64'
      : store.digest === 'md5'
        ? 'md5'
        : false
  if (given === undefined) return own
  oneOf('verify', given, ['crc64', 'md5', false])
  if (given === 'crc64' && own !== 'crc64') {
    throw new UploadError(
      'PAWL_VERIFY_UNSUPPORTED',
      `verify: 'crc64' needs a store that reports CRC-64; this one reports ${store.digest}`,
    )
  }
  return given
}

function readPartSize(
  given: number | undefined,
  size: number | undefined,
  store: ObjectStore,
): number {
  const { minPartSize, maxPartSize, maxParts } = store.limits
  const wanted = wholeNumber(
    'partSize',
    given ?? Math.max(8 * MiB, minPartSize),
    minPartSize,
    maxPartSize,
  )
  const partSize = partSizeToFit(wanted, size, maxParts)
  if (partSize > maxPartSize) {
    invalidOption(
      `size ${size} does not fit into ${maxParts} parts of at most ${maxPartSize} bytes`,
    )
  }
  return partSize
}

/** The part size wanted, or the next larger whole MiB that fits the size. */
export function partSizeToFit(
  wanted: number,
  size: number | undefined,
  maxParts: number,
): number {
  if (size === undefined || size <= wanted * maxParts) return wanted
  return Math.ceil(size / maxParts / partSizeStep) * partSizeStep
}

/** Whether every part is hashed by more than xxh64, in a worker where that pays. */
export function needsDigests({ verify, proof }: UploadSettings): boolean {
  return verify !== false || proof !== 'xxh64'
}
