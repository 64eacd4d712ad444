/** Where the log of a file's upload is kept. */
import { basename, dirname, join, resolve } from 'node:path'
import { checkedCheckpoint } from '../../checkpoint/checked-checkpoint.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import {
  defaultCheckpointName,
  defaultCheckpointPath,
} from '../../checkpoint/default-path.js'
import { FileCheckpoint } from '../../checkpoint/file-checkpoint.js'
import type { FileSystem } from '../../checkpoint/file-system.js'
import { noLog } from '../../checkpoint/no-log.js'
import { lstatIfAny } from '../../checkpoint/open-log-file.js'
import { invalidOption } from '../../errors.js'
import { filePath, type FilePath } from '../../file-path.js'
import { sha256 } from '../../hash/sha256.js'
import { isUrl } from '../../realm.js'
import type { UploadFileOptions } from './options.js'
import type { UploadSettings } from './settings.js'

const noDirectory = 'checkpointDir must be the path of a directory'

const noCheckpoint =
  'checkpoint is required: a path for the log, a Checkpoint, or false for an upload that cannot be resumed'

/** What every log can be asked. */
const steps = ['open', 'append', 'setAside', 'remove', 'close']

/** Bytes of a file's name that leave room for what is added to it. */
const longestName = 200

/** Throws `PAWL_INVALID_OPTION`. */
export function checkFileCheckpoint({
  checkpoint,
  checkpointDir,
}: Pick<UploadFileOptions, 'checkpoint' | 'checkpointDir'>): void {
  if (checkpoint !== undefined) checkCheckpoint(checkpoint)
  if (checkpointDir === undefined) return
  if (checkpoint !== undefined) {
    invalidOption('checkpoint and checkpointDir: only one of them can be given')
  }
  filePath(checkpointDir, noDirectory)
}

/**
 * The sink for the log of a file that goes in one request, of which nothing is left to
 * go on with. So none is made, unless it tells what no look can: whose the object is
 * that may not be overwritten, and whether a callback came. One that is there or was
 * asked for is used.
 */
export async function placeIfNeeded(
  path: string,
  options: UploadFileOptions,
  settings: UploadSettings,
): Promise<Checkpoint> {
  const { checkpoint } = options
  if (checkpoint === false) return noLog
  const { forbidOverwrite, callback } = settings.object
  const isNeeded = forbidOverwrite === true || callback !== undefined
  if (isNeeded || checkpoint !== undefined) {
    return placeFileCheckpoint(path, options, settings)
  }
  const place = defaultPlace(path, options, settings)
  // What keeps it from being looked at is told when it is opened.
  return (await isAbsent(place, options, settings.environment.logFiles))
    ? noLog
    : placeFileCheckpoint(path, options, settings)
}

/** False also where no log could be: whoever named a directory is told so. */
async function isAbsent(
  place: string,
  { checkpointDir }: Pick<UploadFileOptions, 'checkpointDir'>,
  files: FileSystem,
): Promise<boolean> {
  try {
    if ((await lstatIfAny(files, place)) !== undefined) return false
    if (checkpointDir === undefined) return true
    return await files.isDirectory(filePath(checkpointDir, noDirectory))
  } catch {
    return false
  }
}

/** The sink for a file's log; another for each file and target, unless a path is given. */
export function placeFileCheckpoint(
  path: string,
  options: UploadFileOptions,
  settings: UploadSettings,
): Promise<Checkpoint> {
  const place = options.checkpoint ?? defaultPlace(path, options, settings)
  const sourceDigest = sha256(resolve(path))
  return openableCheckpoint(place, { ...settings, sourceDigest })
}

/** Beside the file and named after it, unless that would be too long. */
function defaultPlace(
  path: string,
  { checkpointDir }: UploadFileOptions,
  { store: { identity }, key }: UploadSettings,
): string {
  if (checkpointDir !== undefined) {
    const source = sha256(resolve(path))
    const name = defaultCheckpointName({ identity, key, source })
    return join(filePath(checkpointDir, noDirectory), name)
  }
  const name = basename(path)
  const isLong = Buffer.byteLength(name) > longestName
  const source = isLong ? name : ''
  const log = defaultCheckpointName({ identity, key, source })
  return join(dirname(path), isLong ? log : `${name}.${log}`)
}

/** The sink that `checkpoint` names. */
export async function openableCheckpoint(
  checkpoint: FilePath | Checkpoint | false,
  settings: Pick<
    UploadSettings,
    | 'store'
    | 'key'
    | 'sourceDigest'
    | 'environment'
    | 'isLogTrusted'
    | 'timeout'
  >,
): Promise<Checkpoint> {
  if (checkpoint === false) return noLog
  const { environment, timeout } = settings
  const bounds = { environment, timeout: timeout.checkpoint }
  if (typeof checkpoint !== 'string' && !isUrl(checkpoint)) {
    return checkedCheckpoint(checkpoint, bounds)
  }
  const { logFiles, locker } = environment
  const path = await defaultCheckpointPath(
    filePath(checkpoint, noCheckpoint),
    {
      identity: settings.store.identity,
      key: settings.key,
      source: settings.sourceDigest ?? '',
    },
    logFiles,
  )
  const file = new FileCheckpoint(path, locker, logFiles, {
    isTrusted: settings.isLogTrusted,
  })
  return checkedCheckpoint(file, bounds)
}

/** Throws unless it is something that an upload can keep its log in. */
export function checkCheckpoint(
  checkpoint: unknown,
): asserts checkpoint is FilePath | Checkpoint | false {
  if (checkpoint === false) return
  if (typeof checkpoint === 'string' || isUrl(checkpoint)) {
    filePath(checkpoint, noCheckpoint)
    return
  }
  if (!isObject(checkpoint)) invalidOption(noCheckpoint)
  const has = (step: string): boolean =>
    typeof Reflect.get(checkpoint, step) === 'function'
  if (!steps.some(has)) invalidOption(noCheckpoint)
  const missing = steps.filter((step) => !has(step)).map((step) => `${step}()`)
  if (typeof Reflect.get(checkpoint, 'name') !== 'string') missing.push('name')
  if (missing.length === 0) return
  invalidOption(
    `checkpoint: this Checkpoint lacks ${missing.join(', ')}, which every one has`,
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
