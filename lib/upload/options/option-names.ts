/** Names of options that nobody reads are refused, before anything else happens. */
import {
  checkKnownOptions,
  type KnownOptions,
  type NamesOf,
} from '../../known-options.js'
import type {
  CallbackOptions,
  EncryptionOptions,
  ObjectOptions,
} from '../../store/object-store.js'
import type { UploadEvents } from './events.js'
import type {
  ListenerOptions,
  RetryOptions,
  TimeoutOptions,
  UploadBytesOptions,
  UploadFileOptions,
  UploadOptions,
  UploadStreamOptions,
} from './options.js'

const common: NamesOf<UploadOptions> = {
  beforeComplete: true,
  concurrency: true,
  fence: true,
  key: true,
  mark: true,
  maxRate: true,
  memory: true,
  object: true,
  onSourceChange: true,
  partSize: true,
  proof: true,
  requestPayer: true,
  retry: true,
  sequential: true,
  signal: true,
  store: true,
  timeout: true,
  trafficLimit: true,
  trustLog: true,
  verify: true,
}

const ofStream: NamesOf<UploadStreamOptions> = {
  ...common,
  checkpoint: true,
  chunkCollections: true,
  highWaterMark: true,
  size: true,
  sourceId: true,
}

const ofFile: NamesOf<UploadFileOptions> = {
  ...common,
  checkpoint: true,
  checkpointDir: true,
  multipartThreshold: true,
  on: true,
  onProgress: true,
  prove: true,
  sourceId: true,
}

const ofBytes: NamesOf<UploadBytesOptions> = {
  ...common,
  checkpoint: true,
  on: true,
  onProgress: true,
}

const ofObject: NamesOf<ObjectOptions> = {
  acl: true,
  cacheControl: true,
  callback: true,
  contentDisposition: true,
  contentEncoding: true,
  contentType: true,
  encryption: true,
  expires: true,
  forbidOverwrite: true,
  headers: true,
  metadata: true,
  storageClass: true,
  tagging: true,
}

const ofCallback: NamesOf<CallbackOptions> = {
  body: true,
  bodyType: true,
  host: true,
  sni: true,
  url: true,
  variables: true,
}

const ofEncryption: NamesOf<EncryptionOptions> = {
  algorithm: true,
  dataEncryption: true,
  keyId: true,
}

const ofRetry: NamesOf<RetryOptions> = {
  attempts: true,
  baseDelay: true,
  maxDelay: true,
  patience: true,
}

const ofTimeout: NamesOf<TimeoutOptions> = {
  checkpoint: true,
  complete: true,
  connect: true,
  headers: true,
  stall: true,
}

/** Every event that a listener can hear of: one that is missing does not compile. */
const events: Record<keyof UploadEvents, true> = {
  initiated: true,
  left: true,
  limit: true,
  part: true,
  progress: true,
  restarted: true,
  resumed: true,
  retry: true,
  unmarked: true,
}

export const eventNames = Object.keys(events).filter(isEvent)

function isEvent(name: string): name is keyof UploadEvents {
  return Object.hasOwn(events, name)
}

const ofTheObject = Object.fromEntries(
  Object.keys(ofObject).map((name) => [name, `object: { ${name} }`]),
)

/** Names that other libraries have, or other calls of this one. */
const elsewhere: Record<string, string> = {
  ...ofTheObject,
  abortSignal: 'signal',
  attempts: 'retry: { attempts }',
  bucket: 'the store',
  checkpointDir: 'checkpoint, which may be a directory',
  highWaterMark: 'createResumableUploadStream, which has it',
  maxRetries: 'retry: { attempts }',
  meta: 'object: { metadata }',
  mime: 'object: { contentType }',
  multipartThreshold: 'uploadFile, which has it',
  parallel: 'concurrency',
  progress: 'onProgress',
  prove: 'uploadFile, which has it',
  queueSize: 'concurrency',
  tags: 'object: { tagging }',
}

const stream: KnownOptions = {
  of: 'createResumableUploadStream',
  names: Object.keys(ofStream),
  elsewhere: {
    ...elsewhere,
    on: 'upload.on(…)',
    onProgress: "upload.on('progress', …)",
    progress: "upload.on('progress', …)",
  },
}

const file: KnownOptions = {
  of: 'uploadFile',
  names: Object.keys(ofFile),
  elsewhere: { ...elsewhere, size: 'nothing: a file has its own' },
}

const bytes: KnownOptions = {
  of: 'uploadBytes',
  names: Object.keys(ofBytes),
  elsewhere: {
    ...elsewhere,
    size: 'nothing: bytes are as many as they are',
    sourceId: 'nothing: bytes are proved by their hash',
  },
}

/** Throws `PAWL_INVALID_OPTION` with the name that was meant. */
export function checkStreamOptions(options: UploadStreamOptions): void {
  checkNames(options, stream)
}

/** As `checkStreamOptions`, for a file. */
export function checkFileOptions(options: UploadFileOptions): void {
  checkNames(options, file)
}

/** As `checkStreamOptions`, for bytes in memory. */
export function checkBytesOptions(options: UploadBytesOptions): void {
  checkNames(options, bytes)
}

function checkNames(
  options: UploadOptions & ListenerOptions,
  known: KnownOptions,
): void {
  checkKnownOptions(options, known)
  checkRequestOptions(options)
  checkObjectOptions(options)
  const { progress: _, ...named } = events
  check('on', options.on, named, { progress: 'onProgress' })
}

/** The options that go into every request. */
export function checkRequestOptions({
  retry,
  timeout,
}: Pick<UploadOptions, 'retry' | 'timeout'>): void {
  check('retry', retry, ofRetry)
  check('timeout', timeout, ofTimeout)
}

/** What the object is to be. */
export function checkObjectOptions({
  object,
}: Pick<UploadOptions, 'object'>): void {
  check('object', object, ofObject, { meta: 'metadata', tags: 'tagging' })
  check('object.callback', object?.callback, ofCallback)
  check('object.encryption', object?.encryption, ofEncryption)
}

function check(
  of: string,
  given: unknown,
  names: Record<string, true>,
  other: Readonly<Record<string, string>> = {},
): void {
  if (given === undefined) return
  checkKnownOptions(given, {
    of,
    names: Object.keys(names),
    elsewhere: other,
  })
}
