/**
 * Makes a schedule that breaks an invariant as small as it can be while it still
 * breaks the same one in the same way: fewer decisions, fewer runs, plainer
 * calls, smaller sources, even waits.
 */
import type { Decision } from './decisions.js'
import type { Plan, RunPlan } from './plan.js'
import { playSchedule, type Played, type Violation } from './scene.js'

interface Recipe {
  plan: Plan
  decisions: readonly Decision[]
  waits: readonly number[]
}

/** No failing schedule is worth more tries. */
const mostTries = 1500

export async function shrink(
  failed: Played,
  except: readonly string[] = [],
): Promise<Played> {
  const { seed, violation } = failed
  if (violation === undefined) return failed
  let best = failed
  let tries = 0
  /** The first recipe from `index` on that still fails; undefined when none does. */
  const next = async (index: number): Promise<number | undefined> => {
    const recipes = [...smallerThan(best)]
    for (let at = index; at < recipes.length && tries < mostTries; at++) {
      const recipe = recipes[at]
      if (recipe === undefined) break
      const { plan, ...list } = recipe
      const played = await playSchedule(seed, plan, { list, except })
      tries += 1
      if (!isSame(played.violation, violation)) continue
      best = played
      return at
    }
    return undefined
  }
  let wasSmaller = true
  while (wasSmaller) {
    wasSmaller = false
    let at = await next(0)
    while (at !== undefined) {
      wasSmaller = true
      at = await next(at)
    }
  }
  return best
}

function isSame(found: Violation | undefined, wanted: Violation): boolean {
  return (
    found !== undefined &&
    found.invariant === wanted.invariant &&
    kindOf(found) === kindOf(wanted)
  )
}

/** What a violation is about, without its numbers and options. */
export function kindOf({ text }: Violation): string {
  return text
    .replaceAll(/\{.*?\}\}?/g, '…')
    .replaceAll(/[0-9A-F]*\d[0-9A-F-]*/gi, '#')
}

/** Every recipe that is one step smaller. */
function* smallerThan({ plan, decisions, waits }: Played): Generator<Recipe> {
  for (let at = decisions.length - 1; at >= 0; at--) {
    const fewer = decisions.filter((_one, index) => index !== at)
    yield { plan, decisions: fewer, waits }
  }
  for (let at = plan.runs.length - 1; at >= 0; at--) {
    if (plan.runs.length > 1) yield withoutRun({ plan, decisions, waits }, at)
  }
  if (waits.some((wait) => wait !== 10)) {
    yield { plan, decisions, waits: [] }
    for (let share = 8; share >= 2; share /= 2) {
      const end = Math.floor(waits.length / share)
      yield { plan, decisions, waits: waits.slice(0, -end) }
    }
  }
  if (plan.knobs.length > 0) {
    yield { plan: { ...plan, knobs: [] }, decisions, waits }
  }
  if (plan.denied.length > 0) {
    yield { plan: { ...plan, denied: [] }, decisions, waits }
  }
  for (const [at, run] of plan.runs.entries()) {
    for (const plainer of plainerThan(run)) {
      const runs = plan.runs.map((one, index) => (index === at ? plainer : one))
      yield { plan: { ...plan, runs }, decisions, waits }
    }
  }
  yield* sameEverywhere({ plan, decisions, waits })
}

/** Later runs take the numbers of those before them. */
function withoutRun({ plan, decisions, waits }: Recipe, at: number): Recipe {
  const renumbered = decisions.flatMap((decision) => {
    const [, number] = /^run (\d+):/.exec(decision.at) ?? []
    if (number === undefined || Number(number) <= at) return [decision]
    if (Number(number) === at + 1) return []
    const label = `run ${Number(number) - 1}:`
    return [{ ...decision, at: decision.at.replace(/^run \d+:/, label) }]
  })
  const runs = plan.runs.filter((_one, index) => index !== at)
  return { plan: { ...plan, runs }, decisions: renumbered, waits }
}

function* plainerThan(run: RunPlan): Generator<RunPlan> {
  const { verify, ...unverified } = run
  if (verify !== undefined) yield unverified
  for (const plain of [
    { style: 'stream' },
    { log: true },
    { marks: true },
    { isSequential: false },
    { proof: 'xxh64' },
    { prove: 'identity' },
    { skips: false },
    { tellsSize: false },
    { sameProcess: false },
    { discards: false },
    { empties: false },
    { vetoes: false },
    { concurrency: 1 },
    { chunk: 300 },
  ] as const) {
    if (
      Object.entries(plain).some(
        ([name, value]) => run[name as keyof RunPlan] !== value,
      )
    ) {
      yield { ...run, ...plain }
    }
  }
  if (run.after > 100) yield { ...run, after: 100 }
  if (run.after > 1000) yield { ...run, after: 1000 }
}

/** What only makes sense when every run has it. */
function* sameEverywhere({
  plan,
  decisions,
  waits,
}: Recipe): Generator<Recipe> {
  const [first] = plan.runs
  if (first === undefined) return
  const all = (change: (run: RunPlan) => RunPlan): Recipe => ({
    plan: { ...plan, runs: plan.runs.map(change) },
    decisions,
    waits,
  })
  const { object, source, partSize } = first
  for (const plain of [
    { contentType: 0 },
    { metadata: 0 },
    { acl: 0 },
    { forbidOverwrite: false },
    { callback: false },
  ]) {
    const isPlain = plan.runs.every((run) =>
      Object.entries(plain).every(
        ([name, value]) => run.object[name as keyof typeof object] === value,
      ),
    )
    if (!isPlain)
      yield all((run) => ({ ...run, object: { ...run.object, ...plain } }))
  }
  if (
    plan.runs.some(
      (run) => run.source.size !== source.size || run.source.flips.length > 0,
    )
  ) {
    yield all((run) => ({ ...run, source }))
  }
  if (plan.runs.some(({ grows }) => grows === true)) {
    yield all((run) => ({ ...run, grows: false }))
  }
  if (partSize !== 16) yield all((run) => ({ ...run, partSize: 16 }))
  for (const size of [0, 1, ...[1, 2, 3, 4].map((n) => n * partSize)]) {
    if (size < source.size) {
      yield all((run) => ({
        ...run,
        source: { ...run.source, size: run.source.size - source.size + size },
      }))
    }
  }
}
