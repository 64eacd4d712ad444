/**
 * The second of the three calls: sends some parts of an object, on any machine and
 * any number of times. It keeps no log: what of its range is stored already it is
 * told by the server, and believes when it is equal to its own bytes. It never
 * begins, completes or aborts anything.
 */
import { UploadError } from '../errors.js'
import { asError } from '../realm.js'
import { checkKnownOptions, type NamesOf } from '../known-options.js'
import { followSignal } from '../signals.js'
import { asListed, expectComparison, listParts } from '../upload/calls/look.js'
import { kindOf, Requests } from '../upload/calls/requests.js'
import { PartSender, type StoredPart } from '../upload/calls/send.js'
import {
  realUploadEnvironment,
  type UploadEnvironment,
} from '../upload/options/environment.js'
import type { PartEvent } from '../upload/options/events.js'
import {
  checkObjectOptions,
  checkRequestOptions,
} from '../upload/options/option-names.js'
import type { Receipt } from '../upload/rules/completing.js'
import type { UploadOptions } from '../upload/options/options.js'
import { ProgressCounter } from '../upload/options/progress.js'
import {
  aFunction,
  filePartsOf,
  optional,
  readSettings,
  type UploadSettings,
  wholeNumber,
} from '../upload/options/settings.js'
import type { Listed } from '../upload/rules/judge.js'
import { suspended, withKept } from '../upload/run/errors.js'
import { FileParts } from '../upload/source/file-parts.js'
import { letGo, type TakenPart } from '../upload/source/part-content.js'
import { refuseLateParts } from './on-run.js'
import {
  changed,
  checkSource,
  openSource,
  type OpenSource,
  type PartsSource,
} from './parts-source.js'
import {
  checkTicket,
  digestOfId,
  mustBeTicket,
  type PartReceipt,
  pieceOf,
  type Ticket,
} from './ticket.js'

/** What `uploadParts` sends, from where, and within which bounds. */
export interface UploadPartsOptions extends Pick<
  UploadOptions,
  | 'store'
  | 'concurrency'
  | 'maxRate'
  | 'memory'
  | 'object'
  | 'proof'
  | 'verify'
  | 'trafficLimit'
  | 'requestPayer'
  | 'retry'
  | 'timeout'
  | 'signal'
> {
  /** `file(path)`, or a function that gives any range of the bytes. */
  source: PartsSource
  /** The first and the last part, from 1. Default: all of them. */
  parts?: readonly [first: number, last: number]
  /**
   * As `beginUpload` was given it: it says that this machine's source is the
   * same. Another one is `PAWL_SOURCE_CHANGED`.
   */
  sourceId?: string
  /** Of the keys that tickets may name here. Default: any. */
  prefix?: string
  /** The directory that files may be read below, links included. Default: any. */
  root?: string
  /** Hears of each part that is stored. */
  onPart?: (event: PartEvent) => void
}

const names: NamesOf<UploadPartsOptions> = {
  concurrency: true,
  maxRate: true,
  memory: true,
  object: true,
  onPart: true,
  parts: true,
  prefix: true,
  proof: true,
  requestPayer: true,
  retry: true,
  root: true,
  signal: true,
  source: true,
  sourceId: true,
  store: true,
  timeout: true,
  trafficLimit: true,
  verify: true,
}

/**
 * Sends parts of the object that a ticket is for, and resolves to their receipts,
 * in order. What the server has of them is proved and not sent again, so the same
 * call may be made any number of times, by several machines at once.
 *
 * The ticket is input, not authority: it must be for this `store`, and within
 * `prefix`. Rejects with an `UploadError`: `PAWL_INVALID_OPTION`, `PAWL_SOURCE_CHANGED`
 * when the source is not the one that the upload was begun for,
 * `PAWL_UPLOAD_GONE` when the upload is complete or was given up,
 * `PAWL_SUSPENDED` after `signal`.
 *
 * @example
 * const receipts = await uploadParts(ticket, {
 *   store,
 *   source: file('/mnt/db.dump'),
 *   parts: [1, 100],
 *   root: '/mnt',
 *   prefix: 'backups/',
 * })
 */
export function uploadParts(
  ticket: Ticket,
  options: UploadPartsOptions,
): Promise<PartReceipt[]> {
  return uploadPartsOn(ticket, options)
}

/** `uploadParts`, with the clock, the timers and the randomness given. */
export async function uploadPartsOn(
  ticket: Ticket,
  options: UploadPartsOptions,
  environment: UploadEnvironment = realUploadEnvironment,
): Promise<PartReceipt[]> {
  checkKnownOptions(options, { of: 'uploadParts', names: Object.keys(names) })
  checkRequestOptions(options)
  checkObjectOptions(options)
  const { source, store, prefix, root, sourceId } = options
  optional(options.onPart, (value) => aFunction('onPart', value))
  checkSource(source)
  mustBeTicket(ticket)
  const { key, size, partSize } = ticket
  // Also looks whether there is a store at all.
  const settings = readSettings(
    { ...options, key, size, partSize },
    environment,
  )
  checkTicket(ticket, { store, prefix })
  refuseLateParts(settings)
  const range = readRange(options.parts ?? [1, ticket.parts], ticket)
  if (digestOfId(sourceId) !== ticket.sourceId) {
    throw changed(key, `its sourceId is not the one of beginUpload()`)
  }
  const opened = await openSource(source, ticket, { root, environment })
  const sending = new RangeSending(ticket, settings, opened, options.onPart)
  try {
    return await sending.run(range)
  } catch (error) {
    throw sending.told(error)
  } finally {
    await opened.close()
  }
}

type Range = readonly [first: number, last: number]

