/**
 * One PutObject for a source that is shorter than a part.
 *
 * Its record in the log says what was about to be put. After a first answer that
 * was lost, of this run or of an earlier one, every later failure is looked at
 * before it is believed, and nothing is sent again before a look: our object
 * there is success, and a repeated PUT would replace what somebody else has put
 * since, make a second version, or a second callback.
 */
import type { PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { Call, ObjectReceipt } from '../../store/object-store.js'
import { StoreError } from '../../store/store-error.js'
import { isRefusedLook, lookAt, saysStored } from '../calls/look.js'
import { kindOf, mayHaveHappened } from '../calls/requests.js'
import {
  checkObject,
  type ExpectedObject,
  expectedPut,
  type Found,
  md5Hex,
  whose,
} from '../rules/proof.js'
import type { PartContent } from '../source/part-content.js'
import { sightBefore } from './clean-up.js'
import type { RunContext } from './context.js'
import { tracePut } from './trace.js'

const noEtag = new StoreError('the answer has no ETag.', { kind: 'response' })

interface Put {
  receipt: ObjectReceipt
  check: PartCheck
  /** Requests made for it. */
  attempts: number
}

/** `claim`: an earlier run may have put these very bytes; the object is looked for. */
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

  constructor(context: RunContext, content: PartContent) {
    this.#context = context
    this.#content = content
  }

  async run(): Promise<Put> {
    const { settings, log, progress, emit, signal } = this.#context
    const { size } = this.#content
    const { crc, putDigest, environment } = settings
    const md5 = md5Hex(await this.#content.digest('md5'))
    const crc64 = crc.isWanted
      ? await this.#content.digest(crc.variant)
      : undefined
    const mark = settings.mark ? environment.id() : undefined
    const claimed = await this.#claim(size, md5)
    if (claimed === undefined) {
      const before = await sightBefore(this.#context, mark)
      const fields = { size, crc64, md5, mark, before }
      await log.append({
        type: 'completing',
        put: true,
        ...fields,
        sentDigest: putDigest,
      })
    }
    signal.throwIfAborted()
    const { completing } = log.state.put ?? {}
    if (completing === undefined) throw new Error('a put without its record')
    const expected = expectedPut(completing)
    const put = claimed ?? (await this.#put(expected, completing.mark))
    const confirmed = await this.#confirm(expected, put)
    progress.stored(size)
    const { receipt, attempts } = confirmed
    if (size > 0) {
      const { etag } = receipt
      const where = { partNumber: 1, offset: 0, size }
      emit('part', { ...where, etag, reused: false, attempts })
    }
    return confirmed
  }

  /** The object of an earlier run that put these bytes, unheard. */
  async #claim(size: number, md5: string): Promise<Put | undefined> {
    const { log, settings } = this.#context
    const { put } = log.state
    const earlier = put?.completing
    if (earlier === undefined || put?.isTold === true) return undefined
    if (earlier.size !== size || earlier.md5 !== md5) return undefined
    if (earlier.sentDigest !== settings.putDigest) return undefined
    // What may not be put again has to be known by its mark and size alone.
    const isBinding = settings.object.forbidOverwrite !== true
    const found = await this.#lookAgain(expectedPut(earlier, { isBinding }))
    return found === undefined ? undefined : { ...found, attempts: 0 }
  }

  async #put(expected: ExpectedObject, mark: string | undefined): Promise<Put> {
    const { completeSignal, log } = this.#context
    try {
      const { receipt, check, attempts } = await this.#send(expected, mark)
      return { receipt, check, attempts }
    } catch (error) {
      if (!(error instanceof UploadError) || !this.#isOpen) throw error
      completeSignal.throwIfAborted()
      // Refused since an object is there: no further PUT can tell whose.
      const { etag } = expected
      const ours =
        kindOf(error) === 'exists' && etag !== undefined
          ? { ...expected, etag: { ...etag, isBinding: false } }
          : expected
      const found = await this.#lookAgain(ours).catch((second: unknown) => {
        if (second instanceof UploadError) return undefined
        throw second
      })
      if (found !== undefined)
        return { ...found, attempts: error.attempts ?? 1 }
      if (kindOf(error) !== 'exists') log.hasUnheard()
      throw error
    }
  }

  /** PUT, tried again; once it may have happened the object is looked for first. */
  #send(expected: ExpectedObject, mark: string | undefined) {
    const { settings, sender, completeSignal } = this.#context
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
        }
        mustLook = false
        try {
          return await store.putObject({ ...request, key, object, mark }, call)
        } catch (error) {
          if (mayHaveHappened(error)) this.#isOpen = true
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
      if (isRefusedLook(error)) return 'refused'
      throw error
    }
  }

  /** HEAD, tried again as any other call; undefined when the object is not ours. */
  async #lookAgain(
    expected: ExpectedObject,
  ): Promise<Pick<Put, 'receipt' | 'check'> | undefined> {
    const { requests, settings, completeSignal: signal } = this.#context
    const found = await lookAt(requests, settings, { signal })
    if (typeof found !== 'object') return undefined
    if (!this.#isOurs(found, expected)) return undefined
    const check = checkObject(found, expected)
    return check === 'wrong' ? undefined : { receipt: found, check }
  }

  /**
   * An answer that does not say what was stored, as after a failed callback: the
   * object does. Under 203 the server has said that it is there; any other success
   * without an ETag is not a store's.
   */
  async #confirm(expected: ExpectedObject, put: Put): Promise<Put> {
    const { callbackFailed, callbackBody, etag } = put.receipt
    if (etag !== '') return put
    const found = await this.#lookAgain(expected)
    if (found !== undefined) {
      const { receipt, check } = found
      return { ...put, receipt: { ...put.receipt, ...receipt }, check }
    }
    const isStored = callbackFailed !== undefined && saysStored(callbackFailed)
    if (isStored || callbackBody !== undefined) return put
    const { requests } = this.#context
    this.#context.log.hasUnheard()
    throw requests.describe(
      callbackFailed ?? noEtag,
      { what: 'PutObject' },
      put.attempts,
    )
  }
}
