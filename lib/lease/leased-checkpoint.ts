/**
 * A log on a service that other machines reach, held by a lease.
 *
 * Free, or open: then it has a hold, a token that every step names. The lease is
 * renewed by every append, and by a timer in between. Nothing is lost by
 * oversleeping it: the hold ends only when somebody else has taken the log, which
 * the next step finds out; that aborts `lost`, and every later step rejects with
 * the same error.
 *
 * A step whose answer does not come is repeated until a lease has passed, or ten
 * seconds, which its service makes harmless; then it is `PAWL_CHECKPOINT_IO`, worth repeating. A
 * failed append is final, as a file's is.
 */
import { delay, type Environment, type Timer } from '../environment.js'
import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { UploadError } from '../errors.js'
import { messageOf } from '../realm.js'
import { laterOf, type Moment, momentOn, passedSince } from './moment.js'
import { Unheard, type Hold, type LeaseSteps, type Outcome } from './steps.js'

/** ms between repeated steps, at first and at most. */
const firstPause = 50
const longestPause = 1000
/** ms */
const leastPatience = 10_000
/** Renewals of which each is answered too late to say who has the log by then. */
const mostConfirmations = 10

type LeaseEnvironment = Pick<Environment, 'timer' | 'monotonic' | 'now' | 'id'>

/** What is true while the log is open. */
interface Held extends Hold {
  /** Bytes that must be there. */
  size: number
  /** When the last step that was answered began: its lease is younger. */
  heardAt: Moment
  readonly ending: AbortController
  failure: UploadError | undefined
  /** The log is being removed: its lease is renewed no more. */
  isRemoving: boolean
  timer: Timer | undefined
  readonly freeFor: number | undefined
  readonly canLose: boolean
}

export class LeasedCheckpoint implements Checkpoint {
  readonly name: string
  readonly isLeased = true
  readonly linger: number | undefined
  readonly #steps: LeaseSteps
  readonly #lease: number
  /** ms that a step is repeated: a short lease is no reason to give up sooner. */
  readonly #patience: number
  readonly #environment: LeaseEnvironment
  #held: Held | undefined
  #isOpening = false

  constructor(
    steps: LeaseSteps,
    {
      lease,
      environment,
      linger,
    }: { lease: number; environment: LeaseEnvironment; linger?: number },
  ) {
    this.linger = linger
    this.name = steps.name
    this.#steps = steps
    this.#lease = lease
    this.#patience = Math.max(lease, leastPatience)
    this.#environment = environment
  }

  get lost(): AbortSignal | undefined {
    return this.#held?.ending.signal
  }

  get freeFor(): number | undefined {
    return this.#held?.freeFor
  }

  get canLose(): boolean | undefined {
    return this.#held?.canLose
  }

  async open(): Promise<Uint8Array> {
    if (this.#held !== undefined || this.#isOpening) {
      throw logLocked(this.name, undefined)
    }
    this.#isOpening = true
    try {
      const hold = { token: this.#environment.id(), lease: this.#lease }
      const heardAt = momentOn(this.#environment)
      const { bytes, ...known } = await this.#repeat('opened', () =>
        this.#steps.open(hold),
      )
      this.#held = {
        ...hold,
        ...known,
        size: bytes.length,
        heardAt,
        ending: new AbortController(),
        failure: undefined,
        isRemoving: false,
        timer: undefined,
      }
      this.#renewLater(this.#held)
      return bytes
    } finally {
      this.#isOpening = false
    }
  }

  /** What it says, for who only looks: nothing is held, or waited for. */
  peek(): Promise<Uint8Array> {
    return this.#repeat('read', () => this.#steps.peek())
  }

