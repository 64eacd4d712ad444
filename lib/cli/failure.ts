/**
 * What a failed command says: a line with the code, and one with what to do
 * where the first does not say it. No stack.
 */
import { isError } from '../realm.js'
import { UploadError, type ErrorCode } from '../index.js'
import { adviceFor, fewerParts } from './advice.js'
import type { TaskKind } from './exit-code.js'
import { flagOf } from './foreign-flags.js'
import type { Interruption } from './interrupts.js'
import { plainText } from './plain-text.js'

/** What is said of these says already what to do next. */
const complete: readonly ErrorCode[] = [
  'PAWL_ALREADY_EXISTS',
  'PAWL_BEFORE_COMPLETE',
  'PAWL_CHECKPOINT_LOCKED',
  'PAWL_SIZE_MISMATCH',
  'PAWL_SOURCE_CHANGED',
  'PAWL_TOO_MANY_PARTS',
]

/** Options that errors of the library name, and that are flags here. */
export const namedOptions = [
  'partSize',
  'equalParts',
  'checkpointDir',
  'multipartThreshold',
  'maxRate',
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
  if (!isError(error)) return `pawl: ${plainText(String(error))}`
  if (!(error instanceof UploadError)) return `pawl: ${oneLine(error.message)}`
  const text = `pawl: ${error.code}: ${oneLine(messageOf(error))}`
  const next = whatNext(error, kind)
  return next === '' ? text : `${text}\n${next}`
}

function whatNext(error: UploadError, kind: TaskKind): string {
  const { code, resumable, transient } = error
  const advice = adviceFor(error)
  if (kind === 'other') {
    return isAboutAccess(code) || code === 'PAWL_NETWORK' ? (advice ?? '') : ''
  }
  if (complete.includes(code) || advice === fewerParts) return advice ?? ''
  if (!resumable && !transient) return advice ?? ''
  const again = `un the same command again${resumable ? ' to go on from what is stored' : ''}.`
  if (advice === undefined) {
    return transient ? `R${again}` : `Once that is put right, r${again}`
  }
  return transient ? `${advice} R${again}` : `${advice} Then r${again}`
}

function isAboutAccess(code: ErrorCode): boolean {
  return code === 'PAWL_CREDENTIALS' || code === 'PAWL_ACCESS_DENIED'
}

/** What the server said of a failure; empty when it said nothing. */
export function serverText(error: unknown): string {
  if (!(error instanceof UploadError)) return ''
  const said: [name: string, value: string | number | undefined][] = [
    ['status', error.status],
    ['code', error.serverCode],
    ['request', error.requestId],
    ['host', error.hostId],
    ['EC', error.ec],
  ]
  const known = said.filter(([, value]) => value !== undefined)
  if (known.length === 0) return ''
  const words = known.map(([name, value]) => `${name} ${value}`).join(', ')
  return `The server said: ${plainText(words)}.`
}

/** In the words of the command line. */
export function messageOf({ code, message, cause }: UploadError): string {
  if (code === 'PAWL_BEFORE_COMPLETE' && isError(cause)) {
    return cause.message
  }
  const names = namedOptions.join('|')
  return message.replaceAll(
    new RegExp(String.raw`\b(?:object\.)?(${names})\b`, 'g'),
    (_, name: string) => flagOf(name),
  )
}

/** After Ctrl-C or `kill`. */
export function stoppedText(
  signal: Interruption,
  { kind, resumable }: { kind: TaskKind; resumable: boolean },
): string {
  if (kind === 'other') return `pawl: stopped by ${signal}.`
  if (!resumable)
    return `pawl: stopped by ${signal}; nothing is kept that the same command would go on from.`
  const source =
    kind === 'stream' ? ', with the same input from its first byte,' : ''
  return `pawl: suspended by ${signal}. Run the same command again${source} to go on from what is stored.`
}

function oneLine(message: string): string {
  return plainText(message.trim().replaceAll(/\s*[\r\n]+\s*/g, ' '))
}
