/**
 * Sends one part until the store has it: slot, digest, PUT, receipt.
 *
 * OSS's CRC-64 is computed beside the PUT and compared with the receipt; what
 * goes into a header (Content-MD5, S3's checksum) has to be there before it.
 */
import type { PartCheck } from '../../checkpoint/record.js'
import { isMd5Etag, sameEtag } from '../../store/etag.js'
import type { BodyRequest } from '../../store/object-store.js'
import { UploadError } from '../../errors.js'
import { hasMd5, md5Hex } from '../../hash/md5.js'
import { Rate } from '../../store/rate.js'
import type { AtOnce, Slot, Slots, Stored } from '../../store/slots.js'
import { StoreError } from '../../store/store-error.js'
import type { StoreLine } from '../../store/store-line.js'
import type { RequestContext, Requests } from './requests.js'
import type { ProgressCounter } from '../options/progress.js'
import type { UploadSettings } from '../options/settings.js'
import type { Receipt } from '../rules/completing.js'
import type { PartContent } from '../source/part-content.js'
import { RatedPace, ViewPace } from '../source/view-pace.js'
import { Wire, type WirePart } from './wire.js'

/** What the store has confirmed of some bytes that were sent. */
interface Sent<T extends Answer> {
  /** What it has answered. */
  receipt: T
  /** Unsigned decimal; absent when this run computes none. */
  crc64: string | undefined
  /** Hex; absent when this run computes none. */
  md5: string | undefined
  check: PartCheck
  attempts: number
}

export interface StoredPart {
  receipt: Receipt
  /** Requests made for it. */
  attempts: number
}

/** What a store says of bytes that it was sent. */
interface Answer {
  etag: string
  crc64?: string | undefined
  isOpaque?: true | undefined
}

interface Sending {
  /** The answer is compared by MD5 where it can be. */
  withMd5?: boolean
  /** Both hear of the bytes that leave. */
  wired?: WirePart
  slot?: Slot
}

/** On the line to the store, with others. */
export class PartSender {
  readonly #settings: UploadSettings
  readonly #requests: Requests
  readonly #progress: ProgressCounter
  readonly #line: StoreLine
  readonly #slots: Slots
  /** The parts on the wire, for a run that is stopped. */
  readonly wire: Wire
  readonly #pace: ViewPace
  /** That what is sent has to keep to. */
  readonly #rates: readonly Rate[]

  constructor(
    settings: UploadSettings,
    requests: Requests,
    progress: ProgressCounter,
  ) {
    const { environment, line, maxRate } = settings
    this.#settings = settings
    this.#requests = requests
    this.#progress = progress
    requests.onThrottled = () => line.throttle()
    this.#line = line
    this.#slots = line.join(settings)
    this.wire = new Wire(environment, requests.signal)
    this.#pace = new ViewPace(environment.monotonic)
    const own = maxRate && new Rate(maxRate, environment)
    this.#rates = [own, line.rate].filter((one) => typeof one === 'object')
  }

  /** How many parts may be in hand. */
  get atOnce(): AtOnce {
    return this.#slots
  }

  /** The upload is over; idempotent. */
  leave(): void {
    this.#line.leave(this.#slots)
  }

  /** Of a part that is to be sent: what goes before its bytes is worked out by its turn. */
  expect(content: PartContent): void {
    const { verify, crc } = this.#settings
    if (verify === 'md5') content.expect('md5')
    if (crc.isWanted && crc.isBefore) content.expect(crc.variant)
  }

  /** Rejects as `Requests.send` does, or with the store's error for `no-upload`. */
  async sendPart(
    content: PartContent,
    partNumber: number,
    uploadId: string,
  ): Promise<StoredPart> {
    const slot = await this.#slots.acquire()
    const wired = this.wire.enter(content.size)
    let stored: Stored | undefined
    try {
      wired.signal.throwIfAborted()
      const { key, store } = this.#settings
      const sent = await this.send(
        content,
        {
          what: `part ${partNumber}`,
          partNumber,
          uploadId,
          onFailure: this.#lostAnswers(uploadId),
          signal: wired.signal,
        },
        (request, call) =>
          wired.attempt(() =>
            store.uploadPart({ key, uploadId, partNumber, ...request }, call),
          ),
        { wired, slot },
      )
      const { crc64, md5, check, attempts } = sent
      const { size } = content
      const { etag } = sent.receipt
      stored = { size, attempts }
      return { receipt: { size, etag, crc64, md5, check }, attempts }
    } finally {
      wired.leave()
      slot.end(stored)
    }
  }

