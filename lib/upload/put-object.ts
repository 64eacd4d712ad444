/**
 * One PutObject for a source that is shorter than a part.
 *
 * Its record in the log says what was about to be put. A lost answer is cleared
 * up by looking: the same bytes under the key are success. Where overwriting is
 * forbidden that is also how a PUT of our own, repeated, is told from somebody
 * else's object.
 */
import { UploadError } from '../errors.js'
import type { ObjectReceipt } from '../store/object-store.js'
import { headObject } from './complete.js'
import { isMd5Etag, sameEtag } from './etag.js'
import type { PartCheck } from '../checkpoint/record.js'
import type { PartContent } from './part-content.js'
import { tracePut } from './part-trace.js'
import type { RunContext } from './run-context.js'

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
  const { settings, log, sender, completeSignal, progress, emit } = context
  const { store, key, object } = settings
  const { size } = content
  const md5 = Buffer.from(await content.digest('md5'), 'base64').toString('hex')
  await log.append({
    type: 'completing',
    put: true,
    size,
    md5,
  })
  context.signal.throwIfAborted()
  try {
    const { receipt, check, attempts } = await sender.send(
      content,
      { what: 'PutObject', signal: completeSignal },
      (request, call) => store.putObject({ ...request, key, object }, call),
    )
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
  } catch (error) {
    if (!(error instanceof UploadError) || !isAmbiguous(error)) throw error
    const isFirstTry =
      error.attempts === 1 && log.state?.put?.completing?.md5 !== md5
    if (error.code === 'PAWL_ALREADY_EXISTS' && isFirstTry) throw error
    completeSignal.throwIfAborted()
    const found = await headObject(
      context.requests,
      settings,
      completeSignal,
    ).catch((second: unknown) => {
      if (second instanceof UploadError) return undefined
      throw second
    })
    if (
      found !== undefined &&
      found.size === size &&
      isMd5Etag(found.etag) &&
      sameEtag(found.etag, md5)
    ) {
      const { attempts = 1 } = error
      return { receipt: found, check: 'md5', attempts }
    }
    throw error
  }
}

/** An answer was lost, or says that the object is there already. */
function isAmbiguous({ code }: UploadError): boolean {
  switch (code) {
    case 'PAWL_NETWORK':
    case 'PAWL_TIMEOUT':
    case 'PAWL_SERVER':
    case 'PAWL_RESPONSE':
    case 'PAWL_ALREADY_EXISTS':
      return true
    default:
      return false
  }
}
