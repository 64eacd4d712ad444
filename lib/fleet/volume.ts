/**
 * Where files are read, as a whole: what is true of a machine or of its volume is no
 * failure of the files on it.
 */
import { opendir, realpath } from 'node:fs/promises'
import { UploadError } from '../errors.js'
import { unreadable } from '../job/walk.js'
import { systemCode } from '../realm.js'
import type {
  SourceFiles,
  SourceHandle,
} from '../upload/source/source-files.js'

/**
 * Rejects with `PAWL_SOURCE_IO` when nothing is there: an empty directory is where a
 * volume is not mounted, and each file of a fleet would fail there for good.
 */
export async function mustBeMounted(root: string): Promise<void> {
  let isEmpty: boolean
  try {
    const directory = await opendir(root)
    try {
      isEmpty = (await directory.read()) === null
    } finally {
      await directory.close()
    }
  } catch (cause) {
    throw unreadable(root, cause)
  }
  if (!isEmpty) return
  throw new UploadError(
    'PAWL_SOURCE_IO',
    `${root} is empty; the volume of the files is not mounted here`,
  )
}

/** Failures of a disk, of a file server, of a machine that has run out of something. */
const codesOfVolumes: ReadonlySet<string> = new Set([
  'EAGAIN',
  'EBUSY',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EIO',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENODEV',
  'ENOLCK',
  'ENOMEM',
  'ENOTCONN',
  'EREMOTEIO',
  'ESHUTDOWN',
  'ESTALE',
  'ETIMEDOUT',
])

/** Whether a file may well be readable on another machine, or later. */
export function isOfVolume({ code, cause }: UploadError): boolean {
  return code === 'PAWL_SOURCE_IO' && codesOfVolumes.has(systemCode(cause))
}

/** Whether there is no such file. */
export function isGone({ code, cause }: UploadError): boolean {
  return code === 'PAWL_SOURCE_IO' && systemCode(cause) === 'ENOENT'
}

/**
 * Files by paths without links, as they were when they were looked at: a link may have
 * been put on the way since then, and would lead out of the root.
 */
export function withoutLinks(files: SourceFiles): SourceFiles {
  return {
    stat: (path) => files.stat(path),
    async open(path): Promise<SourceHandle> {
      const handle = await files.open(path)
      try {
        if ((await realpath(path)) === path) return handle
      } catch (error) {
        await handle.close()
        throw error
      }
      await handle.close()
      throw new Error('a link has been put on the way to it')
    },
  }
}
