/** What the command's exit says to scripts. */
import { systemCode } from '../realm.js'
import { UploadError } from '../index.js'

/** What was asked for: an upload that can be gone on with, or something else. */
export type TaskKind = 'file' | 'stream' | 'other'

export const exitCodes = {
  done: 0,
  /** Failed; running it again as it is will not help. */
  failed: 1,
  /** The command line, or something that it names, is wrong. */
  usage: 2,
  /** Failed, and the same command may well succeed with nothing changed. */
  resumable: 3,
  /** The object is complete, but its callback failed. */
  callback: 4,
  /** Ctrl-C, Ctrl-\, a terminal that went away, and what `kill` sends. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGTERM: 143,
} as const

/** A failure that has been told already, and what it makes of the exit. */
export class ToldFailure extends Error {
  override readonly name = 'ToldFailure'
  readonly exitCode: number

  constructor(exitCode: number) {
    super('told already')
    this.exitCode = exitCode
  }
}

export function exitCodeOf(error: unknown, kind: TaskKind): number {
  if (error instanceof ToldFailure) return error.exitCode
  if (!(error instanceof UploadError)) return exitCodes.failed
  if (error.code === 'PAWL_INVALID_OPTION' || isMissing(error, kind)) {
    return exitCodes.usage
  }
  if (error.code === 'PAWL_CALLBACK_FAILED') return exitCodes.callback
  return kind !== 'other' && error.transient
    ? exitCodes.resumable
    : exitCodes.failed
}

/** A file, or a log to be read, that the command line names and that cannot be had. */
function isMissing(
  { code, cause, uploadId }: UploadError,
  kind: TaskKind,
): boolean {
  const isNamed =
    code === 'PAWL_SOURCE_IO' ||
    (kind === 'other' && code === 'PAWL_CHECKPOINT_IO')
  return isNamed && uploadId === undefined && missing.has(systemCode(cause))
}

const missing = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'EACCES',
  'EPERM',
  'ELOOP',
])