  /** Digests and sends some bytes, and compares what the store says of them. */
  async send<T extends Answer>(
    content: PartContent,
    context: RequestContext,
    put: (
      request: Omit<BodyRequest, 'key'>,
      call: Parameters<Parameters<Requests['once']>[1]>[0],
    ) => Promise<T>,
    { withMd5 = false, wired, slot }: Sending = {},
  ): Promise<Sent<T>> {
    const { verify, crc, trafficLimit } = this.#settings
    const md5 =
      verify === 'md5' || (withMd5 && hasMd5())
        ? await content.digest('md5')
        : undefined
    const crcOf = async (): Promise<string | undefined> =>
      crc.isWanted ? content.digest(crc.variant) : undefined
    if (crc.isWanted && !crc.isBefore) content.expect(crc.variant)
    const flight = this.#progress.flight(content.size)
    const pace = new RatedPace(
      this.#pace,
      this.#rates,
      context.signal ?? this.#requests.signal,
    )
    let begun = 0
    const begin = (): void => {
      begun += 1
      flight.attempt()
    }
    const onSent = (sent: number): void => {
      wired?.move(sent)
      flight.sent(sent)
      if (begun === 1) slot?.sent(sent, content.size)
    }
    const body = content.body(pace, onSent)
    const { size, bytes } = content
    const onWhole = (sent: number): void => {
      begin()
      onSent(sent)
    }
    // What has to keep to a rate goes out view by view.
    const isWhole = this.#rates.length === 0
    const whole =
      bytes !== undefined && isWhole
        ? { view: bytes, onSent: onWhole }
        : undefined
    const request = {
      size,
      body: () => {
        begin()
        return body()
      },
      bytes: whole,
      md5,
      crc64: crc.isBefore ? await crcOf() : undefined,
      trafficLimit,
      isHeld: () => pace.isHeld,
    }
    const ours = md5 === undefined ? undefined : md5Hex(md5)
    const compareMd5 = this.#md5Comparison(ours)
    let isMd5Equal = false
    const sending = { bodySize: content.size, isStoring: true, ...context }
    const { answer, attempts } = await this.#requests
      .send(sending, async (call) => {
        const receipt = await put(request, call)
        checkCrc64(receipt.crc64, await crcOf(), context)
        isMd5Equal = compareMd5(receipt, context)
        return receipt
      })
      .finally(() => flight.end())
    const crc64 = await crcOf()
    return {
      receipt: answer,
      crc64,
      md5: ours,
      check:
        answer.crc64 !== undefined && crc64 !== undefined
          ? 'crc64'
          : isMd5Equal && verify !== false
            ? 'md5'
            : 'none',
      attempts,
    }
  }

  /**
   * Compares what a server tells as the ETag of some bytes with their MD5, in hex. An ETag
   * of the form of an MD5 that is another one is damage where this store has shown
   * that its ETags are MD5s. Until then the bytes are sent once more: different
   * again, the store's ETags are none, and nothing is confirmed.
   */
  #md5Comparison(
    ours: string | undefined,
  ): (receipt: Answer, context: RequestContext) => boolean {
    const { facts, isVerifyAsked, verify } = this.#settings
    let hasDiffered = false
    return ({ etag, isOpaque }, { what }) => {
      if (ours === undefined || isOpaque === true || !isMd5Etag(etag)) {
        return false
      }
      if (sameEtag(etag, ours)) {
        facts.hasMd5Etags = true
        return true
      }
      if (verify !== 'md5') return false
      if (facts.hasMd5Etags || !hasDiffered) {
        hasDiffered = true
        throw new StoreError(
          `${what} was damaged on its way: the server tells the MD5 ${etag}, expected ${ours}`,
          { kind: 'digest' },
        )
      }
      if (!isVerifyAsked) return false
      throw new UploadError(
        'PAWL_VERIFY_UNSUPPORTED',
        `verify: 'md5' needs a store whose ETags are MD5s; this one answers ${what} with ${etag}`,
      )
    }
  }

  /**
   * A server that refuses a part at once may have its answer lost as a reset,
   * when the body is still going out. After the second reset in a row another
   * question is asked, and what it says is the error.
   */
  #lostAnswers(uploadId: string): (error: StoreError) => Promise<void> {
    let resets = 0
    return async (error) => {
      resets = error.kind === 'network' ? resets + 1 : 0
      if (resets !== 2) return
      const { store, key } = this.#settings
      const context = { what: 'the list of parts', uploadId }
      await this.#requests
        .once(context, (call) => store.listParts({ key, uploadId }, call))
        .catch((answer: unknown) => {
          if (answer instanceof StoreError && isFinal(answer)) {
            throw answer.kind === 'no-upload'
              ? answer
              : this.#requests.describe(answer, context, { attempts: 1 })
          }
        })
    }
  }
}

function isFinal({ kind }: StoreError): boolean {
  return (
    kind === 'denied' ||
    kind === 'no-bucket' ||
    kind === 'no-upload' ||
    kind === 'credentials'
  )
}

function checkCrc64(
  theirs: string | undefined,
  ours: string | undefined,
  { what }: RequestContext,
): void {
  if (theirs === undefined || ours === undefined || theirs === ours) return
  throw new StoreError(
    `${what} was damaged on its way: the server computed CRC-64 ${theirs}, expected ${ours}`,
    { kind: 'digest' },
  )
}
