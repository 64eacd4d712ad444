/**
 * One schedule: the machines, the store and the runs of a plan, one after the
 * other, then fault-free runs until the upload has come to its end.
 *
 * The first invariant that does not hold ends it.
 */
import { equalParts } from '../../lib/checkpoint/growth.js'
import { logChanges, runOf } from './invariants/check.js'
import { mayRepeat } from './invariants/failure.js'
import { logOn, namesOpen } from './invariants/log.js'
import { openUploads } from './invariants/uploads.js'
import {
  afterRun,
  atTheEnd,
  onAbort,
  onComplete,
  onMade,
  onMaking,
  type Check,
} from './invariants/table.js'
import { Decisions, type Decision } from './decisions.js'
import { DiskModel } from './disk/model.js'
import { EngineModel } from './engine/model.js'
import {
  interludes,
  interventions,
  type Intervention,
} from './interventions.js'
import { landsAt, leaningTo, likelyAt } from './leanings.js'
import { bytesOf, traitsOf, type Plan, type RunPlan } from './plan.js'
import { Process, type Machine } from './process.js'
import { Random, seedOf } from './random.js'
import { key, logPath, sourcePath } from './places.js'
import { Run } from './run.js'
import { SourceDisk } from './source-disk.js'
import type { CallName } from './store/contract.js'
import type { CompleteUploadRequest } from './store/contract.js'
import { Heard } from './store/heard.js'
import { HeldRequests } from './store/held.js'
import type { Fault } from './store/faults.js'
import { StoreModel, type Away, type Surroundings } from './store/model.js'
import { StoreTruth, type Actor } from './store/truth.js'
import { World, type Told } from './world.js'

/** An invariant that did not hold. */
export interface Violation {
  invariant: string
  text: string
}

/** What a schedule was made from, and what came of it. */
export interface Played {
  seed: number
  plan: Plan
  decisions: readonly Decision[]
  waits: readonly number[]
  trace: readonly Told[]
  events: number
  violation: Violation | undefined
}

/** ms; a run that takes longer has hung. */
const longestRun = 6 * 3_600_000
/** ms that an end by the caller may take. */
const longestEnding = 2000
/** Without a log it aborts its upload first: two attempts of ten seconds. */
const longestCleanUp = 25_000
/** ms of an outage within which a run has given up. */
const longestOutage = 3_600_000
/** Of one plan, while another run has the log. */
const mostCalls = 6
/** All that was under way has landed by then. */
const quiet = 2 * 3_600_000

export class Scene implements Surroundings {
  readonly world: World
  readonly truth: StoreTruth
  readonly heard = new Heard()
  readonly held: HeldRequests
  readonly denied: Set<CallName>
  readonly machines: [Machine, Machine, ...Machine[]]
  /** Where all machines have their log, if they share one. */
  readonly engine: EngineModel | undefined
  readonly engineBudget: { most: number; likely: number }
  readonly runs: Run[] = []
  /** Copies of the log as it was after each run. */
  readonly oldLogs: Buffer[] = []
  readonly plan: Plan
  /** Uploads that a log could not, or can no longer, know of. */
  readonly forgotten = new Set<string>()
  violation: Violation | undefined
  away: Away | undefined
  /** From now on nothing goes wrong any more. */
  isHealing = false
  readonly faultBudget: Plan['faults']
  readonly diskBudget: Plan['disk']
  readonly #outside: Random
  readonly #stores = new Map<Process, StoreModel>()
  readonly #processes: Process[] = []
  readonly #waiting: RunPlan[]
  readonly #except: ReadonlySet<string>
  #isSecondUsed = false

