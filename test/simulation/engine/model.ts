/**
 * A service that keeps one log for all machines, under the real leased checkpoint:
 * it does what `lib/lease/steps` asks of one, each step at a moment of its own, by
 * its own clock. It may be away, answer late or never, and fail over to a replica
 * that has not heard of the last steps.
 *
 * It also watches to whom the log is given: a grant while another run's lease lasts,
 * or a step of a run in another's name, is remembered as a breach.
 */
import {
  LeasedCheckpoint,
  logLocked,
} from '../../../lib/lease/leased-checkpoint.js'
import { stepTimeout } from '../../../lib/lease/options.js'
import {
  Unheard,
  type Hold,
  type LeaseSteps,
  type OpenedLog,
  type Outcome,
} from '../../../lib/lease/steps.js'
import type { Checkpoint } from '../../../lib/checkpoint/checkpoint.js'
import type { Process } from '../process.js'
import { Random } from '../random.js'
import type { Actor } from '../store/truth.js'
import type { World } from '../world.js'
import { engineFaults, type EngineFault } from './faults.js'

/** How a log on a service is held and kept. */
export interface LeasePlan {
  /** ms */
  lease: number
  /** A failover may lose what was acknowledged. */
  canLose: boolean
  /** ms that part records wait for each other. */
  linger: number
}

export interface EngineSurroundings {
  readonly world: World
  readonly engineBudget: { most: number; likely: number }
  lean<T extends { name: string; weight: number }>(
    rows: readonly T[],
  ): readonly T[]
  moment(name: string, process: Process): void
  actorOf(process: Process): Actor
}

interface Held {
  readonly token: string
  readonly until: number
  readonly run: number | undefined
}

/** All that it keeps, as it is at one moment. */
interface Kept {
  readonly bytes: Buffer | undefined
  readonly hold: Held | undefined
  /** When it was last let go of. */
  readonly ended: number | undefined
}

const nothing: Kept = { bytes: undefined, hold: undefined, ended: undefined }

const name = 'the log in the engine'

export class EngineModel {
  readonly breaches: string[] = []
  readonly #around: EngineSurroundings
  readonly #plan: LeasePlan
  readonly #history: Kept[] = [nothing]
  /** Runs in the order in which they were given the log: again by a late open. */
  readonly #grants: number[] = []
  /** When the last step began that a run has heard of. */
  readonly #heardAt = new Map<number, number>()
  /** What the log said when each run was first given it. */
  readonly #given = new Map<number, Buffer | undefined>()
  #awayUntil = 0

  constructor(around: EngineSurroundings, plan: LeasePlan) {
    this.#around = around
    this.#plan = plan
  }

  /** The log, wherever it is said to be; undefined when there is none. */
  read(_path: string): Buffer | undefined {
    return this.#kept.bytes
  }

  /** The log as a run in a process has it. */
  checkpointFor(process: Process): Checkpoint {
    const { lease, linger } = this.#plan
    return new LeasedCheckpoint(this.stepsFor(process), {
      lease,
      environment: process.environment,
      ...(linger > 0 ? { linger } : {}),
    })
  }

