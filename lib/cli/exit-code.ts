/** What the command's exit says to scripts. */
import { UploadError } from '../index.js'
import type { TaskKind } from './failure.js'

export const exitCodes = {
  done: 0,
  /** Failed; running it again as it is will not help. */
  failed: 1,
  /** The command line, or something that it names, is wrong. */
  usage: 2,
  /** Failed, and the same command may well succeed as it is. */
  transient: 3,
  /** The object is complete, but its callback failed. */
  callback: 4,
  /** Ctrl-C, and what `kill` sends. */
  SIGINT: 130,
  SIGTERM: 143,
} as const

export function exitCodeOf(error: unknown, kind: TaskKind): number {
  if (!(error instanceof UploadError)) return exitCodes.failed
  if (error.code === 'PAWL_INVALID_OPTION') return exitCodes.usage
  if (error.code === 'PAWL_CALLBACK_FAILED') return exitCodes.callback
  const isPassing = kind !== 'other' && error.transient
  return isPassing ? exitCodes.transient : exitCodes.failed
}
