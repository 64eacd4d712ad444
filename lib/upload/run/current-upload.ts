/**
 * The multipart upload on the server that a run sends its parts to, begun when the
 * first part needs it, or while that is read. It owns the receipts, which count for its
 * upload and no other, and what earlier runs stored of it. While there is no receipt
 * every byte taken is still in hand, or in a file that is open, and an upload that the
 * server has lost is begun anew.
 *
 * Order: `intent` synced → Initiate → `upload` synced → first part. Each attempt at
 * Initiate has its own `intent`, by which a lost answer's upload is recognised.
 */
import type { PartSizes } from '../../checkpoint/growth.js'
import type { PartRecord } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { ListedPart } from '../../store/object-store.js'
import { answerOf, StoreError } from '../../store/store-error.js'
import { asListed, listAllParts, sequenceFault } from '../calls/look.js'
import { kindOf, mayHaveHappened, refusesMark } from '../calls/requests.js'
import type { StoredPart } from '../calls/send.js'
import type { RestartReason } from '../options/events.js'
import type { Receipt } from '../rules/completing.js'
import type { Plan } from '../rules/plan.js'
import type { TakenPart } from '../source/part-content.js'
import { abortUnnamed, closeOldUploads } from './clean-up.js'
import type { RunContext } from './context.js'
import { outOfSequence, partTaken, uploadGone } from './errors.js'
import { givenUp } from './log.js'
import { inScope } from './trace.js'

/** A server that loses uploads as fast as they are begun is not asked for ever. */
const mostRenewals = 2

export interface EarlierPart {
  record: PartRecord | undefined
  /** `refused`: this caller may not list parts. */
  there: ListedPart | 'refused' | undefined
}

export class CurrentUpload {
  readonly #context: RunContext
  /** Of its parts. */
  readonly sizes: PartSizes
  receipts = new Map<number, Receipt>()
  /** A Complete of this run was sent, and was not refused for certain. */
  isCompleting = false
  #id: Promise<string> | undefined
  #known: string | undefined
  /** What earlier runs stored of it. */
  #earlier: Extract<Plan, { mode: 'resume' }> | undefined
  #renewals = 0
  #epoch = 0
  #over: RestartReason | undefined

  constructor(context: RunContext, plan: Plan, sizes: PartSizes) {
    this.#context = context
    this.sizes = sizes
    if (plan.mode === 'create') return
    this.#known = plan.upload.uploadId
    this.#id = Promise.resolve(this.#known)
    if (plan.mode === 'resume') this.#earlier = plan
  }

  /** Once it is known. */
  get uploadId(): string | undefined {
    return this.#known
  }

  /** Another number for each upload of the run. */
  get epoch(): number {
    return this.#epoch
  }

  /** Why the run's failure ended its upload too: the source can begin anew. */
  get over(): RestartReason | undefined {
    return this.#over
  }

  /** What the log has of a part, and what the store had when the run began. */
  earlier(partNumber: number): EarlierPart {
    const { upload, listed } = this.#earlier ?? {}
    return {
      record: upload?.parts.get(partNumber),
      there: listed === 'refused' ? listed : listed?.get(partNumber),
    }
  }

  /**
   * An earlier run's Complete may have named the part as it is stored, and neither
   * CRC-64 nor MD5 would tell that object from this run's.
   */
  mustNotReplace(partNumber: number): boolean {
    const { crc, facts } = this.#context.settings
    const isNamed = this.#earlier?.upload.completing !== undefined
    if (!isNamed || crc.isWanted || facts.hasMd5Etags) return false
    const { record, there } = this.earlier(partNumber)
    return typeof there === 'object' || record !== undefined
  }

  /** Begins the upload when there is none. */
  id(): Promise<string> {
    this.#id ??= this.#create()
    return this.#id
  }

  /**
   * Sends a part until the upload in use has it. One that the server has lost is begun
   * anew while there is no receipt; else `PAWL_UPLOAD_GONE`.
   */
  async store(part: TakenPart): Promise<StoredPart> {
    this.#context.sender.expect(part.content)
    for (;;) {
      const uploadId = await this.id()
      try {
        const sent = await this.#send(part, uploadId)
        // Confirmed for an upload that was found gone meanwhile: sent again.
        if (uploadId !== this.#known) continue
        this.receipts.set(part.partNumber, sent.receipt)
        return sent
      } catch (error) {
        if (kindOf(error) !== 'no-upload') throw error
        // What has ended the run may be the failure of another upload.
        this.#context.signal.throwIfAborted()
        await this.#renew(uploadId, error)
      }
    }
  }

  async #send(part: TakenPart, uploadId: string): Promise<StoredPart> {
    const { sender, settings } = this.#context
    const { content, partNumber } = part
    try {
      return await sender.sendPart(content, partNumber, uploadId)
    } catch (error) {
      if (!(error instanceof UploadError)) throw error
      switch (sequenceFault(error)) {
        case 'stored-already':
          return this.#findStored(part, uploadId, error)
        case 'out-of-sequence': {
          const where = { key: settings.key, uploadId, cause: error }
          const failure = outOfSequence(part, where)
          await this.giveUpFor(failure, 'source-changed')
          throw failure
        }
        default:
          throw error
      }
    }
  }

