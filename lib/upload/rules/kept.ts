/**
 * What a failure leaves, and whether the same call may do better. Pure.
 *
 * `resumable`: a log that can be opened again holds an upload that is not void.
 * `transient`: the same call may well succeed with nothing changed. The first is
 * worked out once, where a run ends, from its log; the second from the cause.
 */
import type { ErrorCode } from '../../errors.js'
import type { StoreErrorKind } from '../../store/store-error.js'

/** What a failure was. */
export interface FailureFacts {
  code: ErrorCode
  /** Of a call of the store. */
  kind: StoreErrorKind | undefined
  status: number | undefined
  serverCode: string | undefined
  /** The system's code of what it came from, such as `ENOSPC`; empty if none. */
  systemCode: string
  /** What its maker has said of it, where only he knows. */
  resumable: boolean
  transient: boolean
}

/** What it happened to. */
export interface Circumstances {
  /** The log can be opened again and holds an upload that is not void. */
  isKept: boolean
  /** An answer of this store was understood before, by whichever run. */
  hasAnswered: boolean
  /** In this run: what stands between it and the store may be another each time. */
  hasAnsweredNow: boolean
  /** The run before this one ended in the same way. */
  isSecond: boolean
}

export interface Kept {
  resumable: boolean
  transient: boolean
}

type Rule = (failure: FailureFacts, circumstances: Circumstances) => Kept

const never: Rule = () => ({ resumable: false, transient: false })
const kept: Rule = (_failure, { isKept }) => ({
  resumable: isKept,
  transient: false,
})
const again: Rule = (_failure, { isKept }) => ({
  resumable: isKept,
  transient: true,
})
/** The log was not touched: it is as good as it was. */
const untouched: Rule = () => ({ resumable: true, transient: false })

function keptAnd(
  isTransient: (f: FailureFacts, c: Circumstances) => boolean,
): Rule {
  return (failure, circumstances) => ({
    resumable: circumstances.isKept,
    transient: isTransient(failure, circumstances),
  })
}

const sourceMayRecover = new Set([
  'EMFILE',
  'ENFILE',
  'EAGAIN',
  'EBUSY',
  'ESTALE',
  'ETIMEDOUT',
  'ENOMEM',
])
const logMayRecover = new Set([
  'EMFILE',
  'ENFILE',
  'EAGAIN',
  'EINTR',
  'ETIMEDOUT',
  'ESTALE',
  'ECONNRESET',
  'EPIPE',
])
/** Before any answer of a host these are typing errors. */
const wrongAddress = new Set(['ENOTFOUND', 'ECONNREFUSED'])
const certificate = /CERT|UNABLE_TO_|SELF_SIGNED|ALTNAME|ERR_SSL|EPROTO/
const provider = /^(E[A-Z]+|UND_ERR_[A-Z_]+|TimeoutError|AbortError)$/

const rules: Record<ErrorCode, Rule> = {
  PAWL_INVALID_OPTION: never,
  PAWL_INVALID_STATE: never,
  PAWL_DISCARDED: never,
  PAWL_LOCK_UNSUPPORTED: never,
  PAWL_NOT_A_CHECKPOINT: never,
  PAWL_CHECKPOINT_MISMATCH: never,
  PAWL_VERIFY_UNSUPPORTED: kept,
  PAWL_SOURCE_ID_REQUIRED: kept,
  PAWL_SIZE_MISMATCH: kept,
  PAWL_ACCESS_DENIED: kept,
  PAWL_NO_SUCH_BUCKET: kept,
  PAWL_ALREADY_EXISTS: kept,
  PAWL_VERIFY_FAILED: kept,
  PAWL_SUSPENDED: again,
  PAWL_TIMEOUT: again,
  PAWL_BEFORE_COMPLETE: keptAnd(({ transient }) => transient),
  PAWL_SOURCE_CHANGED: keptAnd(
    ({ transient }, { isSecond }) => transient && !isSecond,
  ),
  PAWL_SOURCE_IO: keptAnd(({ systemCode }) => sourceMayRecover.has(systemCode)),
  PAWL_TOO_MANY_PARTS: never,
  PAWL_CALLBACK_FAILED: never,
  PAWL_UPLOAD_GONE: keptAnd((_failure, { isSecond }) => !isSecond),
  PAWL_UPLOAD_CONTENDED: keptAnd(({ transient }) => transient),
  PAWL_COMPLETE_REFUSED: keptAnd(
    ({ transient }, { isKept, isSecond }) => isKept || (transient && !isSecond),
  ),
  PAWL_COMPLETE_UNKNOWN: ({ resumable, transient }, { isKept, isSecond }) => ({
    resumable: resumable && isKept,
    transient: transient && !isSecond,
  }),
  PAWL_CHECKPOINT_VERSION: untouched,
  PAWL_CHECKPOINT_UNSAFE: untouched,
  PAWL_CHECKPOINT_LOST: ({ resumable }) => ({ resumable, transient: true }),
  PAWL_CHECKPOINT_LOCKED: () => ({ resumable: true, transient: true }),
  PAWL_CHECKPOINT_IO: keptAnd(
    ({ systemCode, transient }) => transient || logMayRecover.has(systemCode),
  ),
  PAWL_CREDENTIALS: keptAnd(({ systemCode }) => provider.test(systemCode)),
  PAWL_SERVER: keptAnd(
    (failure) => failure.transient || mayServerRecover(failure),
  ),
  PAWL_NETWORK: keptAnd(
    ({ systemCode }, { hasAnswered }) =>
      !certificate.test(systemCode) &&
      (hasAnswered || !wrongAddress.has(systemCode)),
  ),
  PAWL_RESPONSE: keptAnd((_failure, { hasAnsweredNow }) => hasAnsweredNow),
}

function mayServerRecover({ kind, status, serverCode }: FailureFacts): boolean {
  if (/quota/i.test(serverCode ?? '')) return false
  switch (kind) {
    case 'throttled':
      return true
    case 'server':
      return status !== 505 && status !== 507
    case 'conflict':
      return serverCode === 'OperationAborted'
    default:
      return false
  }
}

/** What is true of a failure where its run ends. */
export function keptAfter(
  failure: FailureFacts,
  circumstances: Circumstances,
): Kept {
  return rules[failure.code](failure, circumstances)
}
