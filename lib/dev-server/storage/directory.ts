import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { invalidOption } from '../../errors.js'
import { isRecord } from '../wire/xml.js'

/** The folders and files of a server's directory. */
export interface Directory {
  readonly root: string
  readonly objects: string
  readonly uploads: string
  /** Things in the making; emptied at each start. */
  readonly incoming: string
}

const markerName = 'dev-server.json'

/**
 * Opens or makes a server's directory. One with other things in it is refused:
 * the server deletes files in its own folders.
 */
export function openDirectory(root: string): Directory {
  mkdirSync(root, { recursive: true })
  const marker = join(root, markerName)
  if (!existsSync(marker)) {
    if (readdirSync(root).length > 0) {
      invalidOption(
        `directory: ${root} is neither empty nor a dev server's; name another one`,
      )
    }
    writeFileSync(marker, JSON.stringify({ format: 1, buckets: [] }))
  }
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
    mkdirSync(path, { recursive: true })
  }
  return directory
}

/** Buckets made by requests. */
export function readBuckets({ root }: Directory): string[] {
  return readJson(join(root, markerName), isMarker).buckets
}

function isMarker(value: unknown): value is { buckets: string[] } {
  return (
    isRecord(value) && value['format'] === 1 && Array.isArray(value['buckets'])
  )
}

export function writeBuckets(directory: Directory, buckets: string[]): void {
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

/** Reads a file that {@link writeJson} wrote; throws if it is another one. */
export function readJson<T>(
  path: string,
  isValid: (value: unknown) => value is T,
): T {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return isValid(value)
    ? value
    : invalidOption(`directory: ${path} is not a dev server's file`)
}

/** A file name that no bucket or key can influence but by being different. */
export function objectFileName(bucket: string, key: string): string {
  return createHash('sha256').update(`${bucket}\0${key}`).digest('hex')
}