  /**
   * OSS takes no part of a sequential upload twice. The one it has is ours when the
   * answer to it was lost; one of other bytes no run could replace: given up.
   */
  async #findStored(
    part: TakenPart,
    uploadId: string,
    cause: UploadError,
  ): Promise<StoredPart> {
    const { requests, settings } = this.#context
    const listed = await listAllParts(requests, settings, uploadId)
    const there =
      typeof listed === 'string' ? undefined : listed.get(part.partNumber)
    const receipt = there && (await asListed(part, '', there, settings))
    const { attempts = 1 } = cause
    if (receipt !== undefined) return { receipt, attempts }
    const failure = partTaken(part, { key: settings.key, uploadId, cause })
    await this.giveUpFor(failure, 'source-changed')
    throw failure
  }

  /** The upload is no longer used, and the next part begins another. */
  async giveUp(reason: RestartReason, closed?: 'object'): Promise<void> {
    const closing = this.#close(reason, closed)
    this.#id = undefined
    await closing
  }

  /**
   * The upload is no longer used, and no other takes its place: parts in flight get
   * `failure`. `canBeginAnew`: the source, read again, could do better.
   */
  async giveUpFor(
    failure: Error,
    reason: RestartReason,
    closed?: 'object',
    { canBeginAnew = true } = {},
  ): Promise<void> {
    const closing = this.#close(reason, closed, { isOver: canBeginAnew })
    this.#id = closing.then(() => Promise.reject(failure))
    this.#id.catch(() => undefined)
    await closing
  }

  /** A PutObject took the upload's place, and the log says so. */
  forget(): void {
    this.#known = undefined
    this.#id = undefined
  }

  async #close(
    reason: RestartReason,
    closed: 'object' | undefined,
    { isOver = false } = {},
  ): Promise<void> {
    const uploadId = this.#known
    this.#startOver()
    if (uploadId !== undefined) {
      await this.#context.log.append(...givenUp(uploadId, reason, closed))
    }
    // A log that does not say so is the run's failure, and ends it.
    if (isOver) this.#over = reason
    if (uploadId === undefined) return
    this.#context.tally.restarted(reason)
    await closeOldUploads(this.#context)
  }

  /** The upload's own work, whichever part happened to need it first. */
  #create(): Promise<string> {
    return inScope(this.#context.scope, () => this.#begin())
  }

  async #begin(): Promise<string> {
    const { settings, log, requests, emit } = this.#context
    const { key, object, store, sequential, environment } = settings
    let mark = settings.mark ? environment.id() : undefined
    const { answer } = await requests.send(
      { what: 'Initiate', isStoring: true },
      async (call) => {
        for (;;) {
          await log.append({ type: 'intent', time: environment.now(), mark })
          const request = { key, object, sequential, mark }
          try {
            return await store.createUpload(request, call)
          } catch (error) {
            if (mayHaveHappened(error)) log.noteUnheard()
            if (!refusesMark(error, mark, object)) throw error
            mark = undefined
          }
        }
      },
    )
    const { uploadId, date } = answer
    const { partSize, growth } = this.sizes
    const record = {
      type: 'upload' as const,
      uploadId,
      partSize,
      optionsDigest: settings.digests.options,
      time: environment.now(),
      serverDate: date,
      mark,
      growth,
    }
    try {
      await log.append(record)
    } catch (error) {
      // This run is the last that knows of it.
      await abortUnnamed(this.#context, uploadId)
      throw error
    }
    this.#known = uploadId
    emit('initiated', { uploadId })
    if (settings.hasNoRoomForMark) emit('unmarked', { reason: 'no-room' })
    if (settings.mark && mark === undefined) {
      emit('unmarked', { reason: 'refused' })
    }
    return uploadId
  }

  async #renew(uploadId: string, cause: unknown): Promise<void> {
    // Several parts in flight hear of it; the first one acts.
    if (this.#known !== uploadId) return
    const canRenew =
      ++this.#renewals <= mostRenewals && this.receipts.size === 0
    this.#startOver()
    this.#id = canRenew
      ? this.#createAgain(uploadId)
      : this.lose(uploadId, cause).then((error) => Promise.reject(error))
    await this.#id
  }

  /** Whatever was known of the upload counts no more. */
  #startOver(): void {
    this.#known = undefined
    this.#earlier = undefined
    this.receipts = new Map()
    this.#epoch++
  }

  async #createAgain(uploadId: string): Promise<string> {
    const reason = 'upload-gone'
    await this.#context.log.append(...givenUp(uploadId, reason))
    // The server's word that it is gone is not the last: it is aborted as well.
    await closeOldUploads(this.#context, { seenGone: uploadId })
    this.#context.tally.restarted(reason)
    return this.#create()
  }

  /** The server has no such upload, and no other can be begun: the run's failure. */
  async lose(uploadId: string, cause: unknown): Promise<UploadError> {
    const { log, settings } = this.#context
    await log.append(...givenUp(uploadId, 'upload-gone'))
    this.#over = 'upload-gone'
    // After a conflict it may well be there.
    const isSeen = kindOf(cause) === 'no-upload'
    const seenGone = isSeen ? { seenGone: uploadId } : {}
    await closeOldUploads(this.#context, seenGone)
    const answer = cause instanceof StoreError ? answerOf(cause) : { cause }
    return uploadGone({ ...answer, key: settings.key, uploadId })
  }
}
