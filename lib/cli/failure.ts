/**
 * What a failed command says: a line with the code, and one with what to do
 * where the first does not say it. No stack.
 */
import { UploadError, type ErrorCode } from '../index.js'
import type { Interruption } from './interrupts.js'
import { plainText } from './plain-text.js'

/** What was stopped: an upload that can be gone on with, or something else. */
export type TaskKind = 'file' | 'stream' | 'other'

/** For uploads, where the message alone does not say what to do. */
const advice: Partial<Record<ErrorCode, string>> = {
  PAWL_NETWORK: 'Check the network and the endpoint.',
  PAWL_ACCESS_DENIED: 'Check the credentials, and what they are allowed.',
  PAWL_NO_SUCH_BUCKET: 'Check the URL, the region and the endpoint.',
  PAWL_ALREADY_EXISTS: 'Give another key, or leave out --forbid-overwrite.',
  PAWL_CHECKPOINT_LOCKED:
    'Another command is uploading this; let it finish, or stop it.',
  PAWL_NOT_A_CHECKPOINT:
    'Give another --checkpoint; this file was not touched.',
  PAWL_SIZE_MISMATCH:
    'The source ended early, or --size is wrong. Run the command again with the whole source.',
  PAWL_BEFORE_COMPLETE:
    'Nothing was completed. Run the same command again once the source is whole.',
}

/** What is said of these says already what to do next. */
const complete: readonly ErrorCode[] = [
  'PAWL_ALREADY_EXISTS',
  'PAWL_BEFORE_COMPLETE',
  'PAWL_CHECKPOINT_LOCKED',
  'PAWL_CREDENTIALS',
  'PAWL_SIZE_MISMATCH',
  'PAWL_SOURCE_CHANGED',
  'PAWL_TOO_MANY_PARTS',
]

const credentials =
  'Set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3:// URLs.'

/** Options that errors of the library name, and that are flags here. */
export const namedOptions = [
  'partSize',
  'checkpointDir',
  'multipartThreshold',
  'trafficLimit',
  'requestPayer',
  'forbidOverwrite',
  'contentType',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'storageClass',
  'allowRemote',
] as const

/** Without the last line end. */
export function failureText(error: unknown, kind: TaskKind): string {
  if (!(error instanceof Error)) return `pawl: ${plainText(String(error))}`
  if (!(error instanceof UploadError)) return `pawl: ${oneLine(error.message)}`
  const { code } = error
  const text = `pawl: ${code}: ${oneLine(messageOf(error))}`
  const next = code === 'PAWL_CREDENTIALS' ? credentials : whatNext(error, kind)
  return next === '' ? text : `${text}\n${next}`
}

function whatNext(error: UploadError, kind: TaskKind): string {
  if (kind === 'other') return ''
  const { code, resumable, transient, uploadId } = error
  const what = advice[code]
  const mayRepeat = resumable || transient
  if (!mayRepeat || complete.includes(code)) return what ?? ''
  // Without an upload on the server there is nothing to go on from.
  const isBegun = resumable && uploadId !== undefined
  const again = isBegun
    ? 'Run the same command again to go on from what is stored.'
    : 'Then run the same command again.'
  if (what !== undefined) return `${what} ${again}`
  if (isBegun) return again
  return transient
    ? 'Run the same command again.'
    : 'Run the same command again once that is put right.'
}

/** In the words of the command line. */
function messageOf({ code, message, cause }: UploadError): string {
  if (code === 'PAWL_BEFORE_COMPLETE' && cause instanceof Error) {
    return cause.message
  }
  const names = namedOptions.join('|')
  return message.replaceAll(
    new RegExp(String.raw`\b(?:object\.)?(${names})\b`, 'g'),
    (_, name: string) =>
      `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  )
}

/** After Ctrl-C or `kill`. */
export function stoppedText(
  signal: Interruption,
  { kind, resumable }: { kind: TaskKind; resumable: boolean },
): string {
  if (kind === 'other') return `pawl: stopped by ${signal}.`
  if (!resumable)
    return `pawl: stopped by ${signal}; without a log there is nothing to go on from.`
  const source =
    kind === 'stream' ? ', with the same input from its first byte,' : ''
  return `pawl: suspended by ${signal}. Run the same command again${source} to go on from what is stored.`
}

function oneLine(message: string): string {
  return plainText(message.trim().replaceAll(/\s*[\r\n]+\s*/g, ' '))
}