  async append(bytes: Uint8Array): Promise<void> {
    const held = this.#opened()
    const { size } = held
    try {
      await this.#step(held, 'written', () =>
        bytes.length === 0
          ? this.#steps.renew(held)
          : this.#steps.append(held, size, bytes),
      )
      held.size = size + bytes.length
    } catch (error) {
      if (error instanceof UploadError) held.failure ??= error
      throw error
    }
  }

  async setAside(): Promise<string> {
    const held = this.#opened()
    const aside = `damaged-${held.token.slice(0, 8)}`
    await this.#step(held, 'set aside', () => this.#steps.setAside(held, aside))
    held.size = 0
    return `${this.name}, ${aside}`
  }

  async remove(): Promise<boolean> {
    const held = this.#opened()
    // A renewal in the middle of the removal would take the log for another
    // run's.
    held.isRemoving = true
    const isRemoved = await this.#step(held, 'removed', () =>
      this.#steps.remove(held),
    ).then(
      () => true,
      () => false,
    )
    held.isRemoving = false
    if (isRemoved) this.#letGo(held)
    return isRemoved
  }

  async close(): Promise<void> {
    const held = this.#held
    if (held === undefined) return
    this.#letGo(held)
    if (held.ending.signal.aborted) return
    // If the service does not hear of it, the lease ends by itself.
    await this.#once(() => this.#steps.close(held)).catch(() => undefined)
  }

  /** Who was stopped while the answer was under way knows nothing by it: asked anew. */
  async confirm(): Promise<void> {
    const held = this.#opened()
    for (let renewals = 0; ; renewals++) {
      if (held.failure !== undefined) throw held.failure
      const age = passedSince(held.heardAt, this.#environment)
      if (age < this.#lease / 2) return
      if (renewals === mostConfirmations) {
        throw new UploadError(
          'PAWL_CHECKPOINT_IO',
          `${this.name} answers too late for a lease of ${this.#lease} ms`,
          { transient: true },
        )
      }
      await this.#step(held, 'renewed', () => this.#steps.renew(held))
    }
  }

  #opened(): Held {
    if (this.#held !== undefined) return this.#held
    throw new UploadError('PAWL_INVALID_STATE', `${this.name} is not open`)
  }

  #letGo(held: Held): void {
    held.timer?.cancel()
    if (this.#held === held) this.#held = undefined
  }

  #renewLater(held: Held): void {
    held.timer = this.#environment.timer(
      this.#lease / 3,
      () => void this.#renew(held),
      { isIdle: true },
    )
  }

  /** Never rejects: a renewal that failed shows in the next step. */
  async #renew(held: Held): Promise<void> {
    const begun = momentOn(this.#environment)
    try {
      const age = passedSince(held.heardAt, this.#environment)
      const isDue = age >= this.#lease / 4
      if (isDue && !held.isRemoving) {
        const outcome = await this.#once(() => this.#steps.renew(held))
        if (this.#held === held && !held.isRemoving) {
          this.#take(held, outcome, begun)
        }
      }
    } catch (error) {
      if (held.ending.signal.aborted) return
      if (!(error instanceof UploadError) && !(error instanceof Unheard)) {
        throw error
      }
    }
    if (this.#held === held) this.#renewLater(held)
  }

  async #step(
    held: Held,
    what: string,
    step: () => Promise<Outcome>,
  ): Promise<void> {
    if (held.failure !== undefined) throw held.failure
    const begun = momentOn(this.#environment)
    const outcome = await this.#repeat(what, step, held)
    this.#take(held, outcome, begun)
  }

  /** Throws when the log is somebody else's now. */
  #take(held: Held, outcome: Outcome, begun: Moment): void {
    if (outcome === 'done') {
      held.heardAt = laterOf(held.heardAt, begun)
      return
    }
    const why =
      outcome === 'taken'
        ? 'was taken by another run while this one did not renew its lease, or is gone'
        : 'is not as this run has left it: a failover has lost its end, or somebody else has written to it'
    const failure = new UploadError(
      'PAWL_CHECKPOINT_LOST',
      `${this.name} ${why}; run the same call again`,
      { resumable: true, transient: true },
    )
    held.failure ??= failure
    this.#letGo(held)
    // The hold is lost: every later step rejects with the reason.
    this.#held = held
    held.ending.abort(held.failure)
    throw held.failure
  }

  /** One attempt. */
  async #once<T>(step: () => Promise<T>): Promise<T> {
    const { timeout } = this.#steps
    if (timeout === undefined) return step()
    let timer: Timer | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = this.#environment.timer(timeout, () =>
        reject(new Unheard('no answer came in time')),
      )
    })
    try {
      return await Promise.race([step(), late])
    } finally {
      timer?.cancel()
    }
  }

  async #repeat<T>(
    what: string,
    step: () => Promise<T>,
    held?: Held,
  ): Promise<T> {
    const { monotonic } = this.#environment
    const begun = monotonic()
    const { signal } = new AbortController()
    let attempts = 0
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      attempts++
      try {
        return await this.#once(step)
      } catch (error) {
        if (!(error instanceof Unheard)) throw error
        const isOver = held !== undefined && this.#held !== held
        const isLate = monotonic() - begun >= this.#patience
        // Of a machine that was stopped, the time says nothing of the service.
        if (isOver || (isLate && attempts > 1)) {
          throw new UploadError(
            'PAWL_CHECKPOINT_IO',
            `${this.name} could not be ${what}: ${messageOf(error)}`,
            { transient: true },
          )
        }
        await delay(this.#environment, pause, signal)
      }
    }
  }
}

/** `retryAfter`: ms, where it is known. */
export function logLocked(
  name: string,
  retryAfter: number | undefined,
): UploadError {
  const until =
    retryAfter === undefined
      ? ''
      : `; its lease ends in ${Math.ceil(retryAfter / 1000)} s unless it is renewed`
  return new UploadError(
    'PAWL_CHECKPOINT_LOCKED',
    `${name} is held by another upload${until}`,
    { resumable: true, transient: true, retryAfter },
  )
}
