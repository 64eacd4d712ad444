/**
 * One PutObject for a source that is shorter than a part.
 *
 * Its record in the log says what was about to be put. Once it may have happened, of
 * this run or of an earlier one, every failure is looked at before it is believed, and
 * nothing is sent again before a look: a repeated PUT would replace what somebody else
 * has put since, make a second version, or a second callback.
 */
import type { CompletingPutRecord, PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import { bareEtag } from '../../store/etag.js'
import type { Call, ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { isRefusedLook, lookAt, saysStored } from '../calls/look.js'
import { kindOf, mayHaveHappened, refusesMark } from '../calls/requests.js'
import { Doubt } from '../rules/completing.js'
import { afterPut, noObject, type SeenPut, seenPut } from '../rules/outcome.js'
import {
  confirmedBy,
  type ExpectedObject,
  expectedPut,
  type Found,
  isOwn,
  whose,
} from '../rules/proof.js'
import type { PartContent } from '../source/part-content.js'
import { sightBefore } from './clean-up.js'
import type { RunContext } from './context.js'
import { mustMayReplace, putNotKnown, putUndecided } from './errors.js'
import { tracePut } from './trace.js'

const isThere = new StoreError('there is an object already.', {
  kind: 'exists',
})
const noEtag = new StoreError('the answer has no ETag.', { kind: 'response' })

/** What tells the bytes from others. */
type PutBytes = Pick<CompletingPutRecord, 'size' | 'crc64' | 'md5'>

interface Put {
  receipt: ObjectReceipt
  check: PartCheck
  /** Requests made for it. */
  attempts: number
}

/** First the object of an earlier run is looked for that may have put these very bytes. */
export async function putWholeObject(
  context: RunContext,
  content: PartContent,
  bytes: PutBytes,
): Promise<Put> {
  const { size } = content
  const put = (): Promise<Put> =>
    new Putting(context, content, bytes).run(bytes)
  return size === 0 ? put() : tracePut(context.settings.key, size, put)
}

class Putting {
  readonly #context: RunContext
  readonly #content: PartContent
  readonly #earlier: CompletingPutRecord | undefined
  readonly #doubt: Doubt
  /** What the PUTs of this run were answered with. */
  readonly #etags = new Set<string>()

  constructor(context: RunContext, content: PartContent, bytes: PutBytes) {
    this.#context = context
    this.#content = content
    this.#earlier = unheard(context, bytes)
    const isUnsure = this.#earlier !== undefined
    this.#doubt = new Doubt({ isOpen: false, isUnsure })
  }

  async run(bytes: PutBytes): Promise<Put> {
    const { settings, tally, emit } = this.#context
    if (this.#earlier === undefined) await this.#mustBeFree()
    const made = this.#earlier && (await this.#madeBy(this.#earlier))
    if (made === undefined && settings.hasNoRoomForMark) {
      emit('unmarked', { reason: 'no-room' })
    }
    // The same mark as before: that put may have happened unseen.
    const mark = this.#earlier?.mark ?? settings.environment.id()
    const put =
      made ?? (await this.#put(bytes, settings.mark ? mark : undefined))
    const { size } = bytes
    if (size > 0) {
      const whole = { partNumber: 1, offset: 0, size }
      tally.sent(whole, put.receipt.etag, put.attempts)
    }
    return put
  }

  /** An earlier PutObject's object, left to the bytes when the log was opened: others. */
  async #mustBeFree(): Promise<void> {
    const { log, requests, settings } = this.#context
    if (!this.#mayPutOnce || log.state.put?.completing === undefined) return
    const found = await lookAt(requests, settings)
    this.#mayReplace(typeof found === 'object')
  }

  /** Where the condition is ignored, a PutObject replaces another's object. */
  #mayReplace(isThere: boolean): void {
    if (isThere) mustMayReplace(this.#context.settings, 'another')
  }

  /** The object of an earlier run's put, if it is there. */
  async #madeBy(earlier: CompletingPutRecord): Promise<Put | undefined> {
    const expected = this.#expected(earlier)
    const { found, made, isDoubtful } = await this.#look(expected)
    // Put again it could be found out; where it may not be, nothing is sent.
    if (isDoubtful && this.#mayPutOnce) throw putUndecided(this.#key, found)
    if (made === undefined) {
      // Another's, whatever mark was copied to it.
      this.#mayReplace(typeof found === 'object')
      return undefined
    }
    const check = confirmedBy(made, expected)
    return this.#confirmed({ receipt: made, check, attempts: 0 }, expected)
  }

  async #put(bytes: PutBytes, mark: string | undefined): Promise<Put> {
    const { signal, emit, settings } = this.#context
    const expected = this.#expected(await this.#announce(bytes, mark))
    signal.throwIfAborted()
    try {
      const put = await this.#send(expected, mark)
      return await this.#confirmed(put, expected)
    } catch (error) {
      const isForMark = refusesMark(error, mark, settings.object)
      if (!isForMark || this.#doubt.isOpen) throw error
    }
    const put = await this.#put(bytes, undefined)
    emit('unmarked', { reason: 'refused' })
    return put
  }

  /** A PutObject is about to be sent. */
  async #announce(
    bytes: PutBytes,
    mark: string | undefined,
  ): Promise<CompletingPutRecord> {
    const { log, settings } = this.#context
    const before = await sightBefore(this.#context, mark)
    // An object has come since the run looked.
    this.#mayReplace(before !== undefined && before.etag !== '')
    // Another run is to know it again, if there can be one.
    const sentDigest = log.isKept ? settings.digests.put : undefined
    const fields = { mark, before, sentDigest, ...bytes }
    const record = { type: 'completing', put: true, ...fields } as const
    await log.append(record)
    return record
  }

  /** PUT, tried again; what it failed with is looked at, when it may have happened. */
  async #send(
    expected: ExpectedObject,
    mark: string | undefined,
  ): Promise<Put> {
    const { completeSignal, log, settings } = this.#context
    try {
      return await this.#sendAll(expected, mark)
    } catch (error) {
      const { isOpen, isUnsure } = this.#doubt
      if (!(error instanceof UploadError) || !isOpen) throw error
      completeSignal.throwIfAborted()
      const seen = await this.#look(expected).catch((second: unknown) => {
        if (second instanceof UploadError) return noObject('refused')
        throw second
      })
      const come = afterPut({ kind: kindOf(error), isUnsure }, seen)
      if (typeof come === 'object') {
        const check = confirmedBy(come, expected)
        return { receipt: come, check, attempts: error.attempts ?? 1 }
      }
      if (come !== 'believe') log.noteUnheard()
      if (come === 'unknown') throw putNotKnown(error, settings)
      if (come !== 'undecided') throw error
      throw putUndecided(settings.key, seen.found, error)
    }
  }

  /** PUT, tried again; once it may have happened the object is looked for first. */
  #sendAll(expected: ExpectedObject, mark: string | undefined): Promise<Put> {
    const { settings, sender, completeSignal, log } = this.#context
    const { store, key, object } = settings
    let mustLook = false
    return sender.send(
      this.#content,
      { what: 'PutObject', signal: completeSignal },
      async (request, call): Promise<ObjectReceipt> => {
        if (mustLook) {
          const found = await this.#lookOnce(call)
          if (typeof found === 'object') {
            const seen = whose(found, expected, settings.facts)
            if (isOwn(seen, { isListed: false })) return found
            // Some servers ignore the condition, and would replace it.
            if (this.#mayPutOnce) throw isThere
          }
        }
        mustLook = false
        // A PutObject has no upload that could be ended: the log alone is held.
        await log.confirm()
        try {
          const put = { key, object, mark, ...request }
          const receipt = await store.putObject(put, call)
          // The answer tells of other bytes than were sent: it is there, and is put again.
          this.#doubt.hear(undefined, true)
          this.#etags.add(bareEtag(receipt.etag))
          return receipt
        } catch (error) {
          this.#doubt.hear(kindOf(error), mayHaveHappened(error))
          mustLook = this.#doubt.isOpen
          throw error
        }
      },
      { withMd5: expected.etag !== undefined },
    )
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

  /** HEAD, tried again as any other call. */
  async #look(expected: ExpectedObject): Promise<SeenPut> {
    const { requests, settings, completeSignal: signal } = this.#context
    const found = await lookAt(requests, settings, { signal })
    return seenPut(found, expected, settings.facts, this.#etags)
  }

  /**
   * Where an answer has no ETag, as after a failed callback, the object says what was
   * stored. Under 203 it is there; any other success without an ETag is not a store's.
   */
  async #confirmed(put: Put, expected: ExpectedObject): Promise<Put> {
    const { callbackFailed, callbackBody, etag } = put.receipt
    if (etag !== '') return put
    const { made } = await this.#look(expected)
    if (made !== undefined) {
      const receipt = { ...put.receipt, ...made }
      return { ...put, receipt, check: confirmedBy(made, expected) }
    }
    const isStored = callbackFailed !== undefined && saysStored(callbackFailed)
    if (isStored || callbackBody !== undefined) return put
    const { requests, log } = this.#context
    log.noteUnheard()
    const { attempts } = put
    const failure = callbackFailed ?? noEtag
    throw requests.describe(failure, { what: 'PutObject' }, { attempts })
  }

  /** Without `verify` no ETag is compared. */
  #expected(completing: CompletingPutRecord): ExpectedObject {
    const isBinding = this.#context.settings.verify !== false
    return expectedPut(completing, { isBinding })
  }

  get #key(): string {
    return this.#context.settings.key
  }

  get #mayPutOnce(): boolean {
    return this.#context.settings.object.forbidOverwrite === true
  }
}

/** What an earlier run has put or not, unheard: these bytes with these options. */
function unheard(
  { log, settings }: RunContext,
  bytes: PutBytes,
): CompletingPutRecord | undefined {
  const { completing, isTold } = log.state.put ?? {}
  if (completing === undefined || isTold === true) return undefined
  const isAlike = completing.sentDigest === settings.digests.put
  return isAlike && areSame(completing, bytes) ? completing : undefined
}

/** By their MD5, or by their CRC-64 where one of the runs had no MD5. */
function areSame(one: PutBytes, other: PutBytes): boolean {
  if (one.size !== other.size) return false
  if (one.md5 !== undefined && other.md5 !== undefined) {
    return one.md5 === other.md5
  }
  return one.crc64 !== undefined && one.crc64 === other.crc64
}