  constructor(
    seed: number,
    plan: Plan,
    decisions: Decisions,
    except: readonly string[] = [],
  ) {
    this.#except = new Set(except)
    this.plan = plan
    this.faultBudget = plan.faults
    this.diskBudget = plan.disk
    this.world = new World(decisions)
    this.held = new HeldRequests(this.world)
    this.truth = new StoreTruth(this.world, traitsOf(plan))
    this.denied = new Set(plan.denied as CallName[])
    this.#outside = new Random(seedOf(seed, 3))
    this.#waiting = [...plan.runs]
    this.engineBudget = plan.engine ?? { most: 0, likely: 0 }
    this.engine = plan.lease && new EngineModel(this, plan.lease)
    const machine = (name: string, index = 0): Machine => {
      const disk = new DiskModel(name, this)
      const sources = new SourceDisk(this.world, BigInt(9 + index))
      return { name, disk, logs: this.engine ?? disk, sources }
    }
    this.machines = [
      machine('machine A'),
      machine('machine B', 1),
      ...(this.engine === undefined ? [] : [machine('machine C', 2)]),
    ]
    this.#watch()
  }

  /** Every run, and those that show how it can end. */
  async play(): Promise<void> {
    if (this.engine === undefined) await this.#playInTurn()
    else await this.#playTogether()
    await this.#heal()
    for (const check of atTheEnd) this.check(check, () => check.of(this))
  }

