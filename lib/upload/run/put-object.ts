/**
 * One PutObject for a source that is shorter than a part.
 *
 * Its record in the log says what was about to be put. After a first answer that
 * was lost, of this run or of an earlier one, every later failure is looked at
 * before it is believed, and nothing is sent again before a look: our object
 * there is success, and a repeated PUT would replace what somebody else has put
 * since, make a second version, or a second callback.
 */
import { hasMd5 } from '../../hash/md5.js'
import type { CompletingPutRecord, PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { Call, ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { isRefusedLook, lookAt, saysStored } from '../calls/look.js'
import { kindOf, mayHaveHappened, refusesMetadata } from '../calls/requests.js'
import {
  bareEtag,
  checkObject,
  type ExpectedObject,
  expectedPut,
  type Found,
  isDoubtful,
  md5Hex,
  whose,
} from '../rules/proof.js'
import type { PartContent } from '../source/part-content.js'
import { sightBefore } from './clean-up.js'
import type { RunContext } from './context.js'
import { alreadyThere, whatNext } from './errors.js'
import { tracePut } from './trace.js'

const isThere = new StoreError('there is an object already.', {
  kind: 'exists',
})
const noEtag = new StoreError('the answer has no ETag.', { kind: 'response' })

interface Put {
  receipt: ObjectReceipt
  check: PartCheck
  /** Requests made for it. */
  attempts: number
}

/** What is under the key, and what that says of the put when it is ours. */
interface Looked {
  found: Found
  put:
    (Pick<Put, 'receipt' | 'check'> & { mark?: string | undefined }) | undefined
  /** It may be ours, and nothing shows whether it is. */
  isDoubtful: boolean
}

/** Whoever could not look knows as much as who may not. */
const nothingSeen: Looked = {
  found: 'refused',
  put: undefined,
  isDoubtful: false,
}

/** First the object of an earlier run is looked for that may have put these very bytes. */
export async function putWholeObject(
  context: RunContext,
  content: PartContent,
): Promise<Put> {
  const { size } = content
  const put = (): Promise<Put> => new Putting(context, content).run()
  return size === 0 ? put() : tracePut(context.settings.key, size, put)
}

class Putting {
  readonly #context: RunContext
  readonly #content: PartContent
  /** The object may be there, whatever the next answer says. */
  #isOpen = false
  /** An answer was lost: the object may be ours, and not only because one is there. */
  #isUnsure = false
  /** What the PUTs of this run were answered with. */
  readonly #etags = new Set<string>()

  constructor(context: RunContext, content: PartContent) {
    this.#context = context
    this.#content = content
  }

  async run(): Promise<Put> {
    const { settings, progress, emit, signal } = this.#context
    const { size } = this.#content
    const { crc, environment } = settings
    const md5 = hasMd5() ? md5Hex(await this.#content.digest('md5')) : undefined
    const crc64 = crc.isWanted
      ? await this.#content.digest(crc.variant)
      : undefined
    const earlier = this.#earlier({ size, crc64, md5 })
    // The same put by its mark too: the one before may have happened unseen.
    const mark = settings.mark ? (earlier?.mark ?? environment.id()) : undefined
    this.#isUnsure = earlier !== undefined
    const claimed = earlier && (await this.#claim(earlier))
    if (claimed === undefined) {
      if (settings.hasNoRoomForMark) emit('unmarked', { reason: 'no-room' })
      await this.#announce({ size, crc64, md5 }, mark)
    }
    signal.throwIfAborted()
    const put = claimed ?? (await this.#put(this.#announced()))
    const confirmed = await this.#confirm(
      this.#expected(this.#announced()),
      put,
    )
    progress.stored(size)
    const { receipt, attempts } = confirmed
    if (size > 0) {
      const { etag } = receipt
      const where = { partNumber: 1, offset: 0, size }
      emit('part', { ...where, etag, reused: false, attempts })
    }
    return confirmed
  }

  /** A PutObject is about to be sent. */
  async #announce(bytes: PutBytes, mark: string | undefined): Promise<void> {
    const { log, settings } = this.#context
    const before = await sightBefore(this.#context, mark)
    // It has come since the run looked, and some servers would replace it.
    const isTaken = before !== undefined && before.etag !== ''
    if (isTaken && this.#mayPutOnce) throw alreadyThere(settings.key, 'another')
    // Another run is to know it again, if there can be one.
    const sentDigest = log.isKept ? settings.digests.put : undefined
    const fields = { ...bytes, mark, before, sentDigest }
    await log.append({ type: 'completing', put: true, ...fields })
  }

  #announced(): CompletingPutRecord {
    const { completing } = this.#context.log.state.put ?? {}
    if (completing === undefined) throw new Error('a put without its record')
    return completing
  }

  /** What an earlier run has put or not, unheard: these bytes with these options. */
  #earlier(bytes: PutBytes): CompletingPutRecord | undefined {
    const { log, settings } = this.#context
    const { put } = log.state
    const earlier = put?.completing
    if (earlier === undefined || put?.isTold === true) return undefined
    if (!areSame(earlier, bytes)) return undefined
    return earlier.sentDigest === settings.digests.put ? earlier : undefined
  }

  /** Its object, if it is there. */
  async #claim(earlier: CompletingPutRecord): Promise<Put | undefined> {
    const { found, put, isDoubtful } = await this.#lookAgain(
      this.#expected(earlier),
    )
    // Put again it could be found out; where it may not be, nothing is sent.
    if (isDoubtful && this.#mayPutOnce) throw this.#undecided(found)
    return put === undefined ? undefined : { ...put, attempts: 0 }
  }

  #expected(completing: CompletingPutRecord): ExpectedObject {
    const isBinding = this.#context.settings.verify !== false
    return expectedPut(completing, { isBinding })
  }

  get #mayPutOnce(): boolean {
    return this.#context.settings.object.forbidOverwrite === true
  }

  async #put(announced: CompletingPutRecord): Promise<Put> {
    const { completeSignal, log, settings, emit } = this.#context
    const { size, crc64, md5, mark } = announced
    const expected = this.#expected(announced)
    try {
      const { receipt, check, attempts } = await this.#send(expected, mark)
      return { receipt, check, attempts }
    } catch (error) {
      const isForMark = mark !== undefined && !this.#isOpen
      // A server that takes no metadata: once more without.
      if (isForMark && refusesMetadata(error, settings.object)) {
        await this.#announce({ size, crc64, md5 }, undefined)
        const put = await this.#put(this.#announced())
        emit('unmarked', { reason: 'refused' })
        return put
      }
      if (!(error instanceof UploadError) || !this.#isOpen) throw error
      completeSignal.throwIfAborted()
      const { found, put, isDoubtful } = await this.#lookAgain(expected).catch(
        (second: unknown) => {
          if (second instanceof UploadError) return nothingSeen
          throw second
        },
      )
      // Refused since an object is there: no further PUT can tell whose.
      const isExists = kindOf(error) === 'exists'
      // Refused at once, equal bytes are another's; our mark alone is ours.
      const isEqual = isExists && !this.#isUnsure && put?.mark === undefined
      if (put !== undefined && !isEqual) {
        const { receipt, check } = put
        return { receipt, check, attempts: error.attempts ?? 1 }
      }
      const isCertain = !this.#isUnsure || typeof found === 'object'
      if (isExists && isCertain && !isDoubtful) throw error
      log.hasUnheard()
      if (isExists && isDoubtful) throw this.#undecided(found, error)
      throw isExists ? this.#unknown(error) : error
    }
  }

  /** Refused for an object that may be the one of an attempt before. */
  #unknown(cause: UploadError): UploadError {
    const { key, isResumable } = this.#context.settings
    const { status, serverCode, requestId, attempts, elapsed } = cause
    return new UploadError(
      'PAWL_COMPLETE_UNKNOWN',
      `it is not known whether the object was put: the last answer was "${cause.message}", and the object under the key could not be looked at; ${whatNext(isResumable)}`,
      {
        status,
        serverCode,
        requestId,
        attempts,
        elapsed,
        key,
        cause,
        transient: true,
      },
    )
  }

  /** Looking again would show the same. */
  #undecided(found: Found, cause?: UploadError): UploadError {
    const { key } = this.#context.settings
    const etag = typeof found === 'object' ? found.etag : ''
    return new UploadError(
      'PAWL_COMPLETE_UNKNOWN',
      `it is not known whether the object under the key is the one that was put: it has this upload's mark and size, but its ETag ${etag} is not the MD5 of these bytes, and nothing shows whether this store's ETags are MD5s; where they are none, verify: false takes it by its mark, otherwise it was rewritten since`,
      {
        key,
        attempts: cause?.attempts,
        elapsed: cause?.elapsed,
        cause,
      },
    )
  }

  /** PUT, tried again; once it may have happened the object is looked for first. */
  #send(expected: ExpectedObject, mark: string | undefined) {
    const { settings, sender, completeSignal, log } = this.#context
    const { store, key, object } = settings
    let mustLook = false
    return sender.send(
      this.#content,
      { what: 'PutObject', signal: completeSignal },
      async (request, call): Promise<ObjectReceipt> => {
        if (mustLook) {
          const found = await this.#lookOnce(call)
          if (typeof found === 'object' && this.#isOurs(found, expected)) {
            return found
          }
          // Some servers ignore the condition, and would replace it.
          if (typeof found === 'object' && this.#mayPutOnce) throw isThere
        }
        mustLook = false
        // A PutObject has no upload that could be ended: the log alone is held.
        await log.confirm()
        try {
          const put = { ...request, key, object, mark }
          const receipt = await store.putObject(put, call)
          // The answer tells of other bytes than were sent: it is there, and is put again.
          this.#isOpen = true
          this.#isUnsure = true
          this.#etags.add(bareEtag(receipt.etag))
          return receipt
        } catch (error) {
          if (mayHaveHappened(error)) this.#isOpen = true
          if (this.#isOpen && kindOf(error) !== 'exists') this.#isUnsure = true
          mustLook = this.#isOpen
          throw error
        }
      },
      { withMd5: true },
    )
  }

  #isOurs(found: Found, expected: ExpectedObject): boolean {
    const { environment, store } = this.#context.settings
    const facts = environment.facts.of(store)
    const is = whose(found, expected, facts)
    return is === 'ours' || is === 'equal'
  }

  /** One HEAD, as part of an attempt. */
  async #lookOnce(call: Call): Promise<Found> {
    const { store, key } = this.#context.settings
    try {
      return (await store.headObject(key, call)) ?? 'absent'
    } catch (error) {
      // What has ended the run is no answer to this.
      call.signal.throwIfAborted()
      if (isRefusedLook(error)) return 'refused'
      throw error
    }
  }

  /** HEAD, tried again as any other call; no `put` when the object is not ours. */
  async #lookAgain(expected: ExpectedObject): Promise<Looked> {
    const { requests, settings, completeSignal: signal } = this.#context
    const found = await lookAt(requests, settings, { signal })
    const facts = settings.environment.facts.of(settings.store)
    const isInDoubt = isDoubtful(found, expected, facts)
    // What the answer to a PUT has named is what that has made.
    const isAnswered =
      typeof found === 'object' && this.#etags.has(bareEtag(found.etag))
    const isOurs = this.#isOurs(found, expected) || (isInDoubt && isAnswered)
    if (typeof found !== 'object' || !isOurs) {
      return { found, put: undefined, isDoubtful: isInDoubt }
    }
    const verdict = checkObject(found, expected)
    const check = verdict === 'wrong' ? 'none' : verdict
    const put = { receipt: found, check, mark: found.mark }
    return { found, put, isDoubtful: false }
  }

  /**
   * An answer that does not say what was stored, as after a failed callback: the
   * object does. Under 203 the server has said that it is there; any other success
   * without an ETag is not a store's.
   */
  async #confirm(expected: ExpectedObject, put: Put): Promise<Put> {
    const { callbackFailed, callbackBody, etag } = put.receipt
    if (etag !== '') return put
    const looked = await this.#lookAgain(expected)
    if (looked.put !== undefined) {
      const { receipt, check } = looked.put
      return { ...put, receipt: { ...put.receipt, ...receipt }, check }
    }
    const isStored = callbackFailed !== undefined && saysStored(callbackFailed)
    if (isStored || callbackBody !== undefined) return put
    const { requests } = this.#context
    this.#context.log.hasUnheard()
    throw requests.describe(
      callbackFailed ?? noEtag,
      { what: 'PutObject' },
      { attempts: put.attempts },
    )
  }
}

type PutBytes = Pick<CompletingPutRecord, 'size' | 'crc64' | 'md5'>

/** By their MD5, or by their CRC-64 where one of the runs had no MD5. */
function areSame(one: PutBytes, other: PutBytes): boolean {
  if (one.size !== other.size) return false
  if (one.md5 !== undefined && other.md5 !== undefined) {
    return one.md5 === other.md5
  }
  return one.crc64 !== undefined && one.crc64 === other.crc64
}
