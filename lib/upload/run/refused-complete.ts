/**
 * A Complete that was refused for good: the cure goes into the log before the
 * failure is told, so that no log fails for ever.
 */
import { UploadError } from '../../errors.js'
import type { CompletedPart } from '../../store/object-store.js'
import { answerOf } from '../../store/store-error.js'
import type { CompleteRefusal } from './complete.js'
import { sameEtag } from '../rules/proof.js'
import { givenUp } from './given-up.js'
import { listAllParts } from '../calls/look.js'
import type { RunContext } from './context.js'

/** Why a part is dropped; for the second time in a row it is somebody's doing. */
const notAsSent = 'not-as-sent'

/** The error to end the run with. */
export async function refusedComplete(
  context: RunContext,
  uploadId: string,
  parts: readonly (CompletedPart & { size: number })[],
  refusal: CompleteRefusal,
): Promise<UploadError> {
  const { log, settings, requests, completeSignal } = context
  const { cause } = refusal
  const { key } = settings
  const fields = { ...answerOf(cause), key, uploadId, resumable: true }
  if (refusal.because === 'gone') {
    await log.append(...givenUp(uploadId, 'upload-gone', true))
    return new UploadError(
      'PAWL_UPLOAD_GONE',
      'the upload is no longer on the server (aborted by somebody else, or by a lifecycle rule); run the same call again to start over',
      fields,
    )
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
  const before = log.state?.upload
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
