/** What is told with a failure where its run, or its call, ends. */
import { UploadError } from '../../errors.js'
import { codeOf } from '../../store/cause.js'
import { kindOf, type Requests } from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import { keptAfter } from '../rules/kept.js'
import { isSuspension } from './errors.js'
import type { UploadLog } from './log.js'

/** Of parts without an object, nothing is complete. */
type KeptLog = Pick<UploadLog, 'isResumable' | 'endedSoBefore'> &
  Partial<Pick<UploadLog, 'isComplete'>>

/** Whether the store has answered, in this run. */
type Asked = Pick<Requests, 'hasAnswered'>

/**
 * A failure that, if it is one of ours, says what is kept and whether to repeat the
 * call; `log`: the one that was opened, `requests`: those of the run, if there are any.
 */
export function withKept<Failure>(
  error: Failure,
  { isLogged, facts }: Pick<UploadSettings, 'isLogged' | 'facts'>,
  {
    log,
    requests,
  }: { log?: KeptLog | undefined; requests?: Asked | undefined },
): Failure {
  if (!(error instanceof UploadError)) return error
  if (log?.isComplete === true && isSuspension(error)) error.sayComplete()
  const { code, status, serverCode, resumable, transient } = error
  const { systemCode, isTransient } = causeOf(error)
  const failure = {
    code,
    kind: kindOf(error),
    status,
    serverCode,
    systemCode,
    resumable,
    transient: transient || isTransient,
  }
  const kept = keptAfter(failure, {
    isKept: isLogged && log?.isResumable === true,
    hasAnswered: facts.hasAnswered,
    hasAnsweredNow: requests?.hasAnswered === true,
    isSecond: log?.endedSoBefore(code) === true,
  })
  for (const [name, value] of Object.entries(kept)) {
    Object.defineProperty(error, name, { value, enumerable: true })
  }
  return error
}

/**
 * What an error of ours stands on: the system's own code at the bottom, and whether it
 * says of itself that the call may be repeated, as what `beforeComplete` throws may.
 */
function causeOf({ cause }: UploadError): {
  systemCode: string
  isTransient: boolean
} {
  if (cause instanceof UploadError) {
    return { systemCode: causeOf(cause).systemCode, isTransient: false }
  }
  const isTransient =
    typeof cause === 'object' &&
    cause !== null &&
    'transient' in cause &&
    cause.transient === true
  return { systemCode: codeOf(cause) ?? '', isTransient }
}
