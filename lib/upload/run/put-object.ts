/**
 * One PutObject for a source that is shorter than a part.
 *
 * Its record in the log says what was about to be put. After a lost answer the
 * key is looked at before anything is sent again: the same bytes there are
 * success, and a repeated PUT would replace what somebody else has put since,
 * make a second version, or a second callback. Where overwriting is forbidden
 * that is also how a PUT of our own, repeated, is told from somebody else's
 * object.
 */
import type { PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type {
  Call,
  ObjectHead,
  ObjectReceipt,
} from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { headObject, isRefusedLook } from '../calls/look.js'
import { isAmbiguous, kindOf } from '../calls/requests.js'
import type { Sent } from '../calls/send.js'
import type { UploadSettings } from '../options/settings.js'
import { type Expected, md5Hex, proofOf } from '../rules/proof.js'
import type { RunContext } from './context.js'
import { tracePut } from './trace.js'
import type { PartContent } from '../source/part-content.js'

const noEtag = new StoreError('the answer has no ETag.', { kind: 'response' })

interface Put {
  receipt: ObjectReceipt
  check: PartCheck
  /** Requests made for it. */
  attempts: number
}

export async function putWholeObject(
  context: RunContext,
  content: PartContent,
): Promise<Put> {
  const { size } = content
  const put = (): Promise<Put> => putWhole(context, content)
  return size === 0 ? put() : tracePut(context.settings.key, size, put)
}

async function putWhole(
  context: RunContext,
  content: PartContent,
): Promise<Put> {
  const { settings, log, progress, emit } = context
  const { crc } = settings
  const { size } = content
  const md5 = md5Hex(await content.digest('md5'))
  const crc64 = crc.isWanted ? await content.digest(crc.variant) : undefined
  const expected: Expected = { size, md5, crc64 }
  // An earlier run may have put these very bytes, unheard.
  const wasPut = log.state.put?.completing?.md5 === md5
  await log.append({
    type: 'completing',
    put: true,
    size,
    md5,
  })
  context.signal.throwIfAborted()
  const put = await putOrFind(context, content, expected, wasPut)
  const { receipt, check, attempts } = await confirm(context, expected, put)
  progress.stored(size)
  if (size > 0) {
    emit('part', {
      partNumber: 1,
      offset: 0,
      size,
      etag: receipt.etag,
      reused: false,
      attempts,
    })
  }
  return { receipt, check, attempts }
}

async function putOrFind(
  context: RunContext,
  content: PartContent,
  expected: Expected,
  wasPut: boolean,
): Promise<Put> {
  const { completeSignal } = context
  try {
    return await sendLooking(context, content, expected)
  } catch (error) {
    const kind = kindOf(error)
    if (!(error instanceof UploadError) || !isAmbiguous(kind)) throw error
    const { attempts = 1 } = error
    const isFirstTry = attempts === 1 && !wasPut
    if (kind === 'exists' && isFirstTry) throw error
    completeSignal.throwIfAborted()
    const found = await lookAgain(context, expected).catch(
      (second: unknown) => {
        if (second instanceof UploadError) return undefined
        throw second
      },
    )
    if (found === undefined) throw error
    return { ...found, attempts }
  }
}

/** PUT, tried again; between two of them the object is looked for. */
async function sendLooking(
  { settings, sender, completeSignal }: RunContext,
  content: PartContent,
  expected: Expected,
): Promise<Sent<ObjectReceipt>> {
  const { store, key, object } = settings
  let mustLook = false
  return sender.send(
    content,
    { what: 'PutObject', signal: completeSignal },
    async (request, call) => {
      if (mustLook) {
        const head = await lookOnce(settings, call)
        if (head !== undefined && proofOf(head, expected) !== undefined) {
          return head
        }
      }
      mustLook = false
      try {
        return await store.putObject({ ...request, key, object }, call)
      } catch (error) {
        mustLook = isAmbiguous(kindOf(error))
        throw error
      }
    },
  )
}

/** One HEAD, as part of an attempt. Who may only write does not see anything. */
async function lookOnce(
  { store, key }: UploadSettings,
  call: Call,
): Promise<ObjectHead | undefined> {
  try {
    return await store.headObject(key, call)
  } catch (error) {
    if (isRefusedLook(error)) return undefined
    throw error
  }
}

/** HEAD, tried again as any other call. */
async function lookAgain(
  { requests, settings, completeSignal }: RunContext,
  expected: Expected,
): Promise<Pick<Put, 'receipt' | 'check'> | undefined> {
  const receipt = await headObject(requests, settings, completeSignal)
  const check = receipt && proofOf(receipt, expected)
  return receipt === undefined || check === undefined
    ? undefined
    : { receipt, check }
}

/**
 * An answer that does not say what was stored, as after a failed callback: the
 * object does. Under 203 the server has said that it is there; any other success
 * without an ETag is not a store's.
 */
async function confirm(
  context: RunContext,
  expected: Expected,
  put: Put,
): Promise<Put> {
  const { callbackFailed, callbackBody, etag } = put.receipt
  if (etag !== '') return put
  const found = await lookAgain(context, expected)
  if (found !== undefined) {
    const { receipt, check } = found
    return { ...put, receipt: { ...put.receipt, ...receipt }, check }
  }
  if (callbackFailed?.status === 203 || callbackBody !== undefined) return put
  const { requests } = context
  throw requests.describe(
    callbackFailed ?? noEtag,
    { what: 'PutObject' },
    put.attempts,
  )
}
