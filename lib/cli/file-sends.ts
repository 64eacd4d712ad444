/**
 * The files of a command line and the keys that they get, looked at before the
 * first byte of the first one is sent: a typing error must not show after hours.
 */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { UploadError } from '../index.js'
import { unreadable } from '../job/walk.js'
import { plainText } from './plain-text.js'

export interface FileSend {
  path: string
  key: string
  /** Bytes, when it was looked at. */
  size: number
}

export interface SkippedFile {
  path: string
  /** Why, in words. */
  skipped: string
}

/** What a log beside its file has after the file's name. */
const logEnding = /\.[0-9a-f]{32}\.pawl$/

/**
 * Several files, and one for a URL that ends with `/`, keep their names. Rejects
 * with `PAWL_INVALID_OPTION`, and with `PAWL_SOURCE_IO` for a file that is not
 * there.
 */
export async function filesOf({
  sources,
  target,
}: {
  sources: readonly string[]
  target: { key: string }
}): Promise<(FileSend | SkippedFile)[]> {
  const { key: prefix } = target
  const isFolder = prefix === '' || prefix.endsWith('/')
  const files: (FileSend | SkippedFile)[] = []
  const paths = new Map<string, string>()
  for (const path of sources) {
    // `put * URL/`, run again, names the logs that the first run left.
    if (logEnding.test(path) && sources.includes(path.replace(logEnding, ''))) {
      files.push({ path, skipped: 'it is the log of an upload' })
      continue
    }
    const size = await sizeOf(path)
    const key = isFolder ? prefix + basename(path) : prefix
    const before = paths.get(key)
    if (before !== undefined) mustBeFolder(before, path, { key, isFolder })
    paths.set(key, path)
    files.push({ path, key, size })
  }
  return files
}

function mustBeFolder(
  before: string,
  path: string,
  { key, isFolder }: { key: string; isFolder: boolean },
): never {
  return invalid(
    isFolder
      ? `${before} and ${path} would both be ${key}, one over the other; upload them to different URLs`
      : 'several files need a URL that ends with /',
  )
}

/** Rejects for anything but a regular file. */
async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw unreadable(plainText(path), cause)
  })
  if (stats.isFile()) return stats.size
  if (stats.isDirectory()) {
    invalid(
      `${path} is a directory; give -r for all that is in it, or pack it: --exec 'tar c ${path}'`,
    )
  }
  return invalid(
    `${path} is not a regular file; pipe it in: pawl put - URL < ${path}`,
  )
}

function invalid(message: string): never {
  throw new UploadError('PAWL_INVALID_OPTION', message)
}