  /** Each on the next machine, whether the one before it has ended or not. */
  async #playTogether(): Promise<void> {
    const calls: Promise<void>[] = []
    for (let plan = this.#next(); plan !== undefined; plan = this.#next()) {
      const machine = this.machines[calls.length % this.machines.length]
      const call = this.#callUntilHeld(plan, machine ?? this.machines[0])
      calls.push(call)
      const { after = 0 } = this.#waiting[0] ?? {}
      await Promise.race([call, this.world.sleep(after)])
    }
    await Promise.all(calls)
  }

  /** Refused while another has the log, its caller comes again. */
  async #callUntilHeld(plan: RunPlan, machine: Machine): Promise<void> {
    for (let tries = 1; tries <= mostCalls; tries++) {
      const run = this.#start(plan, machine)
      await run.ended
      this.#letThrough('ended', run)
      const { code, retryAfter = 1000 } = errorOf(run.outcome)
      if (code !== 'PAWL_CHECKPOINT_LOCKED') return
      await this.world.sleep(retryAfter + 1)
    }
  }

  async #playInTurn(): Promise<void> {
    for (let plan = this.#next(); plan !== undefined; plan = this.#next()) {
      if (plan.after > 0) await this.world.sleep(plan.after)
      this.#interlude()
      const run = this.#start(plan, this.machines[0])
      await run.ended
      // A run on the other machine may be going on still.
      await Promise.all(this.runs.map(({ ended }) => ended))
      this.#letThrough('ended', run)
      const log = this.machines[0].disk.read(logPath)
      if (log !== undefined && log.length > 0) this.oldLogs.push(log)
    }
  }

  /** Says that an invariant does not hold, unless one before it did not. */
  check({ name }: { name: string }, find: () => string | undefined): void {
    if (this.violation !== undefined || this.#except.has(name)) return
    const text = find()
    if (text !== undefined) this.violation = { invariant: name, text }
  }

  lean<T extends { name: string; weight: number }>(rows: readonly T[]) {
    return leaningTo(rows, this.plan.leaning)
  }

  /** How likely anything is at a call, or at a moment of one. */
  likely(likely: number, call: string): number {
    return likely * likelyAt(call, this.plan.leaning)
  }

  actorOf(process: Process): Actor {
    const run = this.runOf(process)
    return run?.actor ?? { name: process.name }
  }

  /** The last run in a process. */
  runOf(process: Process): Run | undefined {
    return this.runs.findLast((run) => run.process === process)
  }

  moment(name: string, process: Process): void {
    const run = this.runOf(process)
    if (run === undefined || this.isHealing) return
    this.#letThrough(name, run)
    const { interventions: budget } = this.plan
    const decision = this.world.decisions.at(
      `${process.label}:${name}`,
      'intervention',
      {
        most: budget.most,
        likely: this.likely(budget.likely, name) * keen(name),
      },
      () => this.lean(interventions),
    )
    if (decision === undefined) return
    const intervention = interventions.find((one) => one.name === decision.does)
    if (intervention === undefined) return
    // An event of its own: what the moment belongs to goes on first.
    this.world.in(0, undefined, () =>
      this.#act(intervention, run, new Random(decision.detail)),
    )
  }

  /** What was held up arrives at the moment at which it does most harm. */
  #letThrough(name: string, { actor, process }: Run): void {
    // Most of all while a Complete is under way, or when it has been answered.
    const anywhere = 0.02 * keen(name) ** 2
    const likely = landsAt(name, this.plan.leaning) ?? anywhere
    const decision = this.world.decisions.at(
      `${process.label}:${name}`,
      'landing',
      { most: 2, likely: this.held.isEmpty ? 0 : likely },
      () => [{ name: 'lands', weight: 1 }],
    )
    if (decision === undefined) return
    this.world.tell(
      '!',
      `what was held up on its way arrives now (${actor.name})`,
    )
    this.held.letThrough()
  }

  makes(process: Process): void {
    const run = this.runOf(process)
    if (run === undefined) return
    for (const check of onMaking) this.check(check, () => check.of(this, run))
  }

  completes(request: CompleteUploadRequest, process: Process): void {
    const run = this.runOf(process)
    if (run === undefined) return
    for (const check of onComplete) {
      this.check(check, () => check.of(this, run, request))
    }
  }

  /** No request reaches the store any more, for so many ms; false while it is away. */
  isAwayFor(ms: number, fault: Fault): boolean {
    const { now } = this.world
    if (this.away !== undefined && this.away.until > now) return false
    this.away = { from: now, until: now + ms, fault }
    if (ms > longestOutage) {
      this.world.in(longestOutage, undefined, () => this.#mustHaveGivenUp(now))
    }
    return true
  }

  #mustHaveGivenUp(since: number): void {
    if (!this.world.hasHappenedOnly('store-away')) return
    const run = this.runs.find(
      ({ startedAt, outcome }) => startedAt <= since && outcome === undefined,
    )
    this.check(
      { name: 'a store that stays away is given up' },
      () => run && `${run.actor.name} has waited for an hour`,
    )
  }

  /** The process is dead at once; its requests land, land late or are lost. */
  kill(process: Process, random: Random): boolean {
    if (!process.isAlive) return false
    // Where it is to land later it is held up.
    const lands = landsAt('ended', this.plan.leaning)
    const fate = lands === undefined ? random.below(3) : 2
    process.kill((request) => {
      if (fate === 1) request.isCancelled = true
      if (fate === 2) {
        this.held.holdUp(random.spread(500, 3_600_000), request.happen)
        request.isCancelled = true
      }
    }, this.world.now)
    for (const run of this.runs) if (run.process === process) run.kill()
    this.#forget((run) => run.process === process)
    return true
  }

  /** What some runs have begun, and no log knows after what has happened to it. */
  #forget(isOfThem: (run: Run) => boolean): void {
    const states = this.machines.map(({ logs }) => logOn(logs))
    for (const { id, by } of openUploads(this)) {
      const run = runOf(this, by.run)
      const isKnown = states.some((state) => namesOpen(state, id))
      if (run !== undefined && isOfThem(run) && !isKnown) this.forgotten.add(id)
    }
  }

  losePower(machine: Machine, random: Random): boolean {
    for (const process of this.#processes) {
      if (process.machine === machine) this.kill(process, random)
    }
    machine.disk.losePower(random)
    this.#forget(({ process }) => process.machine === machine)
    return true
  }

  failOver(random: Random): boolean {
    if (this.engine?.failOver(random) !== true) return false
    this.#forget(() => true)
    return true
  }

  startOnSecondMachine({ process, plan }: Run, random: Random): boolean {
    const [from, to] = this.machines
    if (process.machine !== from || this.#isSecondUsed) return false
    const log = from.disk.read(logPath)
    if (log === undefined) return false
    this.#isSecondUsed = true
    to.disk.put(logPath, log)
    this.world.in(random.spread(1, 60_000), undefined, () =>
      this.#start(this.#next() ?? plan, to),
    )
    return true
  }

  #next(): RunPlan | undefined {
    return this.#waiting.shift()
  }

  #start(plan: RunPlan, machine: Machine): Run {
    const number = this.runs.length + 1
    const before = this.runs.at(-1)?.process
    const canReuse =
      plan.sameProcess && before?.isAlive === true && before.machine === machine
    const process = canReuse
      ? before
      : new Process(`process ${number}`, machine, {
          world: this.world,
          random: this.#outside,
        })
    process.label = `run ${number}`
    this.#processes.push(process)
    const store = this.#stores.get(process) ?? new StoreModel(this, process)
    this.#stores.set(process, store)
    if (plan.style === 'file') this.#place(plan, machine)
    const run = new Run({ number, plan, process }, this.world)
    this.runs.push(run)
    this.world.tell(run.actor.name, `begins on ${machine.name}: ${brief(plan)}`)
    run.start(store, this.engine)
    this.world.in(longestRun, undefined, () => this.#loosePatience(run))
    void run.ended.then(() => {
      for (const check of afterRun) this.check(check, () => check.of(this, run))
    })
    return run
  }

  /** The file is what the plan says, and the same file when that has not changed. */
  #place({ source }: RunPlan, { sources }: Machine): void {
    const before = this.runs.findLast(
      ({ plan, process }) =>
        plan.style === 'file' && process.machine.sources === sources,
    )
    const isSame =
      before !== undefined &&
      before.sources.length === 1 &&
      JSON.stringify(before.plan.source) === JSON.stringify(source)
    if (isSame) return
    const modified = this.world.now - 60_000
    sources.replace(sourcePath, bytesOf(source), modified)
  }

  #loosePatience(run: Run): void {
    if (run.outcome !== undefined) return
    this.world.tell(run.actor.name, 'takes six hours; its caller ends it')
    // Of a system call that hangs nothing says that it ever ends.
    if (!this.world.hasHappened(['hanging-disk'], { to: run.actor.name })) {
      this.check({ name: 'every run settles' }, () => 'it has not in six hours')
    }
    run.endBy(run.plan.style === 'file' ? 'signal' : 'destroy')
    this.#mustEnd(run)
  }

  /** Ended by its caller, a run has settled within the bound. */
  #mustEnd(run: Run): void {
    const bound = run.plan.log ? longestEnding : longestCleanUp
    this.world.in(bound + 50, undefined, () => {
      if (run.outcome !== undefined) return
      if (run.process.pausedUntil > this.world.now) {
        this.#mustEnd(run)
        return
      }
      this.check(
        { name: 'an ended run settles within its bound' },
        () => `${run.actor.name}, ended by ${run.ending?.how}, has not`,
      )
    })
  }

  #act(intervention: Intervention, run: Run, random: Random): void {
    const isOver = run.outcome !== undefined && run.process.isAlive
    if (this.isHealing || isOver || !run.process.isAlive) return
    const { name, story } = intervention
    const at = this.world.trace.length
    if (!intervention.act(this, run, random)) return
    this.world.happens(name, run.actor.name)
    this.world.trace.splice(at, 0, {
      at: this.world.now,
      who: '!',
      text: `${story} (${run.actor.name})`,
    })
    if (run.ending !== undefined) this.#mustEnd(run)
  }

  #interlude(): void {
    const run = this.runs.at(-1)
    if (run === undefined) return
    const { interventions: budget } = this.plan
    const decision = this.world.decisions.at(
      'between runs',
      'interlude',
      { most: Math.min(1, budget.most), likely: 0.3 },
      () => this.lean(interludes),
    )
    const interlude = interludes.find(({ name }) => name === decision?.does)
    if (decision === undefined || interlude === undefined) return
    if (!interlude.act(this, run, new Random(decision.detail))) return
    this.world.happens(interlude.name)
    this.world.tell('!', `${interlude.story} (between two runs)`)
    if (logChanges.includes(interlude.name)) this.#forget(() => true)
  }

  /** The same call again and again, without faults, until it has succeeded. */
  async #heal(): Promise<void> {
    const last = this.runs.at(-1)
    if (last === undefined) return
    const { outcome } = last
    // What the caller itself kept from succeeding was not the same call.
    const { discards, vetoes } = last.plan
    const mayBeRepeated = discards || vetoes ? 'no' : mayRepeat(outcome)
    this.isHealing = true
    this.world.decisions.isOver = true
    this.away = undefined
    await this.world.sleep(quiet)
    this.world.tell('!', 'from now on nothing goes wrong any more')
    for (const process of this.#processes) process.kill(() => undefined, 0)
    let run = last
    let plan: RunPlan = {
      ...last.plan,
      sameProcess: false,
      discards: false,
      vetoes: false,
    }
    let tries = 0
    let said = mayBeRepeated
    while (run.outcome?.kind !== 'success' && tries < 3) {
      const cured = this.#cure(run, plan)
      if (cured !== undefined) {
        plan = cured
        tries = 0
        if (said === 'as it is') said = 'once the cause is gone'
      }
      tries += 1
      run = this.#start(plan, this.machines[0])
      await run.ended
      if (this.violation !== undefined) return
      if (hasEnded(this, run)) break
      // A cause of its own, which only a Complete that nothing else is wrong with shows.
      // What was learned of the store went with the log of a run that succeeded.
      const done = this.runs.findLastIndex(
        ({ outcome }) => outcome?.kind === 'success',
      )
      const since = this.runs.slice(done + 1)
      if (since.findIndex(isRefusedAsUnequal) === since.indexOf(run)) {
        tries -= 1
      }
      await this.world.sleep(quiet)
    }
    this.check({ name: 'what fails can be ended' }, () =>
      hasEnded(this, run)
        ? undefined
        : `${tries} fault-free runs have not: ${textOf(run)}`,
    )
    this.check({ name: 'what is transient ends with nothing changed' }, () =>
      said === 'as it is' && tries > 2
        ? `${last.actor.name} said that it was transient; it took ${tries} runs`
        : undefined,
    )
    this.check({ name: 'what is resumable ends in two runs' }, () =>
      said !== 'no' && tries > 2
        ? `${last.actor.name} said that it could be repeated; it took ${tries} runs`
        : undefined,
    )
  }

  /**
   * The call as it is made once the cause of a failure is gone; undefined when
   * nothing has to be changed, because that was told, or can be.
   */
  #cure({ outcome }: Run, plan: RunPlan): RunPlan | undefined {
    const { code, transient } = errorOf(outcome)
    // Without a log only the caller can give parts of one size.
    const isUnequal =
      code === 'PAWL_COMPLETE_REFUSED' &&
      this.truth.traits.equalParts &&
      plan.grows === true
    if (isUnequal && transient !== true && !plan.log) {
      return { ...plan, grows: false }
    }
    // Where ETags are no MD5s, only the caller can say so.
    const isIncomparable =
      code === 'PAWL_COMPLETE_UNKNOWN' &&
      this.truth.traits.etags === 'like-md5' &&
      plan.verify !== false
    if (isIncomparable && transient !== true) return { ...plan, verify: false }
    const isUnsupported = code === 'PAWL_VERIFY_UNSUPPORTED'
    // With nothing changed means: what was denied still is.
    if (transient === true || (this.denied.size === 0 && !isUnsupported)) {
      return undefined
    }
    this.denied.clear()
    if (!isUnsupported) return plan
    const { verify: _none, ...rest } = plan
    return rest
  }

  /** Looks at what is made and aborted when it is. */
  #watch(): void {
    const { truth } = this
    const show = (
      check: Check<never[]>,
      find: () => string | undefined,
    ): void => this.check(check, find)
    truth.onMade = (object, before) => {
      for (const check of onMade) {
        show(check, () => check.of(this, object, before))
      }
    }
    truth.onAbort = (upload, by) => {
      for (const check of onAbort) show(check, () => check.of(this, upload, by))
    }
  }
}

