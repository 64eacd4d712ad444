/**
 * A place for logs as uploads use it, whoever has written it.
 *
 * - Whatever its steps reject with is an `UploadError`: what is none becomes a
 *   `PAWL_CHECKPOINT_IO` with that as its `cause`.
 * - A step that is not answered within `timeout.checkpoint` has failed with one, worth
 *   repeating. It may still be under way, so that no step follows it but `close()`.
 * - `remove()` resolves to false in either case: the object is complete.
 * - `close()` never rejects, is waited for no longer than a suspension may take, and
 *   ends the time of what was asked before it.
 */
import type { Environment, Timer } from '../environment.js'
import { UploadError } from '../errors.js'
import { isUint8Array, messageOf } from '../realm.js'
import type { Checkpoint } from './checkpoint.js'

/** ms by which a timer is late where the machine slept, or its loop was blocked. */
const sleep = 5000
/** ms */
const longestClose = 2000

export interface CheckpointBounds {
  environment: Pick<Environment, 'timer' | 'monotonic' | 'soon'>
  /** ms that one step may take. */
  timeout: number
}

export function checkedCheckpoint(
  sink: Checkpoint,
  bounds: CheckpointBounds,
): Checkpoint {
  const steps = new Steps(sink, bounds)
  return {
    name: sink.name,
    get isLeased() {
      return sink.isLeased
    },
    get canLose() {
      return sink.canLose
    },
    get freeFor() {
      return sink.freeFor
    },
    get lost() {
      return sink.lost
    },
    get linger() {
      return sink.linger
    },
    open: () => steps.open(),
    append: (bytes) => steps.take('written', () => sink.append(bytes)),
    setAside: () => steps.take('set aside', () => sink.setAside()),
    remove: () => steps.remove(),
    close: () => steps.close(),
    ...(sink.empty !== undefined && {
      empty: () => steps.take('emptied', async () => sink.empty?.()),
    }),
    ...(sink.confirm !== undefined && {
      confirm: () => steps.take('confirmed', async () => sink.confirm?.()),
    }),
  }
}

class Steps {
  readonly #sink: Checkpoint
  readonly #environment: Pick<Environment, 'timer' | 'monotonic' | 'soon'>
  readonly #timeout: number
  readonly #timers = new Set<Timer>()
  #underWay = 0
  /** Of a step that was not answered in time. */
  #failure: UploadError | undefined

  constructor(sink: Checkpoint, { environment, timeout }: CheckpointBounds) {
    this.#sink = sink
    this.#environment = environment
    this.#timeout = timeout
  }

  async open(): Promise<Uint8Array> {
    const opening = this.#ask(() => this.#sink.open())
    // Who gave up waiting for it has no hold.
    const bytes: unknown = await this.#bound(
      'opened',
      opening,
      () => void this.close(),
    )
    if (isUint8Array(bytes)) return bytes
    await this.close()
    throw failed(this.#sink.name, 'opened', 'it gave no Uint8Array')
  }

  take<T>(what: string, step: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return this.#bound(what, this.#ask(step))
  }

  async remove(): Promise<boolean> {
    // Of a run that was stopped a step may be under way, and stay so.
    if (this.#underWay > 0) return false
    try {
      return await this.take('removed', () => this.#sink.remove())
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    const closing = this.#ask(() => this.#sink.close())
    await new Promise<void>((resolve) => {
      const timer = this.#environment.timer(longestClose, resolve)
      const end = (): void => {
        timer.cancel()
        resolve()
      }
      // All that was said in the log is durable: nothing comes of a failure.
      closing.then(end, end)
    })
  }

  /** Asked at once; what is thrown in the same turn is a rejection too. */
  async #ask<T>(step: () => Promise<T>): Promise<T> {
    this.#underWay++
    try {
      return await step()
    } finally {
      this.#underWay--
    }
  }

  /** Settles as the step does, if that is in time; `late` hears of it otherwise. */
  #bound<T>(
    what: string,
    step: Promise<T>,
    late: () => void = () => undefined,
  ): Promise<T> {
    const { name } = this.#sink
    const ms = this.#timeout
    return new Promise((resolve, reject) => {
      let [isLate, isOver] = [false, false]
      let timer: Timer
      const begin = (): void => {
        const begun = this.#environment.monotonic()
        timer = this.#environment.timer(ms, () => {
          this.#timers.delete(timer)
          // The answer may have come while nobody was awake.
          if (this.#environment.monotonic() - begun - ms >= sleep) {
            begin()
            return
          }
          // So it may in a loop that was blocked: it has one more turn.
          this.#environment.soon(() => {
            if (isOver) return
            isLate = true
            this.#failure ??= tooLate(name, what, ms)
            reject(this.#failure)
          })
        })
        this.#timers.add(timer)
      }
      const end = (): void => {
        isOver = true
        timer.cancel()
        this.#timers.delete(timer)
      }
      begin()
      step.then(
        (answer) => {
          end()
          if (isLate) late()
          else resolve(answer)
        },
        (error: unknown) => {
          end()
          reject(
            error instanceof UploadError
              ? error
              : failed(name, what, messageOf(error), error),
          )
        },
      )
    })
  }
}

/** Why a sink whose hold of the log was taken, and which has told of it, is lost. */
export function lostHold({ name, lost }: Checkpoint): UploadError {
  const cause: unknown = lost?.reason
  if (cause instanceof UploadError) return cause
  return new UploadError(
    'PAWL_CHECKPOINT_LOST',
    `${name} is no longer held: ${messageOf(cause)}; run the same call again`,
    { cause, resumable: true, transient: true },
  )
}

function failed(
  name: string,
  what: string,
  why: string,
  cause?: unknown,
): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name} could not be ${what}: ${why}`,
    { cause },
  )
}

function tooLate(name: string, what: string, ms: number): UploadError {
  return new UploadError(
    'PAWL_CHECKPOINT_IO',
    `${name} could not be ${what}: no answer came within ${ms / 1000} s (timeout.checkpoint)`,
    { transient: true },
  )
}
