/**
 * Making the object: Complete, and finding out what became of it.
 *
 * A lost answer, a time-out, a 5xx, `NoSuchUpload` or a conflict says nothing of
 * whether the object is there, so before anything else the object is looked at.
 * Its CRC-64, or the ETag that the parts' MD5s give, is proof; its size alone
 * never is. Still listed and not ours: the same body is sent again. Neither:
 * `PAWL_COMPLETE_UNKNOWN`, and the log is kept.
 */
import { UploadError } from '../../errors.js'
import type { CompletedPart, ObjectReceipt } from '../../store/object-store.js'
import { answerOf, StoreError } from '../../store/store-error.js'
import { headObject, listAllParts } from '../calls/look.js'
import {
  isAmbiguous,
  type RequestContext,
  type Requests,
} from '../calls/requests.js'
import type { UploadSettings } from '../options/settings.js'
import { isThatObject, sameEtag } from '../rules/proof.js'
import type { RunContext } from './context.js'
import type { CurrentUpload } from './current-upload.js'

export interface CompleteInput {
  settings: UploadSettings
  requests: Requests
  uploadId: string
  parts: readonly CompletedPart[]
  size: number
  /** Of the whole object, when this run knows it. */
  crc64: string | undefined
  /** Not the run's: a Complete that was sent is waited for. */
  signal: AbortSignal
}

/** What became of a Complete that was refused for good. */
export class CompleteRefusal extends Error {
  override readonly name = 'CompleteRefusal'
  /** `parts`: some are not on the server as we know them. `size`: one is too small. */
  readonly because: 'parts' | 'size' | 'gone'
  override readonly cause: StoreError

  constructor(because: 'parts' | 'size' | 'gone', cause: StoreError) {
    super(because)
    this.because = because
    this.cause = cause
  }
}

/** The finished object. Rejects with `CompleteRefusal` or an `UploadError`. */
export async function completeUpload(
  input: CompleteInput,
): Promise<ObjectReceipt> {
  const { settings, requests, uploadId, parts, size, crc64, signal } = input
  const { store, key, object } = settings
  const context: RequestContext = {
    what: 'Complete',
    uploadId,
    signal,
    headersTimeout: settings.timeout.complete,
  }
  if (object.forbidOverwrite === true) await mustNotExist(input)
  let attempt = 1
  let previous: StoreError | undefined
  for (let sent = 1; ; sent++) {
    try {
      const receipt = await requests.once(
        context,
        (call) =>
          store.completeUpload(
            { key, uploadId, parts, object, size, crc64 },
            call,
          ),
        sent,
      )
      const { callbackFailed } = receipt
      if (callbackFailed === undefined || receipt.etag !== '') return receipt
      // An error that does not say what was stored: the object does.
      const found = await lookForObject(input)
      if (found !== undefined) return { ...found, callbackFailed }
      if (callbackFailed.status === 203) return receipt
      throw unknown(input, callbackFailed, sent)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StoreError)) throw error
      if (error.kind === 'invalid-part') {
        throw new CompleteRefusal('parts', error)
      }
      if (error.kind === 'too-small') throw new CompleteRefusal('size', error)
      if (isAmbiguous(error.kind)) {
        const found = await lookForObject(input)
        if (found !== undefined) return found
        if (error.kind === 'exists') {
          throw requests.describe(error, context, sent)
        }
        await mustStillBeListed(input, error, sent)
      }
      // The object was looked for: what could not be understood is asked again.
      const before = error.kind === 'response' ? undefined : previous
      const decision = requests.decide(error, { attempt, previous: before })
      if (!decision.retry) {
        throw isAmbiguous(error.kind)
          ? unknown(input, error, sent)
          : requests.describe(error, context, sent)
      }
      if (decision.countsAttempt) attempt++
      previous = error
      await requests.pause(context, sent, decision.delay, error)
    }
  }
}

/**
 * Some servers ignore the condition on Complete (Ceph) and would replace the
 * object. Between this look and Complete only the server can keep it.
 */
async function mustNotExist({
  settings,
  requests,
  uploadId,
  signal,
}: CompleteInput): Promise<void> {
  const { key } = settings
  if ((await headObject(requests, settings, signal)) === undefined) return
  throw new UploadError(
    'PAWL_ALREADY_EXISTS',
    `there is an object ${JSON.stringify(key)} already, and forbidOverwrite is set, so the upload was not completed; its parts are kept`,
    { key, uploadId, resumable: true },
  )
}

