/**
 * The multipart upload on the server that a run sends its parts to: begun when
 * the first part needs it, and begun anew when the server no longer has it and
 * every byte taken is still in hand.
 *
 * Order: `intent` synced → Initiate → `upload` synced → first part. Each attempt
 * at Initiate has its own `intent`, so that what a lost answer left behind can be
 * recognised.
 */
import type { PartCheck } from '../../checkpoint/record.js'
import { UploadError } from '../../errors.js'
import type { Crc64Variant } from '../../hash/crc64.js'
import { isStoredAlready, listAllParts } from '../calls/look.js'
import { isAmbiguous, kindOf } from '../calls/requests.js'
import type { Sent } from '../calls/send.js'
import type { RestartReason } from '../options/events.js'
import { judgePart, type Verdict } from '../rules/judge.js'
import type { Plan } from '../rules/plan.js'
import { bareEtag, md5Hex } from '../rules/proof.js'
import { closeOldUploads } from './clean-up.js'
import type { RunContext } from './context.js'
import { partTaken } from './errors.js'
import { givenUp } from './log.js'
import { inScope } from './trace.js'
import type { TakenPart } from '../source/part-content.js'

/** A server that loses uploads as fast as they are begun is not asked for ever. */
const mostRenewals = 2

export class OpenUpload {
  readonly #context: RunContext
  readonly #partSize: number
  #id: Promise<string> | undefined
  #known: string | undefined
  #renewals = 0
  #hasGivenUp = false

  constructor(context: RunContext, plan: Plan, partSize: number) {
    this.#context = context
    this.#partSize = partSize
    if (plan.mode === 'create') return
    this.#known = plan.upload.uploadId
    this.#id = Promise.resolve(this.#known)
  }

  /** Once it is known. */
  get uploadId(): string | undefined {
    return this.#known
  }

  /** A run of the same source that begins anew can do what this one could not. */
  get hasGivenUp(): boolean {
    return this.#hasGivenUp
  }

  /** Begins the upload when there is none. */
  id(): Promise<string> {
    this.#id ??= this.#create()
    return this.#id
  }

  /**
   * Sends a part. When the server has lost the upload and `canStartOver` says
   * that nothing taken is gone, a new one is begun; else `PAWL_UPLOAD_GONE`.
   * The receipt counts only for the upload that it names.
   */
  async sendPart(
    part: TakenPart,
    canStartOver: () => boolean,
  ): Promise<Sent<{ etag: string }> & { uploadId: string }> {
    const { sender } = this.#context
    const { content, partNumber } = part
    for (;;) {
      const uploadId = await this.id()
      try {
        const sent = await sender.sendPart(content, partNumber, uploadId)
        return { ...sent, uploadId }
      } catch (error) {
        if (isStoredAlready(error)) {
          const sent = await this.#findStored(part, uploadId, error)
          return { ...sent, uploadId }
        }
        if (kindOf(error) !== 'no-upload') throw error
        await this.#renew(uploadId, canStartOver, error)
      }
    }
  }

  /** Of other bytes: no run could ever replace it, so this one gives up. */
  async #findStored(
    part: TakenPart,
    uploadId: string,
    error: UploadError,
  ): Promise<Sent<{ etag: string }>> {
    const sent = await findStored(this.#context, part, uploadId, error)
    if (sent !== undefined) return sent
    const { key } = this.#context.settings
    const failure = partTaken(part, { key, uploadId, cause: error })
    this.#hasGivenUp = true
    await this.giveUp('source-changed', { failure })
    throw failure
  }

  /**
   * The upload is no longer used; said in the log first, then on the server.
   *
   * With `failure` no other one takes its place: parts in flight get it instead
   * of a new upload. A `completed` one has become an object, and is not aborted:
   * that breaks the object on some servers.
   */
  async giveUp(
    reason: RestartReason,
    {
      failure,
      completed = false,
    }: { failure?: Error; completed?: boolean } = {},
  ): Promise<void> {
    const uploadId = this.#known
    this.#known = undefined
    const closing = this.#close(uploadId, reason, completed)
    if (failure === undefined) {
      this.#id = undefined
    } else {
      this.#id = closing.then(() => Promise.reject(failure))
      this.#id.catch(() => undefined)
    }
    await closing
  }

  /** Another object took its place, and the log says so. */
  forget(): void {
    this.#known = undefined
    this.#id = undefined
  }

  async #close(
    uploadId: string | undefined,
    reason: RestartReason,
    completed: boolean,
  ): Promise<void> {
    if (uploadId === undefined) return
    const { log, emit } = this.#context
    await log.append(
      ...givenUp(uploadId, reason, completed ? 'object' : undefined),
    )
    emit('restarted', { reason })
    await closeOldUploads(this.#context)
  }

  /** The upload's own work, whichever part happened to need it first. */
  #create(): Promise<string> {
    return inScope(this.#context.scope, () => this.#begin())
  }

  async #begin(): Promise<string> {
    const { settings, log, requests, emit } = this.#context
    const { key, object, store, sequential, environment } = settings
    const { answer } = await requests.send(
      { what: 'Initiate' },
      async (call) => {
        await log.append({ type: 'intent', time: environment.now() })
        try {
          return await store.createUpload({ key, object, sequential }, call)
        } catch (error) {
          if (isAmbiguous(kindOf(error))) log.hasUnheard()
          throw error
        }
      },
    )
    const { uploadId, date } = answer
    await log.append({
      type: 'upload',
      uploadId,
      partSize: this.#partSize,
      optionsDigest: settings.optionsDigest,
      time: environment.now(),
      serverDate: date,
    })
    this.#known = uploadId
    emit('initiated', { uploadId })
    return uploadId
  }

  async #renew(
    uploadId: string,
    canStartOver: () => boolean,
    cause: unknown,
  ): Promise<void> {
    // Several parts in flight hear of it; the first one acts.
    if (this.#known !== uploadId) return
    const canRenew = ++this.#renewals <= mostRenewals && canStartOver()
    this.#known = undefined
    this.#id = canRenew
      ? this.#startOver(uploadId)
      : this.#lost(uploadId, cause)
    await this.#id
  }

  async #startOver(uploadId: string): Promise<string> {
    await this.#voidGone(uploadId)
    this.#context.emit('restarted', { reason: 'upload-gone' })
    return this.#create()
  }

  async #lost(uploadId: string, cause: unknown): Promise<never> {
    await this.#voidGone(uploadId)
    throw new UploadError(
      'PAWL_UPLOAD_GONE',
      'the upload is no longer on the server (aborted by somebody else, or by a lifecycle rule), and the source cannot be read again; run the same call again to start over',
      {
        cause,
        key: this.#context.settings.key,
        uploadId,
        resumable: true,
      },
    )
  }

  #voidGone(uploadId: string): Promise<void> {
    return this.#context.log.append(...givenUp(uploadId, 'upload-gone', 'gone'))
  }
}

