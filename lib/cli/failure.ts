/** What a failed command says: one line, or two with what to do. No stack. */
import { UploadError, type ErrorCode } from '../index.js'
import type { Interruption } from './interrupts.js'

const again = 'Run the same command again to go on from what is stored.'

/** Where the message alone does not say what to do. */
const advice: Partial<Record<ErrorCode, string>> = {
  PAWL_CREDENTIALS:
    'Set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3:// URLs.',
  PAWL_CHECKPOINT_LOCKED:
    'Another command is uploading this; let it finish, or stop it.',
  PAWL_NOT_A_CHECKPOINT:
    'Give another --checkpoint; this file was not touched.',
  PAWL_SIZE_MISMATCH:
    'The source ended early, or --size is wrong; nothing was completed. Run the command again with the whole source.',
  PAWL_BEFORE_COMPLETE:
    'Nothing was completed. Run the same command again once the source is whole.',
}

/** Without the last line end. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return `pawl: ${String(error)}`
  if (!(error instanceof UploadError)) return `pawl: ${oneLine(error.message)}`
  const { code, message, resumable } = error
  const text = `pawl: ${code}: ${oneLine(message)}`
  const what = advice[code] ?? (resumable ? again : undefined)
  return what === undefined ? text : `${text}\n${what}`
}

/** After Ctrl-C, when what is stored was kept. */
export function suspendedText(
  signal: Interruption,
  { isStream, resumable }: { isStream: boolean; resumable: boolean },
): string {
  if (!resumable) return `pawl: stopped by ${signal}; nothing is kept.`
  const source = isStream ? ', with the same input from its first byte,' : ''
  return `pawl: suspended by ${signal}. Run the same command again${source} to go on from what is stored.`
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*[\r\n]+\s*/g, ' ')
}
