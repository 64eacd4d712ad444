/** `uploadFile`: the same upload as the stream's, from a file. */
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { noLog } from '../checkpoint/no-log.js'
import { filePath, type FilePath } from '../file-path.js'
import { discardUpload } from './discard.js'
import { type FileUploadOptions, uploadOpenFile } from './file-upload.js'
import {
  checkFileCheckpoint,
  placeFileCheckpoint,
  placeIfNeeded,
} from './options/checkpoint-place.js'
import {
  oneOf,
  readListeners,
  readSettings,
  typeByName,
  type UploadSettings,
  wholeNumber,
  withContentType,
  withSize,
} from './options/settings.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from './options/environment.js'
import { checkFileOptions } from './options/option-names.js'
import type { UploadFileOptions } from './options/options.js'
import type { UploadResult } from '../upload-result.js'
import { withKept } from './run/errors.js'
import { traceUpload } from './run/trace.js'
import { FileSource } from './source/file-source.js'

/**
 * Uploads a file in parts, and goes on where an earlier run of the same call
 * stopped, reading only what is not stored. Memory stays under 64 MiB beside
 * what Node itself takes, whatever the part size, unless parts are held: see the
 * option `memory`.
 *
 * Rejects with an `UploadError`: `PAWL_INVALID_OPTION` for bad options and for
 * anything but a regular file, `PAWL_SOURCE_IO` for a file that cannot be read,
 * `PAWL_SOURCE_CHANGED` when it changes meanwhile, `PAWL_SUSPENDED` after
 * `signal`. When it has settled, the same call may be made again.
 *
 * @example
 * const result = await uploadFile('db.dump', {
 *   store: ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' }),
 *   key: 'backups/db.dump',
 *   onProgress: ({ bytesStored, bytesTotal }) =>
 *     console.log(bytesStored, 'of', bytesTotal),
 * })
 */
export function uploadFile(
  path: FilePath,
  options: UploadFileOptions,
): Promise<UploadResult> {
  return uploadFileOn(path, options)
}

/** `uploadFile`, with the clock, the timers and the randomness given. */
export async function uploadFileOn(
  file: FilePath,
  options: UploadFileOptions,
  environment: UploadEnvironment = realUploadEnvironment,
): Promise<UploadResult> {
  checkFileOptions(options)
  const emit = readListeners(options)
  const prove = oneOf('prove', options.prove ?? 'identity', [
    'identity',
    'hash',
  ])
  const path = pathOf(file)
  checkFileCheckpoint(options)
  // What is wrong with the options is said before the file is touched.
  const byName = typeByName(path, options.key)
  const object = withContentType(options.object, byName)
  const settings = readSettings(options, environment, object)
  return traceUpload(settings, 'file', (scope) =>
    upload(path, options, settings, {
      prove,
      emit: scope?.hear(emit) ?? emit,
      scope,
    }),
  )
}

async function upload(
  path: string,
  options: UploadFileOptions,
  before: UploadSettings,
  means: Pick<FileUploadOptions, 'prove' | 'emit' | 'scope'>,
): Promise<UploadResult> {
  const { key, environment } = before
  const source = await FileSource.open(path, {
    key,
    files: environment.sourceFiles,
    now: environment.now,
  }).catch((error: unknown) => {
    // Before the log was opened: nothing is known of what it holds.
    throw withKept(error, before, {})
  })
  try {
    const { size } = source
    const settings = withSize(before, size)
    const multipartThreshold = readThreshold(options, settings)
    const isOneRequest = size === 0 || size < multipartThreshold
    // A small one that is put is read to its end before anything is sent.
    if (!source.isSmall || !isOneRequest) await source.mustEnd()
    const checkpoint = isOneRequest
      ? await placeIfNeeded(path, options, settings)
      : await placeFileCheckpoint(path, options, settings)
    const isLogged = checkpoint !== noLog && before.isLogged
    return await uploadOpenFile({
      source,
      settings: { ...settings, isLogged },
      checkpoint,
      multipartThreshold,
      ...means,
    })
  } finally {
    await source.close()
  }
}

/**
 * Gives up the unfinished upload of a file for good: what is stored of it is
 * removed from the server, and its log with it. To be called with the options
 * of `uploadFile`, when that has settled. Rejects with `PAWL_INVALID_STATE` when
 * the object is complete, and keeps the log when the server cannot be reached.
 */
export function discardFileUpload(
  path: FilePath,
  options: UploadFileOptions,
): Promise<void> {
  return discardFileUploadOn(path, options)
}

/** `discardFileUpload`, with the clock, the timers and the randomness given. */
export async function discardFileUploadOn(
  file: FilePath,
  options: UploadFileOptions,
  environment: UploadEnvironment = realUploadEnvironment,
): Promise<void> {
  checkFileOptions(options)
  const path = pathOf(file)
  checkFileCheckpoint(options)
  const settings = readSettings(options, environment)
  const checkpoint: Checkpoint = await placeFileCheckpoint(
    path,
    options,
    settings,
  )
  await discardUpload(settings, checkpoint)
}

function pathOf(file: unknown): string {
  return filePath(
    file,
    'uploadFile(path, options): the path of a file is required; uploadBytes() takes bytes and Blobs',
  )
}

function readThreshold(
  { multipartThreshold }: UploadFileOptions,
  { partSize, store }: UploadSettings,
): number {
  const { maxPutSize } = store.limits
  return wholeNumber(
    'multipartThreshold',
    multipartThreshold ?? Math.min(partSize, maxPutSize),
    0,
    maxPutSize,
  )
}