export interface Receipt {
  size: number
  /** As the server spelled it. */
  etag: string
  crc64?: string | undefined
  md5?: string | undefined
  check: PartCheck
}

const strength: Record<PartCheck, number> = { none: 0, md5: 1, crc64: 2 }

export class Receipts {
  readonly #byNumber = new Map<number, Receipt>()

  get size(): number {
    return this.#byNumber.size
  }

  set(partNumber: number, receipt: Receipt): void {
    this.#byNumber.set(partNumber, receipt)
  }

  /**
   * Parts 1 to `count`, which must all be there and together be of `size`:
   * nothing is completed without a receipt for every part.
   */
  inOrder(count: number, size: number): (Receipt & { partNumber: number })[] {
    const parts: (Receipt & { partNumber: number })[] = []
    let sum = 0
    for (let partNumber = 1; partNumber <= count; partNumber++) {
      const receipt = this.#byNumber.get(partNumber)
      if (receipt === undefined) {
        throw new UploadError(
          'PAWL_INVALID_STATE',
          `part ${partNumber} of ${count} has no receipt; nothing was completed`,
          { partNumber, resumable: true },
        )
      }
      sum += receipt.size
      parts.push({ partNumber, ...receipt })
    }
    if (sum !== size || this.#byNumber.size !== count) {
      throw new UploadError(
        'PAWL_INVALID_STATE',
        `${this.#byNumber.size} parts of ${sum} bytes are stored, expected ${count} of ${size}; nothing was completed`,
        { resumable: true },
      )
    }
    return parts
  }
}

/** The weakest of some checks. */
export function weakest(checks: readonly PartCheck[]): PartCheck {
  let least: PartCheck = 'crc64'
  for (const check of checks) {
    if (strength[check] < strength[least]) least = check
  }
  return least
}

/** As if it had been sent now; undefined when other bytes are stored. */
export async function findStored(
  { requests, settings }: Pick<RunContext, 'requests' | 'settings'>,
  part: TakenPart,
  uploadId: string,
  { attempts = 1 }: UploadError,
): Promise<Sent<{ etag: string }> | undefined> {
  const { verify } = settings
  const listed = await listAllParts(requests, settings, uploadId)
  if (listed === 'gone' || listed === 'refused') return undefined
  const there = listed.get(part.partNumber)
  // Without a record nothing is known of them but what the store says.
  const candidate = { size: part.size, hash: '' }
  const verdict = judgePart(candidate, undefined, there, verify)
  if (verdict.do !== 'compare') return undefined
  const receipt = await compared(part, verdict, settings.crc.variant)
  if (receipt === undefined) return undefined
  const { etag, crc64, md5, check } = receipt
  return { receipt: { etag }, crc64, md5, check, attempts }
}

/** The stored part's receipt; undefined when it is of other bytes. */
export async function compared(
  { content, size }: TakenPart,
  { by, value, etag }: Extract<Verdict, { do: 'compare' }>,
  crcVariant: Crc64Variant,
): Promise<Receipt | undefined> {
  if (by === 'crc64') {
    const crc64 = await content.digest(crcVariant)
    return crc64 === value ? { size, etag, crc64, check: by } : undefined
  }
  const md5 = md5Hex(await content.digest('md5'))
  return md5 === bareEtag(value) ? { size, etag, md5, check: by } : undefined
}
