/**
 * The caller's options, checked and with every default filled in. Whatever is
 * wrong throws `PAWL_INVALID_OPTION` before anything is opened or sent.
 */
import mime from 'mime'
import type { GrowthStep } from '../../checkpoint/growth.js'
import type { Environment } from '../../environment.js'
import { invalidOption, shown, UploadError } from '../../errors.js'
import type { Crc64Variant } from '../../hash/crc64.js'
import { hasMd5 } from '../../hash/md5.js'
import { sha256 } from '../../hash/sha256.js'
import { isAbortSignal } from '../../realm.js'
import { checkedStore } from '../../store/checked-store.js'
import { checkKey } from '../../store/names.js'
import type { ObjectOptions, ObjectStore } from '../../store/object-store.js'
import type { PatienceLimits } from '../../store/patience.js'
import { checkRate, rateOfPart } from '../../store/rate.js'
import { lowest, mostAtOnce } from '../../store/store-line.js'
import type { FilePartsOptions } from '../source/file-parts.js'
import type { UploadEnvironment } from './environment.js'
import type { Emit } from './events.js'
import { checkStreamOptions } from './option-names.js'
import type {
  ListenerOptions,
  RetryOptions,
  TimeoutOptions,
  UploadOptions,
  UploadStreamOptions,
  Verify,
} from './options.js'
import {
  growthOf,
  heldAtOnce,
  type MemorySettings,
  mustHaveRoom,
  partSizeToFit,
} from './part-sizes.js'

/** Options with every default filled in. */
export type UploadSettings = Readonly<ReturnType<typeof readSettings>> & {
  /** Where the parts of a new stream become larger. */
  readonly growth?: readonly GrowthStep[] | undefined
  /** What another call says, and is not compared: what is fixed, or goes with Complete. */
  readonly unsaid?: 'fixed' | 'sent' | undefined
}

/** By what a log knows an object's options again. What cannot be sent is refused at once. */
export class OptionDigests {
  readonly #fixed: Record<string, string>
  readonly #sent: Record<string, string>
  readonly #how: { sequential: boolean; mark: boolean }
  #options: string | undefined

  constructor(
    store: ObjectStore,
    object: ObjectOptions,
    how: { sequential: boolean; mark: boolean },
  ) {
    this.#fixed = store.fixedHeaders(object)
    this.#sent = store.sentHeaders?.(object) ?? {}
    this.#how = how
  }

  /** SHA-256 of what is fixed when an upload begins. */
  get options(): string {
    const { sequential, mark } = this.#how
    this.#options ??= digestOf([sorted(this.#fixed), sequential, mark])
    return this.#options
  }

