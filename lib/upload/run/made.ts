/** Holds what a Complete has made against what it was to make. */
import type { PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { ObjectReceipt } from '../../store/object-store.js'
import { lookAt } from '../calls/look.js'
import { madeObject, needsLook } from '../rules/made.js'
import type { ExpectedObject } from '../rules/proof.js'
import type { RunContext } from './context.js'
import { completedByOther } from './errors.js'
import { givenUp } from './log.js'

export interface MadeObject {
  receipt: ObjectReceipt
  check: PartCheck
  /** Whether it is under the key; undefined where that is no question. */
  current: boolean | undefined
}

/**
 * After a 200 to Complete. Rejects when the object is not what was sent, or another
 * run's of the same upload; the log says then that the upload has become an object,
 * and the next run begins anew.
 */
export async function mustBeAsSent(
  context: RunContext,
  answer: ObjectReceipt,
  expected: ExpectedObject,
  uploadId: string,
): Promise<MadeObject> {
  const { settings, requests, log, completeSignal: signal } = context
  const { key, store: objects } = settings
  const facts = settings.environment.facts.of(objects)
  const store = {
    ordersByInitiate: objects.precedence === 'initiate',
    dropsMarks: facts.dropsMarks,
  }
  const found = needsLook(answer, expected, store)
    ? await lookAt(requests, settings, { signal })
    : undefined
  const made = madeObject(answer, found, expected, store)
  const { receipt, check, current } = made
  if (made.dropsMarks) facts.dropsMarks = true
  if (check === 'others') {
    await log.append(...givenUp(uploadId, 'contended', 'object'))
    throw completedByOther(key, uploadId)
  }
  if (check !== 'wrong') return { receipt, check, current }
  await log.append(...givenUp(uploadId, 'object-damaged', 'object'))
  throw new UploadError(
    'PAWL_VERIFY_FAILED',
    `the object was completed, but is not what was sent: the server says CRC-64 ${receipt.crc64 ?? 'nothing'} and ETag ${receipt.etag}, expected CRC-64 ${expected.crc64 ?? 'unknown'} and ETag ${expected.etag?.value ?? 'unknown'}; run the same call again to upload everything anew`,
    { key, uploadId, completed: true },
  )
}
