/** What is said when a log file cannot be used. */
import { isError, systemCode } from '../realm.js'
import { UploadError } from '../errors.js'

export function fileLocked(name: string, why: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_LOCKED',
    `${name} ${why}; wait until the other upload has settled, or name another file`,
    { resumable: true },
  )
}

export function fileUnsafe(name: string, why: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_UNSAFE',
    `${name} ${why}. A log must be a regular file with one name, owned by you ` +
      'and writable by you alone; put it right, or name another file',
  )
}

/** For a file that somebody else owns or may write. */
export function fileOfOthers(name: string, why: string): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_UNSAFE',
    `${name} ${why}: others may write it. Put its mode or place right; or, on a ` +
      'volume that sets owners and modes, trust whoever may write there: ' +
      'trustLog: true, fileCheckpoint(path, { trusted: true }), --trust-log',
  )
}

/** `isThere`: another file has its name, or more of it was taken away. */
export function fileLost(
  name: string,
  why: string,
  isThere = true,
): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_LOST',
    `${name} ${why} while it was in use; run the same call again: ${
      isThere
        ? 'it goes on from what is there now'
        : 'it starts over, for nothing is left to go on from'
    }`,
    { resumable: isThere, transient: true },
  )
}

/** A call that failed; an error that is made for people already stays as it is. */
export function fileFailed(
  name: string,
  doing: string,
  cause: unknown,
): UploadError {
  if (cause instanceof UploadError) return cause
  const code = systemCode(cause)
  const why = code !== '' ? code : isError(cause) ? cause.message : ''
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name} could not be ${doing}${why === '' ? '' : `: ${why}`}${hint(code, doing)}`,
    { cause },
  )
}

function hint(code: string, doing: string): string {
  if (code === 'ENOENT' && doing === 'read') return '; there is no such file'
  if (code === 'ENOENT')
    return '; its directory does not exist, create it first'
  if (code === 'ENOTDIR') return '; what should be its directory is a file'
  if (code === 'EFBIG') return '; no file may be that long here (ulimit -f)'
  if (code === 'EROFS') return '; the file system can only be read'
  if (code === 'ENOSPC' || code === 'EDQUOT') return '; the disk is full'
  return ''
}