  /** SHA-256 of what goes with Complete: an ACL, a callback, a condition. */
  get sent(): string {
    return digestOf(sorted(this.#sent))
  }

  /** SHA-256 of all that goes with PutObject. */
  get put(): string {
    return digestOf([sorted(this.#fixed), sorted(this.#sent)])
  }
}

function digestOf(value: unknown): string {
  return sha256(JSON.stringify(value))
}

/** Which CRC-64 this upload computes, and when. */
export interface CrcSettings {
  /** The store's, whose lists can be compared even when none is wanted. */
  readonly variant: Crc64Variant
  /** Of every part and of the whole object. */
  readonly isWanted: boolean
  /** It goes into a header, before the bytes; else it is worked out beside the PUT. */
  readonly isBefore: boolean
}

/** The settings of a stream; names of options that nobody reads are refused. */
export function readStreamSettings(
  options: UploadStreamOptions,
  environment: UploadEnvironment,
): UploadSettings {
  checkStreamOptions(options)
  const settings = readSettings(options, environment)
  mustHaveRoom(settings.partSize, settings)
  return { ...settings, growth: growthOf(environment.usualSizes, settings) }
}

export function readSettings(
  options: UploadOptions & {
    checkpoint?: unknown
    chunkCollections?: boolean
    size?: number
    sourceId?: string
  },
  environment: UploadEnvironment,
  wantedObject = options.object,
) {
  const { store: given, key, partSize: wantedPartSize } = options
  checkStore(given)
  const store = checkedStore(given)
  checkKey(key, store.limits)
  const size = optional(options.size, (n) => wholeNumber('size', n, 0))
  const verify = readVerify(options.verify, store)
  const isUnchecked = options.verify === false
  const isLogged = options.checkpoint !== false
  // The caller's may be another before the next call; this one stays what it is.
  const object: ObjectOptions = Object.freeze({
    ...wantedObject,
  })
  const mark = oneOf('mark', options.mark ?? true, [true, false])
  const isFull = store.canMark?.(object) === false
  const maxRate = checkRate(options.maxRate)
  const rate = lowest(maxRate, checkRate(store.maxRate))
  const sequential = options.sequential === true
  return {
    store,
    /** What is known of it, by whichever upload. */
    facts: environment.facts.of(given),
    /** What its uploads share. */
    line: environment.lines.of(given),
    key,
    ...readRequestSettings(options, environment),
    ...readConcurrency(options),
    object,
    size,
    wantedPartSize,
    partSize: readPartSize(wantedPartSize, size, { store, environment }),
    memory: optional(options.memory, (n) => wholeNumber('memory', n, 1)),
    /** There is a log that outlives the run. */
    isLogged,
    /**
     * Every part is hashed by the proof. Where nothing is to be compared and no log is
     * kept nobody asks for that, and a file that is touched meanwhile is held against its
     * ETags; but where others choose the bytes, these are not enough.
     */
    isHashed: isLogged || !isUnchecked || options.proof === 'sha256',
    proof: oneOf('proof', options.proof ?? 'xxh64', ['xxh64', 'sha256']),
    onSourceChange: oneOf(
      'onSourceChange',
      options.onSourceChange ?? 'reupload',
      ['reupload', 'fail'],
    ),
    beforeComplete: optional(options.beforeComplete, (value) =>
      aFunction('beforeComplete', value),
    ),
    /** The object carries a mark, by which the upload knows it again. */
    mark: mark && !isFull,
    /** The object was to carry a mark, and has no room for it. */
    hasNoRoomForMark: mark && isFull,
    /** Of what the object is to be. */
    digests: new OptionDigests(store, object, { sequential, mark }),
    verify,
    /** `verify` is the caller's own word. */
    isVerifyAsked: options.verify !== undefined,
    /** The caller wants nothing compared. */
    isUnchecked,
    crc: crcOf(store, verify),
    sequential,
    /** Chunks of a stream are collected before V8 collects everything. */
    chunkCollections: oneOf(
      'chunkCollections',
      options.chunkCollections ?? true,
      [true, false],
    ),
    /** What stands in for the Abort of an earlier upload that is refused. */
    fence: optional(options.fence, (value) => oneOf('fence', value, ['lease'])),
    /** Owner and mode of the log's file are not looked at. */
    isLogTrusted: oneOf('trustLog', options.trustLog ?? false, [true, false]),
    /** Bytes a second of this upload alone. */
    maxRate,
    /** Bytes a second that each body is sent at, at least, when a rate holds it back. */
    leastRate: optional(rate, rateOfPart),
    signal: optional(options.signal, aSignal),
    /** SHA-256 of `sourceId`. */
    sourceDigest: optional(options.sourceId, (id) =>
      typeof id === 'string' && id !== ''
        ? sha256(id)
        : invalidOption('sourceId must be a string that is not empty'),
    ),
  }
}

function crcOf({ digest }: ObjectStore, verify: Verify): CrcSettings {
  const isBefore = digest === 'crc64nvme'
  const variant = isBefore ? digest : 'crc64ecma'
  return { variant, isWanted: verify === 'crc64', isBefore }
}

/** The settings of a file, once its size is known. */
export function withSize(
  settings: UploadSettings,
  size: number,
): UploadSettings {
  const partSize = readPartSize(settings.wantedPartSize, size, settings)
  return { ...settings, size, partSize }
}

/** Parts in flight where every request has a limit of its own. */
const limitedAtOnce = 4

function readConcurrency({
  concurrency = 'auto',
  sequential = false,
  trafficLimit,
}: UploadOptions): Omit<MemorySettings, 'memory'> & {
  /** The line decides how many parts are in flight. */
  readonly isAuto: boolean
} {
  if (concurrency !== 'auto') {
    if (typeof concurrency !== 'number') {
      const given: unknown = concurrency
      invalidOption(
        `concurrency must be 'auto' or a whole number from 1 to 256, not ${shown(given)}`,
      )
    }
    const number = wholeNumber('concurrency', concurrency, 1, 256)
    const most = sequential ? 1 : number
    return { concurrency: most, isConcurrencyFixed: true, isAuto: false }
  }
  // More of them would go round the limit.
  const isLimited = sequential || trafficLimit !== undefined
  const most = sequential ? 1 : isLimited ? limitedAtOnce : mostAtOnce
  return { concurrency: most, isConcurrencyFixed: false, isAuto: !isLimited }
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
  const limits: unknown = Reflect.get(store, 'limits')
  if (typeof limits !== 'object' || limits === null) {
    invalidOption(`store: its limits are ${shown(limits)}, no object`)
  }
}

function readVerify(given: Verify | undefined, store: ObjectStore): Verify {
  const own: Verify =
    store.digest === 'crc64ecma' || store.digest === 'crc64nvme'
      ? 'crc64'
      : store.digest === 'md5'
        ? 'md5'
        : false
  if (given !== undefined) oneOf('verify', given, ['crc64', 'md5', false])
  if ((given ?? own) === 'md5' && !hasMd5()) {
    throw new UploadError(
      'PAWL_VERIFY_UNSUPPORTED',
      "verify: 'md5', which is what this store compares, needs an MD5, and this Node has none (FIPS); give verify: false, or a store with a CRC-64, such as s3Store({ checksum: 'crc64nvme' })",
    )
  }
  if (given === undefined) return own
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
  {
    store,
    environment,
  }: { store: ObjectStore; environment: Pick<UploadEnvironment, 'usualSizes'> },
): number {
  const { minPartSize, maxPartSize, maxParts } = store.limits
  const usual = environment.usualSizes.partSize
  const wanted = wholeNumber(
    'partSize',
    given ?? Math.max(usual, minPartSize),
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

/** Headers in an order that does not depend on how the options were written. */
function sorted(headers: Record<string, string>): [string, string][] {
  return Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** Whether every part is hashed by more than xxh64, in a worker where that pays. */
export function needsDigests(settings: UploadSettings): boolean {
  return settings.verify !== false || settings.proof !== 'xxh64'
}

/** How the parts of a file are read, the largest of them of `largest` bytes. */
export function filePartsOf(
  settings: UploadSettings,
  largest: number,
): Omit<FilePartsOptions, 'atOnce'> {
  const { verify, crc, proof } = settings
  // A digest that goes into a header has to be there before the bytes.
  const isFirst = verify === 'md5' || (crc.isWanted && crc.isBefore)
  const held = isFirst ? heldAtOnce(largest, settings) : 0
  return {
    largest,
    held,
    needsXxh64: settings.isHashed && proof === 'xxh64',
    needsDigests: needsDigests(settings),
  }
}

export function optional<T, R>(
  value: T | undefined,
  read: (value: T) => R,
): R | undefined {
  return value === undefined ? undefined : read(value)
}

/** Of whichever realm. */
export function aSignal(value: unknown): AbortSignal {
  return isAbortSignal(value)
    ? value
    : invalidOption('signal must be an AbortSignal')
}

/** Listeners that are given as functions, where there is no stream to listen to. */
export function readListeners({ onProgress, on = {} }: ListenerOptions): Emit {
  optional(onProgress, (value) => aFunction('onProgress', value))
  for (const [name, listener] of Object.entries(on)) {
    if (listener !== undefined) aFunction(`on.${name}`, listener)
  }
  const listeners: Partial<Record<string, (event: never) => void>> =
    Object.assign({}, on, { progress: onProgress })
  return (name, event) => {
    // Name and event belong together; the type of the table forgets it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    listeners[name]?.(event as never)
  }
}

/** A function, whatever its signature: types hold that for typed callers. */
export function aFunction<T>(name: string, value: T): T {
  return typeof value === 'function'
    ? value
    : invalidOption(`${name} must be a function`)
}

export function wholeNumber(
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) {
    return value
  }
  const range =
    most === Number.MAX_SAFE_INTEGER
      ? `from ${least}`
      : `from ${least} to ${most}`
  return invalidOption(
    `${name} must be a whole number ${range}, not ${String(value)}`,
  )
}

export function oneOf<const T>(
  name: string,
  value: T,
  allowed: readonly T[],
): T {
  if (allowed.includes(value)) return value
  return invalidOption(
    `${name} must be one of ${allowed.map((v) => JSON.stringify(v)).join(', ')}, not ${shown(value)}`,
  )
}

/** ms. */
export interface Timeouts extends Required<TimeoutOptions> {
  /** As `headers`, of a call without a body: there is nothing to wait for. */
  readonly question: number
}

export interface RequestSettings {
  readonly environment: Environment
  readonly retry: PatienceLimits
  readonly timeout: Timeouts
  readonly requestPayer: 'requester' | undefined
  /** Bits a second, of each request with a body. */
  readonly trafficLimit: number | undefined
  /** Bytes a second that each body is sent at, at least, when a rate holds it back. */
  readonly leastRate: number | undefined
}

/** The options that they are read from. */
export type RequestOptions = Pick<
  UploadOptions,
  'retry' | 'timeout' | 'requestPayer' | 'trafficLimit'
>

export function readRequestSettings<E extends Environment>(
  options: RequestOptions,
  environment: E,
): RequestSettings & { readonly environment: E } {
  const { retry = {} } = options
  const read = (name: keyof RetryOptions, fallback: number, least: number) =>
    wholeNumber(`retry.${name}`, retry[name] ?? fallback, least)
  return {
    environment,
    retry: {
      patience: read('patience', 120_000, 0),
      attempts: optional(retry.attempts, (n) =>
        wholeNumber('retry.attempts', n, 1, 1000),
      ),
      baseDelay: read('baseDelay', 200, 0),
      maxDelay: read('maxDelay', 20_000, 0),
    },
    timeout: readTimeout(options),
    trafficLimit: optional(options.trafficLimit, (n) =>
      wholeNumber('trafficLimit', n, 245_760, 838_860_800),
    ),
    leastRate: undefined,
    requestPayer: optional(options.requestPayer, (value) =>
      oneOf('requestPayer', value, ['requester']),
    ),
  }
}

function readTimeout({ timeout = {} }: RequestOptions): Timeouts {
  const read = (name: keyof TimeoutOptions, fallback: number) =>
    wholeNumber(`timeout.${name}`, timeout[name] ?? fallback, 1)
  return {
    connect: read('connect', 10_000),
    stall: read('stall', 60_000),
    headers: read('headers', 120_000),
    question: read('headers', 30_000),
    complete: read('complete', 600_000),
    checkpoint: read('checkpoint', 600_000),
  }
}

/** The content type of the first name whose ending is known; a name is a path or a key. */
export function typeByName(...names: readonly string[]): string | undefined {
  for (const name of names) {
    const type = mime.getType(name)
    if (type !== null) return type
  }
  return undefined
}

/** The options of an object with that content type, unless they have one, as a header or by name. */
export function withContentType(
  object: ObjectOptions = {},
  contentType: string | undefined,
): ObjectOptions {
  const headers = Object.keys(object.headers ?? {})
  const isGiven =
    object.contentType !== undefined ||
    headers.some((name) => name.toLowerCase() === 'content-type')
  return isGiven || contentType === undefined
    ? object
    : { ...object, contentType }
}