/** The object, when it is there and ours. */
async function lookForObject(
  input: CompleteInput,
): Promise<ObjectReceipt | undefined> {
  const { settings, requests, parts, size, crc64, signal } = input
  const head = await headObject(requests, settings, signal)
  if (head === undefined) return undefined
  const etags = parts.map(({ etag }) => etag)
  return isThatObject(head, { size, crc64, etags }) ? head : undefined
}

async function mustStillBeListed(
  input: CompleteInput,
  error: StoreError,
  attempt: number,
): Promise<void> {
  const { settings, requests, uploadId, signal } = input
  const listed = await listAllParts(requests, settings, uploadId, signal)
  if (listed !== 'gone') return
  // The first answer said so, and nothing of ours can have completed it.
  if (attempt === 1 && error.kind === 'no-upload') {
    throw new CompleteRefusal('gone', error)
  }
  throw unknown(input, error, attempt)
}

function unknown(
  { settings, uploadId }: CompleteInput,
  cause: StoreError,
  attempts: number,
): UploadError {
  return new UploadError(
    'PAWL_COMPLETE_UNKNOWN',
    `it is not known whether the object was completed: the last answer was "${cause.message}", the upload is gone or does not complete, and what is stored under the key is not provably this upload; the checkpoint is kept, run the same call again`,
    {
      ...answerOf(cause),
      key: settings.key,
      uploadId,
      attempts,
      resumable: true,
    },
  )
}

/** Why a part is dropped; for the second time in a row it is somebody's doing. */
const notAsSent = 'not-as-sent'

/** The error to end the run with. */
export async function refusedComplete(
  context: RunContext,
  upload: CurrentUpload,
  uploadId: string,
  parts: readonly (CompletedPart & { size: number })[],
  refusal: CompleteRefusal,
): Promise<UploadError> {
  const { log, settings, requests, completeSignal } = context
  const { cause } = refusal
  const { key } = settings
  const fields = { ...answerOf(cause), key, uploadId, resumable: true }
  if (refusal.because === 'gone') {
    return upload.lose(uploadId, cause)
  }
  if (refusal.because === 'size') {
    await log.append({ type: 'void', uploadId, reason: 'part-size' })
    return new UploadError(
      'PAWL_COMPLETE_REFUSED',
      `the server refused to complete the upload, since a part is too small for it: ${cause.message}; run the same call again with larger parts`,
      fields,
    )
  }
  const listed = await listAllParts(
    requests,
    settings,
    uploadId,
    completeSignal,
  )
  const wrong =
    listed === 'gone' || listed === 'refused'
      ? []
      : parts.filter(({ partNumber, etag, size }) => {
          const there = listed.get(partNumber)
          return (
            there === undefined ||
            there.size !== size ||
            !sameEtag(there.etag, etag)
          )
        })
  if (wrong.length === 0) {
    await log.append({ type: 'void', uploadId, reason: 'complete-refused' })
    return new UploadError(
      'PAWL_COMPLETE_REFUSED',
      `the server refused to complete the upload: ${cause.message}; what is stored cannot be told apart from what was sent, so the next run starts over`,
      fields,
    )
  }
  const before = log.state.upload
  const isContended =
    before?.uploadId === uploadId &&
    wrong.some(({ partNumber }) => before.drops.get(partNumber) === notAsSent)
  await log.append(
    ...wrong.map(({ partNumber: number }) => ({
      type: 'drop' as const,
      number,
      reason: notAsSent,
    })),
  )
  const numbers = wrong.map(({ partNumber }) => partNumber).join(', ')
  return isContended
    ? new UploadError(
        'PAWL_UPLOAD_CONTENDED',
        `parts ${numbers} were replaced on the server again: somebody else sends parts to the same upload, perhaps from a copy of the same checkpoint; let one of them finish, or discard()`,
        fields,
      )
    : new UploadError(
        'PAWL_COMPLETE_REFUSED',
        `parts ${numbers} on the server are not the ones that were sent; run the same call again to send them once more`,
        fields,
      )
}
