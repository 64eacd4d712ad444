import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isError, systemCode } from '../../realm.js'
import { invalidOption } from '../../errors.js'
import { makeFolders } from '../../make-folders.js'
import { isRecord } from '../wire/read-xml.js'

/** The folders and files of a server's directory. */
export interface Directory {
  readonly root: string
  readonly objects: string
  readonly uploads: string
  /** Things in the making; emptied at each start. */
  readonly incoming: string
}

/** Says that something in the directory is passed over, and why. */
export type Warn = (text: string) => void

const markerName = 'dev-server.json'
/** What file managers and file systems leave in any directory. */
const litter = ['.DS_Store', 'Thumbs.db', 'desktop.ini', 'lost+found']

/**
 * Makes a server's directory. One with other things in it is refused: the server
 * deletes files in its own folders.
 */
export function makeDirectory(root: string): void {
  makeFolders(root)
  const marker = join(root, markerName)
  if (existsSync(marker)) return
  if (readdirSync(root).some((name) => !litter.includes(name))) {
    invalidOption(
      `directory: ${root} is neither empty nor a dev server's; name another one`,
    )
  }
  writeFileSync(marker, JSON.stringify({ format: 1, buckets: [] }))
}

/** Opens a directory that nobody else has; what was in the making is removed. */
export function openDirectory(root: string): Directory {
  const directory = {
    root,
    objects: join(root, 'objects'),
    uploads: join(root, 'uploads'),
    incoming: join(root, 'incoming'),
  }
  rmSync(directory.incoming, { recursive: true, force: true })
  for (const path of [
    directory.objects,
    directory.uploads,
    directory.incoming,
  ]) {
    makeFolders(path)
  }
  return directory
}

/** A bucket that was made by a request. */
export interface MadeBucket {
  readonly name: string
  /** ms since 1970 */
  readonly time: number
}

/** Buckets made by requests. */
export function readBuckets({ root }: Directory, warn: Warn): MadeBucket[] {
  const path = join(root, markerName)
  const marker = readJson(path, isRecord)
  if (marker === undefined) {
    warn(`${path} cannot be read: the buckets that were made are forgotten`)
    return []
  }
  return isMarker(marker)
    ? marker.buckets
    : invalidOption(`directory: ${path} is of another version of the server`)
}

function isMarker(value: unknown): value is { buckets: MadeBucket[] } {
  return (
    isRecord(value) &&
    value['format'] === 1 &&
    Array.isArray(value['buckets']) &&
    value['buckets'].every(isMadeBucket)
  )
}

function isMadeBucket(value: unknown): value is MadeBucket {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    typeof value['time'] === 'number'
  )
}

export function writeBuckets(
  directory: Directory,
  buckets: readonly MadeBucket[],
): void {
  const path = join(directory.root, markerName)
  writeJson(directory, path, { format: 1, buckets })
}

/** A new path in `incoming`. */
export function incomingPath({ incoming }: Directory): string {
  return join(incoming, randomBytes(12).toString('hex'))
}

/** Puts a whole file in the place of the old one. */
export function writeJson(
  directory: Directory,
  path: string,
  value: unknown,
): void {
  const temporary = incomingPath(directory)
  writeFileSync(temporary, JSON.stringify(value))
  renameSync(temporary, path)
}

/** Reads a file that {@link writeJson} wrote; undefined for any other. */
export function readJson<T>(
  path: string,
  isValid: (value: unknown) => value is T,
): T | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isValid(value) ? value : undefined
  } catch (error) {
    if ((isError(error) && error.name === 'SyntaxError') || isNoFile(error))
      return undefined
    throw error
  }
}

function isNoFile(error: unknown): boolean {
  const code = systemCode(error)
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code)
}

/** A file name that no bucket or key can influence but by being different. */
export function objectFileName(bucket: string, key: string): string {
  return createHash('sha256').update(`${bucket}\0${key}`).digest('hex')
}