function readRange([first, last]: Range, { parts }: Ticket): Range {
  wholeNumber('parts[0]', first, 1, parts)
  wholeNumber('parts[1]', last, first, parts)
  return [first, last]
}

class RangeSending {
  readonly #ticket: Ticket
  readonly #settings: UploadSettings
  readonly #source: OpenSource
  readonly #onPart: ((event: PartEvent) => void) | undefined
  readonly #stop = new AbortController()
  readonly #requests: Requests
  readonly #progress: ProgressCounter
  readonly #sender: PartSender
  readonly #receipts = new Map<number, PartReceipt>()

  constructor(
    ticket: Ticket,
    settings: UploadSettings,
    source: OpenSource,
    onPart: ((event: PartEvent) => void) | undefined,
  ) {
    this.#ticket = ticket
    this.#settings = settings
    this.#source = source
    this.#onPart = onPart
    const { environment, size } = settings
    const { signal: stopped } = this.#stop
    const requests = new Requests(settings, stopped, () => undefined)
    const progress = new ProgressCounter(size, () => undefined, environment)
    this.#requests = requests
    this.#progress = progress
    this.#sender = new PartSender(settings, requests, progress)
  }

  async run(range: Range): Promise<PartReceipt[]> {
    const { key, uploadId } = this.#ticket
    const letSignalGo = followSignal(this.#settings.signal, (cause) => {
      this.#fail(suspended({ key, uploadId, cause, isLogged: true }))
    })
    try {
      const listed = await this.#list(range)
      await this.#sendAll(range, listed)
      const receipts = [...this.#receipts.values()]
      await this.#source.check(receipts)
      return receipts.toSorted((one, other) => one.number - other.number)
    } finally {
      letSignalGo()
      this.#sender.leave()
      this.#progress.rest()
    }
  }

  /** What a failure was, and that the same call goes on where it stopped. */
  told(thrown: unknown): Error {
    const error = asError(thrown)
    const requests = this.#requests
    // The parts themselves are the log, unless the upload they are of is gone.
    const log = { isResumable: !isOver(error), endedSoBefore: () => false }
    withKept(error, this.#settings, { log, requests })
    if (!isFinal(error)) return error
    const fixed = { value: false, enumerable: true }
    return Object.defineProperty(error, 'transient', fixed)
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(asError(error))
    this.#sender.wire.cut()
  }

  async #list(range: Range): Promise<Listed> {
    const { uploadId } = this.#ticket
    const settings = this.#settings
    const listed = await listParts(this.#requests, settings, uploadId, range)
    if (listed === 'gone') throw this.#gone()
    return listed
  }

  async #sendAll([first, last]: Range, listed: Listed): Promise<void> {
    const settings = this.#settings
    const { signal } = this.#stop
    const parts = new FileParts(
      this.#source.bytes,
      {
        ...filePartsOf(settings, this.#ticket.partSize),
        atOnce: this.#sender.atOnce,
      },
      settings.environment,
      (bytes) => this.#progress.read(bytes),
    )
    const tasks = new Set<Promise<void>>()
    try {
      for (let number = first; number <= last; number++) {
        const piece = { partNumber: number, ...pieceOf(this.#ticket, number) }
        const part = await parts.take(piece, signal)
        const task = this.#take(part, listed)
          .catch((error: unknown) => this.#fail(error))
          .then(() => letGo(part))
          .finally(() => tasks.delete(task))
        tasks.add(task)
      }
    } catch (error) {
      this.#fail(error)
    }
    await Promise.all(tasks)
    signal.throwIfAborted()
  }

  async #take(part: TakenPart, listed: Listed): Promise<void> {
    const { partNumber, offset, size, content } = part
    const settings = this.#settings
    const there = listed === 'refused' ? undefined : listed.get(partNumber)
    let known: Receipt | undefined
    if (there !== undefined) {
      expectComparison(content, there, settings)
      const hash = await content.digest(settings.proof)
      known = await asListed(part, hash, there, settings)
    } else content.expect(settings.proof)
    const { receipt, attempts } =
      known === undefined
        ? await this.#send(part)
        : { receipt: known, attempts: 0 }
    refuseLateParts(settings)
    const { etag, crc64, md5, check } = receipt
    this.#receipts.set(partNumber, {
      uploadId: this.#ticket.uploadId,
      number: partNumber,
      offset,
      size,
      hash: await content.digest(settings.proof),
      etag,
      ...(crc64 === undefined ? {} : { crc64 }),
      ...(md5 === undefined ? {} : { md5 }),
      check,
    })
    const reused = known !== undefined
    this.#onPart?.({ partNumber, offset, size, etag, reused, attempts })
  }

  async #send({ content, partNumber }: TakenPart): Promise<StoredPart> {
    const { uploadId } = this.#ticket
    try {
      return await this.#sender.sendPart(content, partNumber, uploadId)
    } catch (error) {
      if (kindOf(error) !== 'no-upload') throw error
      throw this.#gone(error)
    }
  }

  #gone(cause?: unknown): UploadError {
    const { key, uploadId } = this.#ticket
    return new UploadError(
      'PAWL_UPLOAD_GONE',
      "the ticket's upload is not on the server any more: it is complete, or was given up; nothing was sent to another one",
      { cause, key, uploadId },
    )
  }
}

/** No part of this ticket's upload can become part of an object any more. */
function isOver(error: Error): boolean {
  return error instanceof UploadError && error.code === 'PAWL_UPLOAD_GONE'
}

/** A ticket is for one source and one upload: the same call ends in the same way. */
function isFinal(error: Error): boolean {
  if (!(error instanceof UploadError)) return false
  return isOver(error) || error.code === 'PAWL_SOURCE_CHANGED'
}
