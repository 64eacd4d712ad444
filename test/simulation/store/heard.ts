/**
 * What the store's answers have let its clients know, apart from what is true:
 * what a run may be expected to know is what it was told.
 */
import type { CompletedPart } from '../../../lib/store/object-store.js'
import type { StoredObject } from './truth.js'

/** What a HEAD showed, and at which moment that was true. */
export interface Look {
  /** The run's number. */
  readonly run: number | undefined
  readonly at: number
  readonly found: StoredObject | 'absent' | 'refused'
}

export class Heard {
  /** Uploads whose Complete was sent, and not answered for certain. */
  readonly completesUnsure = new Set<string>()
  readonly #unsure = new Set<string>()
  /** Completes that a run has sent to an upload, less those that were refused for good. */
  readonly #inDoubt = new Map<string, number>()
  readonly #leftOpen = new Set<string>()
  /** Uploads whose Abort was sent, and has failed for all that its client knows. */
  readonly abortsFailed = new Set<string>()
  readonly #abortsDenied = new Set<string>()
  readonly #abortsAsked = new Map<string, number>()
  /** Uploads of which a request was answered that there is none. */
  readonly saidGone = new Set<string>()
  /** Runs that have put an object without a mark. */
  readonly putUnmarked = new Set<number | undefined>()
  /** When a run first heard an answer of the store. */
  readonly answered = new Map<number | undefined, number>()
  /** Runs that have sent a Complete: a list after it is not held against the log. */
  readonly haveCompleted = new Set<number | undefined>()
  /** When each run last heard an answer to a Complete, whatever it said. */
  readonly completeAnswered = new Map<number | undefined, number>()
  /** Every HEAD that was answered or refused, in order. */
  readonly looks: Look[] = []
  readonly #doubled = new Set<string>()
  readonly #asked = new Map<string, Set<number>>()
  /** Requests that were refused as denied, by the run's number. */
  readonly #denials = new Map<number | undefined, Set<string>>()
  readonly #etags = new Set<string>()
  readonly #known = new Map<string, number>()

  /** A part as it was stored at a moment, by an answer to it or by a list. */
  part(
    run: number | undefined,
    uploadId: string,
    { partNumber, etag }: CompletedPart,
    at: number,
  ): void {
    this.#etags.add(`${uploadId} ${partNumber} ${etag}`)
    if (this.haveCompleted.has(run)) return
    this.#known.set(`${run} ${uploadId} ${partNumber}`, at)
  }

  /** A run sends a part, whatever becomes of that. */
  asks(run: number | undefined, uploadId: string, partNumber: number): void {
    const asked = this.#asked.get(`${run} ${uploadId}`) ?? new Set()
    this.#asked.set(`${run} ${uploadId}`, asked.add(partNumber))
  }

  /** How many parts of an upload a run has sent. */
  askedFor(run: number | undefined, uploadId: string | undefined): number {
    return this.#asked.get(`${run} ${uploadId}`)?.size ?? 0
  }

  /** Whether any answer about this upload has named the part so. */
  hasNamed(uploadId: string, { partNumber, etag }: CompletedPart): boolean {
    return this.#etags.has(`${uploadId} ${partNumber} ${etag}`)
  }

  /** The last moment of which a run knows how a part was stored. */
  knownAt(
    run: number | undefined,
    uploadId: string,
    partNumber: number,
  ): number {
    return (
      this.#known.get(`${run} ${uploadId} ${partNumber}`) ??
      Number.NEGATIVE_INFINITY
    )
  }

  sendsComplete(run: number | undefined, uploadId: string): void {
    this.#countInDoubt(`${run} ${uploadId}`, 1)
  }

  /** The last one was refused as not allowed or not valid: it has come to nothing. */
  refusesComplete(run: number | undefined, uploadId: string): void {
    this.#countInDoubt(`${run} ${uploadId}`, -1)
  }

  #countInDoubt(sent: string, by: 1 | -1): void {
    this.#inDoubt.set(sent, (this.#inDoubt.get(sent) ?? 0) + by)
  }

  /**
   * How many of a run's Completes of an upload may have made its object, for all that
   * it was told; undefined when it has sent none.
   */
  completesInDoubt(
    run: number | undefined,
    uploadId: string,
  ): number | undefined {
    return this.#inDoubt.get(`${run} ${uploadId}`)
  }

  /** A run's Complete was not answered for certain, if only with NoSuchUpload. */
  leavesUnsure(run: number | undefined, uploadId: string): void {
    this.completesUnsure.add(uploadId)
    this.#unsure.add(`${run} ${uploadId}`)
  }

  wasLeftUnsure(run: number | undefined, uploadId: string): boolean {
    return this.#unsure.has(`${run} ${uploadId}`)
  }

  /** A run's Complete was answered with what leaves open whether it has happened. */
  leavesOpen(run: number | undefined, uploadId: string): void {
    this.#leftOpen.add(`${run} ${uploadId}`)
  }

  wasLeftOpen(run: number | undefined, uploadId: string): boolean {
    return this.#leftOpen.has(`${run} ${uploadId}`)
  }

  deniesAbort(run: number | undefined, uploadId: string): void {
    this.#abortsDenied.add(`${run} ${uploadId}`)
  }

  /** Whether a run's Abort of an upload was refused as denied. */
  wasAbortDenied(run: number | undefined, uploadId: string): boolean {
    return this.#abortsDenied.has(`${run} ${uploadId}`)
  }

  /** A run asks for an Abort, whatever becomes of that. */
  asksAbort(run: number | undefined, uploadId: string, at: number): void {
    const asked = `${run} ${uploadId}`
    if (!this.#abortsAsked.has(asked)) this.#abortsAsked.set(asked, at)
  }

  /** When a run first asked for an Abort, if it did. */
  abortAskedAt(run: number, uploadId: string): number | undefined {
    return this.#abortsAsked.get(`${run} ${uploadId}`)
  }

  /** The network has doubled a request of a run. */
  doubles(run: number | undefined, call: string): void {
    this.#doubled.add(`${run} ${call}`)
  }

  wasDoubled(run: number | undefined, call: string): boolean {
    return this.#doubled.has(`${run} ${call}`)
  }

  /** What a run saw when it last looked, until a moment. */
  lastLook(
    run: number | undefined,
    until = Number.POSITIVE_INFINITY,
  ): Look | undefined {
    return this.looks.findLast((look) => look.run === run && look.at <= until)
  }

  /** Whether it might not look when it last wanted to. */
  mayNotLook(run: number | undefined, until?: number): boolean {
    return this.lastLook(run, until)?.found === 'refused'
  }

  /** Whether a run has ever seen an object. */
  hasSeen(run: number | undefined, object: StoredObject): boolean {
    return this.looks.some((look) => look.run === run && look.found === object)
  }

  denies(run: number | undefined, call: string): void {
    const denied = this.#denials.get(run) ?? new Set()
    this.#denials.set(run, denied.add(call))
  }

  /** Whether a request of that name was denied to a run. */
  wasDenied(run: number | undefined, call: string): boolean {
    return this.#denials.get(run)?.has(call) === true
  }
}