function errorOf(outcome: Run['outcome']): {
  code?: string
  status?: number
  transient?: boolean
  retryAfter?: number
} {
  return outcome?.kind === 'failure' ? (outcome.error as object) : {}
}

/** Success, or the end that the options ask for. */
function hasEnded(scene: Scene, { outcome, plan }: Run): boolean {
  if (outcome?.kind === 'success') return true
  if (outcome?.kind !== 'failure') return false
  const { error } = outcome
  const { code: name } = errorOf(outcome)
  if (name === 'PAWL_NOT_A_CHECKPOINT' && isAnyFile(scene)) return true
  // It takes no metadata, and this call asks for some.
  const { marks } = scene.truth.traits
  const isRefused = marks === 'refused' && plan.object.metadata > 0
  if (isRefused && errorOf(outcome).status === 400) return true
  const { maxParts } = scene.truth.traits
  const isTooLong = plan.source.size > maxParts * plan.partSize
  if (
    isTooLong &&
    (error as { code?: string }).code === 'PAWL_TOO_MANY_PARTS'
  ) {
    return true
  }
  if (!plan.object.forbidOverwrite) return false
  const { code, status } = error as { code?: string; status?: number }
  const isThere = scene.truth.current(key) !== undefined
  const isUnsupported = scene.truth.traits.putCondition === 'unsupported'
  // What a tool has made of it cannot be told from it, nor be replaced.
  const isRewritten =
    scene.world.hasHappened(['others-copy-mark']) &&
    code === 'PAWL_COMPLETE_UNKNOWN'
  return (
    (isThere && (code === 'PAWL_ALREADY_EXISTS' || isRewritten)) ||
    (isUnsupported && status === 501)
  )
}

