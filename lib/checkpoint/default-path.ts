/** Where a log is kept when the caller named only a directory. */
import { join } from 'node:path'
import { sha256 } from '../hash/sha256.js'
import type { FileSystem } from './file-system.js'

/** What tells one upload's log from another's. */
export interface UploadNames {
  /** The store's identity. */
  identity: string
  key: string
  /** Anything that stays the same for the same source; may be empty. */
  source: string
}

/** A file name that is a digest of target and source; says nothing of either. */
export function defaultCheckpointName({
  identity,
  key,
  source,
}: UploadNames): string {
  const names = JSON.stringify([identity, key, source])
  return `${sha256(names).slice(0, 32)}.pawl`
}

/** The path itself, or a file in it where it is a directory. */
export async function defaultCheckpointPath(
  path: string,
  names: UploadNames,
  fs: Pick<FileSystem, 'isDirectory'>,
): Promise<string> {
  // A path that cannot be looked at fails when the log is opened, with the
  // reason.
  const isDirectory = await fs.isDirectory(path).catch(() => false)
  return isDirectory ? join(path, defaultCheckpointName(names)) : path
}