  stepsFor(process: Process): LeaseSteps {
    const step = (
      what: string,
      { token, lease }: Hold,
      effect: (kept: Kept) => Outcome | [Outcome, Kept],
    ): Promise<Outcome> =>
      this.#ask(process, what, (run, now) => {
        const { hold } = this.#kept
        if (hold?.token !== token) return 'taken'
        if (hold.run !== run) {
          this.breaches.push(`run ${run} writes in the name of run ${hold.run}`)
        }
        this.#keep({ ...this.#kept, hold: { ...hold, until: now + lease } })
        const done = effect(this.#kept)
        if (typeof done === 'string') return done
        this.#keep(done[1])
        return done[0]
      })
    return {
      name,
      timeout: stepTimeout(this.#plan.lease),
      open: (hold) =>
        this.#ask(process, 'open', (run, now) => this.#open(hold, run, now)),
      peek: () =>
        this.#ask(process, 'peek', () => this.#kept.bytes ?? Buffer.alloc(0)),
      append: (hold, size, bytes) => {
        const copy = Buffer.from(bytes)
        return step('append', hold, (kept) => {
          const there = kept.bytes ?? Buffer.alloc(0)
          if (there.length === size) {
            return ['done', { ...kept, bytes: Buffer.concat([there, copy]) }]
          }
          const isThere = there.subarray(size).equals(copy)
          return isThere && there.length > size ? 'done' : 'elsewhere'
        })
      },
      renew: (hold) => step('renew', hold, () => 'done'),
      setAside: (hold) =>
        step('set aside', hold, (kept) => [
          'done',
          { ...kept, bytes: undefined },
        ]),
      remove: ({ token }) =>
        this.#ask(process, 'remove', () => {
          const { hold } = this.#kept
          if (hold !== undefined && hold.token !== token) return 'taken'
          if (hold !== undefined) this.#keep(nothing)
          return 'done'
        }),
      close: (hold) =>
        step('close', hold, (kept) => {
          if (kept.bytes === undefined) return ['done', nothing]
          const ended = this.#around.world.now
          return ['done', { ...kept, hold: undefined, ended }]
        }),
    }
  }

  /** Whether a run was given the log before another one was. */
  isOlder(run: number, other: number): boolean {
    return this.#grants.lastIndexOf(run) < this.#grants.lastIndexOf(other)
  }

  /** Whether nobody else was given the log since a run first was. */
  isNewest(run: number): boolean {
    const first = this.#grants.indexOf(run)
    const since = this.#grants.slice(Math.max(0, first))
    return since.every((other) => other === run)
  }

  /** What the log said when a run was first given it. */
  givenTo(run: number): Buffer | undefined {
    return this.#given.get(run)
  }

  /** ms since the last step that a run has heard of began. */
  silence(run: number): number {
    const since = this.#heardAt.get(run) ?? Number.NEGATIVE_INFINITY
    return this.#around.world.now - since
  }

  /** A replica takes over that has not heard of the last steps; false: of all. */
  failOver(random: Random): boolean {
    if (!this.#plan.canLose || this.#history.length < 2) return false
    const before = this.#kept
    const lost = 1 + random.below(Math.min(6, this.#history.length - 1))
    const kept = this.#history[this.#history.length - 1 - lost] ?? nothing
    this.#keep(kept)
    // Given back to the run before, it is that one's again.
    const { run } = kept.hold ?? {}
    if (run !== undefined && run !== before.hold?.run) this.#grant(run)
    return true
  }

  get #kept(): Kept {
    return this.#history.at(-1) ?? nothing
  }

  #keep(kept: Kept): void {
    this.#history.push(kept)
  }

  #grant(run: number): void {
    this.#grants.push(run)
  }

  #open(
    { token, lease }: Hold,
    run: number | undefined,
    now: number,
  ): OpenedLog {
    const { bytes, hold, ended } = this.#kept
    const isOwn = hold?.token === token
    if (hold !== undefined && hold.until > now) {
      if (!isOwn) throw logLocked(name, hold.until - now)
      if (hold.run !== run) {
        this.breaches.push(`the log of run ${hold.run} is given to run ${run}`)
      }
    }
    const since = isOwn ? ended : (hold?.until ?? ended)
    if (run !== undefined && hold?.run !== run) this.#grant(run)
    if (run !== undefined && !this.#given.has(run)) this.#given.set(run, bytes)
    this.#keep({
      bytes,
      hold: { token, until: now + lease, run },
      ended: since,
    })
    return {
      bytes: Buffer.from(bytes ?? []),
      freeFor: since === undefined ? undefined : Math.max(0, now - since),
      canLose: this.#plan.canLose,
    }
  }

  /** A step takes its time, and may go wrong. */
  #ask<T>(
    process: Process,
    what: string,
    effect: (run: number | undefined, now: number) => T,
  ): Promise<T> {
    const { world } = this.#around
    const { name: who, run } = this.#around.actorOf(process)
    const begun = world.now
    const decision = world.decisions.at(
      `${process.label}:log ${what}`,
      'engine',
      this.#around.engineBudget,
      () => this.#around.lean(engineFaults),
    )
    const random = new Random(decision?.detail ?? 0)
    const chosen = engineFaults.find((one) => one.name === decision?.does)
    if (chosen !== undefined) world.happens(chosen.name, who)
    if (chosen?.isAway === true) {
      this.#awayUntil = begun + random.spread(1000, 300_000)
    }
    const fault = begun < this.#awayUntil ? away : chosen
    world.tell(who, `${what} the log${fault ? `, which ${fault.story}` : ''}`)
    this.#around.moment(`log ${what}`, process)
    return new Promise<T>((resolve, reject) => {
      const act = (): (() => void) => {
        try {
          const value = effect(run, world.now)
          return () => resolve(value)
        } catch (error) {
          return () => reject(error)
        }
      }
      const hear = (settle: () => void): void => {
        if (fault?.hears === 'nothing') return
        world.soon(process, () => {
          if (fault?.hears === 'lost connection') {
            reject(new Unheard('the connection was lost'))
            return
          }
          if (run !== undefined) this.#heardAt.set(run, begun)
          settle()
        })
      }
      if (fault?.effect === 'none') {
        hear(() => undefined)
        return
      }
      if (fault?.effect === 'late') {
        world.in(random.spread(500, 3_600_000), undefined, act)
        return
      }
      world.soon(undefined, () => {
        if (fault?.effect === 'twice') act()
        hear(act())
      })
    })
  }
}

const away: Pick<EngineFault, 'story' | 'effect' | 'hears'> = {
  story: 'is not answered',
  effect: 'none',
  hears: 'nothing',
}