/** Damaged in its first bytes it may be any file, of which none is touched. */
function isAnyFile({ machines: [{ disk }], world }: Scene): boolean {
  const start = disk.read(logPath)?.subarray(0, 32).toString('latin1') ?? ''
  const isMeantAsLog = /^[0-9a-f]{16} 1 log \{"pawl":/.test(start)
  return world.hasHappened(['log-damaged']) && !isMeantAsLog
}

function textOf({ outcome }: Run): string {
  return outcome?.kind === 'failure' ? String(outcome.error) : 'it was killed'
}

/** Rare moments count for more. */
function keen(name: string): number {
  if (/^(completeUpload|putObject)/.test(name)) return 5
  if (name === 'ended') return 4
  if (/^(createUpload|abortUpload|headObject|unlink|truncate)/.test(name))
    return 2
  return 1
}

function brief(plan: RunPlan): string {
  const { source, partSize, style, log, grows } = plan
  return `a ${style} of ${source.size} bytes in parts of ${partSize}${grows === true ? ', which may grow' : ''}${log ? '' : ', without a log'}`
}

/** Plays a schedule from its seed, or from decisions that were written down. */
export async function playSchedule(
  seed: number,
  plan: Plan,
  {
    list,
    except = [],
  }: {
    list?: { decisions: readonly Decision[]; waits: readonly number[] }
    /** Names of invariants that are not looked at. */
    except?: readonly string[]
  } = {},
): Promise<Played> {
  const decisions =
    list === undefined
      ? Decisions.fromSeed(seedOf(seed, 2))
      : Decisions.fromList(list.decisions, list.waits)
  const scene = new Scene(seed, plan, decisions, except)
  const { world } = scene
  const onNobodys = (error: unknown): void =>
    scene.check({ name: 'no failure is nobody’s' }, () => String(error))
  process.on('unhandledRejection', onNobodys)
  process.on('uncaughtException', onNobodys)
  try {
    await world.play(scene.play(), () => scene.violation !== undefined)
  } catch (error) {
    scene.check({ name: 'a schedule ends' }, () => String(error))
  } finally {
    process.off('unhandledRejection', onNobodys)
    process.off('uncaughtException', onNobodys)
  }
  return {
    seed,
    plan,
    decisions: decisions.made,
    waits: decisions.waits,
    trace: world.trace,
    events: world.events,
    violation: scene.violation,
  }
}

/** For the sizes of its parts, by what its log says. */
function isRefusedAsUnequal({ outcome, endLog }: Run): boolean {
  const { code } = errorOf(outcome)
  const isRefused = code === 'PAWL_COMPLETE_REFUSED'
  return isRefused && endLog?.upload?.voided === equalParts
}
