/**
 * What a schedule leans to: interleavings that are dangerous, and too rare where
 * everything is as likely as everything else. A leaning makes some faults and
 * interventions more likely and the plan fit for them; it decides nothing.
 */
import { acls, otherObject, type ObjectPlan } from './object-plan.js'
import type { Plan, RunPlan } from './plan.js'
import type { Random } from './random.js'

export interface Leaning {
  readonly name: string
  readonly weight: number
  /** How many times as likely a fault or an intervention is. */
  readonly likelier: Readonly<Record<string, number>>
  /** The calls at which most of it happens; absent: at any. */
  readonly at?: readonly string[]
  /** The moment at which most of what is held up arrives, and how likely; absent: at any. */
  readonly lands?: { readonly at: string; readonly likely: number }
  /** The plan, made fit for it. */
  readonly fit: (plan: Plan, random: Random) => Plan
}

export const leanings: readonly Leaning[] = [
  {
    name: 'a Complete that is held up',
    weight: 4,
    likelier: {
      'late-effect': 6,
      'late-effect-cut': 5,
      denied: 3,
      'bad-request': 15,
      kill: 6,
      'right-lost': 2,
    },
    at: ['completeUpload', 'putObject'],
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 2, interventions: 1 }),
      runs: withTheSame(longEnough(plan), random),
    }),
  },
  {
    name: 'an upload that cannot be ended',
    weight: 4,
    likelier: { kill: 4, 'power-loss': 2, 'late-effect': 3 },
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 0, interventions: 1 }),
      denied: random.chance(0.8) ? ['abortUpload'] : plan.denied,
      runs: withOtherOptions(longEnough(plan), random),
    }),
  },
  {
    name: 'a Complete that outlives its run',
    weight: 2,
    likelier: { kill: 12, 'late-effect': 6, 'late-effect-cut': 5 },
    at: ['completeUpload'],
    lands: { at: 'ended', likely: 0.8 },
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 0, interventions: 1 }),
      denied: ['abortUpload'],
      runs: withOtherOptions(longEnough(plan), random).map((run, index) => ({
        ...run,
        after: random.spread(10, 2000),
        // What is fixed at Initiate: the upload cannot be gone on with.
        object: { ...run.object, contentType: index % 3 },
      })),
    }),
  },
  {
    name: 'others at the same key',
    weight: 3,
    likelier: {
      'others-put-equal': 5,
      'others-put': 3,
      'others-copy-mark': 4,
      'others-delete': 2,
      'error-before': 3,
      'reset-before': 3,
      kill: 2,
    },
    fit: (plan, random) => {
      const forbidOverwrite = random.chance(0.4)
      return {
        ...atLeast(plan, random, { faults: 1, interventions: 2 }),
        runs: plan.runs.map((run) => ({
          ...run,
          object: { ...run.object, forbidOverwrite },
        })),
      }
    },
  },
  {
    name: 'an upload in several hands',
    weight: 2,
    likelier: {
      'second-machine': 8,
      pause: 3,
      'others-send-part': 4,
      'others-abort': 3,
      'slow-answer': 3,
      'slow-request': 3,
    },
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 1, interventions: 2 }),
      runs: longEnough(plan),
    }),
  },
  {
    name: 'a log that is not as it was left',
    weight: 2,
    likelier: {
      'log-damaged': 4,
      'log-cut': 4,
      'log-restored': 4,
      'power-loss': 4,
      'not-removable': 4,
    },
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 1, interventions: 2 }),
      disk: { most: 1, likely: 0.08 },
      runs: plan.runs.map((run) => ({ ...run, log: true })),
    }),
  },
  {
    name: 'a log on a disk that hangs',
    weight: 1,
    likelier: {
      'slow-disk': 20,
      'source-error': 6,
      signal: 6,
      destroy: 6,
      'bad-request': 3,
    },
    at: ['write', 'truncate', 'datasync', 'unlink', 'completeUpload'],
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 1, interventions: 2 }),
      disk: { most: 2, likely: 0.2 },
      runs: withTheSame(plan.runs, random).map((run) => ({
        ...run,
        log: true,
        after: random.spread(1000, 60_000),
      })),
    }),
  },
  {
    name: 'a Complete that is refused, and asked for otherwise',
    weight: 2,
    likelier: {
      denied: 8,
      'bad-request': 15,
      'refused-after': 8,
      'lost-reply': 4,
      'late-effect': 8,
      kill: 2,
    },
    at: ['completeUpload'],
    // When the second call is about to complete what the first has left.
    lands: { at: 'completeUpload sent', likely: 0.4 },
    fit: (plan, random) => {
      const runs = withOtherOptions(longEnough(plan), random)
      const isOfAcl = random.chance(0.5)
      return {
        ...atLeast(plan, random, { faults: 3, interventions: 0 }),
        faults: { most: 3, likely: random.pick([0.2, 0.6]) },
        runs: isOfAcl ? withOtherAcl(runs) : runs,
      }
    },
  },
  {
    name: 'objects without a mark, and answers that are lost',
    weight: 2,
    likelier: { 'lost-reply': 8, 'error-after': 6, 'late-effect': 3, kill: 4 },
    at: ['completeUpload', 'putObject'],
    fit: (plan, random) => ({
      ...atLeast(plan, random, { faults: 1, interventions: 1 }),
      knobs: [
        random.pick([
          'no metadata',
          'no metadata, and known for it',
          'metadata refused',
        ]),
      ],
      runs: withTheSame(longEnough(plan), random),
    }),
  },
  {
    name: 'parts that grow where the server wants them of one size',
    weight: 1,
    likelier: {},
    fit: (plan, random) => ({
      ...plan,
      knobs: ['parts of one size, and nobody knows it'],
      runs: plan.runs.map(({ source, ...run }) => ({
        ...run,
        grows: true,
        log: random.chance(0.9),
        tellsSize: false,
        source: {
          ...source,
          // Two parts, and one of twice that, before the last.
          size: Math.max(source.size, 5 * run.partSize),
        },
      })),
    }),
  },
  {
    name: 'a log that is left, and emptied',
    weight: 2,
    likelier: { 'not-removable': 60, kill: 4, 'power-loss': 8, signal: 4 },
    at: ['truncate', 'datasync', 'completeUpload', 'abortUpload'],
    fit: (plan, random) => {
      const [first] = plan.runs
      const runs =
        plan.runs.length > 1 || first === undefined
          ? plan.runs
          : [first, { ...first, after: random.spread(10, 60_000) }]
      return {
        ...atLeast(plan, random, { faults: 0, interventions: 1 }),
        denied: random.chance(0.5) ? ['abortUpload'] : plan.denied,
        disk: { most: 2, likely: 0.4 },
        runs: runs.map((run) => ({ ...run, log: true, empties: true })),
      }
    },
  },
  {
    name: 'a log that machines share',
    weight: 4,
    likelier: {
      pause: 10,
      kill: 3,
      failover: 5,
      'late-effect': 3,
      'slow-request': 2,
    },
    fit: (plan, random) => {
      const [first, second, third] = longEnough(plan)
      if (first === undefined) return plan
      const other = (run: RunPlan): RunPlan => ({
        ...run,
        after: random.spread(100, 120_000),
        source: random.chance(0.7)
          ? { ...run.source, noise: random.below(1e9) }
          : run.source,
      })
      const next = other(second ?? first)
      const runs = [first, next, ...(third === undefined ? [] : [other(third)])]
      return {
        ...atLeast(plan, random, { faults: 1, interventions: 2 }),
        denied: random.chance(0.1) ? ['abortUpload'] : [],
        disk: { most: 0, likely: 0 },
        engine: { most: random.below(3), likely: 0.04 },
        lease: {
          lease: random.pick([1000, 30_000]),
          canLose: random.chance(0.6),
          linger: random.pick([0, 5000]),
        },
        runs: runs.map((run) => ({
          ...run,
          log: true,
          sameProcess: false,
          discards: false,
        })),
      }
    },
  },
  {
    name: 'a failover that forgets a Complete',
    weight: 1,
    likelier: { kill: 12, failover: 30, 'late-effect': 4 },
    at: ['completeUpload', 'log open'],
    lands: { at: 'ended', likely: 0.8 },
    fit: (plan, random) => {
      const [first, second] = longEnough(plan)
      if (first === undefined) return plan
      const next = second ?? { ...first, after: random.spread(100, 60_000) }
      return {
        ...atLeast(plan, random, { faults: 0, interventions: 2 }),
        denied: random.chance(0.8) ? ['abortUpload'] : [],
        disk: { most: 0, likely: 0 },
        engine: { most: 0, likely: 0 },
        lease: { lease: 1000, canLose: true, linger: random.pick([0, 5000]) },
        runs: [first, next].map((run, index) => ({
          ...run,
          sameProcess: false,
          discards: false,
          vetoes: false,
          // Fixed at Initiate: what the log still knows cannot be gone on with.
          object: { ...run.object, contentType: index, forbidOverwrite: false },
        })),
      }
    },
  },
]

/** What is as likely as its row says, unless a schedule leans to it. */
export function leaningTo<T extends { name: string; weight: number }>(
  rows: readonly T[],
  leaning: string | undefined,
): readonly T[] {
  const { likelier } = leanings.find(({ name }) => name === leaning) ?? {}
  if (likelier === undefined) return rows
  return rows.map((row) => ({
    ...row,
    weight: row.weight * (likelier[row.name] ?? 1),
  }))
}

/** How likely anything is at a call, where 1 is without a leaning. */
export function likelyAt(call: string, leaning: string | undefined): number {
  const { at } = leanings.find(({ name }) => name === leaning) ?? {}
  return at === undefined || at.some((one) => call.startsWith(one)) ? 1 : 0.1
}

/** How likely what is held up arrives at a moment; undefined without a leaning. */
export function landsAt(
  moment: string,
  leaning: string | undefined,
): number | undefined {
  const { lands } = leanings.find(({ name }) => name === leaning) ?? {}
  if (lands === undefined) return undefined
  return moment === lands.at ? lands.likely : 0.02
}

function atLeast(
  plan: Plan,
  random: Random,
  least: { faults: number; interventions: number },
): Plan {
  const { faults, interventions } = plan
  return {
    ...plan,
    faults: {
      most: Math.max(faults.most, least.faults),
      likely: random.pick([0.08, 0.2]),
    },
    interventions: {
      most: Math.max(interventions.most, least.interventions),
      likely: random.pick([0.05, 0.12]),
    },
  }
}

/** Of parts, and not put in one request. */
function longEnough({ runs }: Plan): Plan['runs'] {
  return runs.map((run) => ({
    ...run,
    log: true,
    source: {
      ...run.source,
      size: Math.max(run.source.size, run.partSize + 1),
    },
  }))
}

/** The second call is the first again. */
function withTheSame(runs: Plan['runs'], random: Random): Plan['runs'] {
  const [first, , ...rest] = runs
  if (first === undefined) return runs
  return [first, { ...first, after: random.spread(10, 60_000) }, ...rest]
}

function differing(object: ObjectPlan, random: Random): ObjectPlan {
  for (;;) {
    const other = otherObject(object, random)
    if (JSON.stringify(other) !== JSON.stringify(object)) return other
  }
}

/** Each call asks for another ACL than that before it, and all else is as the first wants it. */
function withOtherAcl(runs: Plan['runs']): Plan['runs'] {
  const [first] = runs
  if (first === undefined) return runs
  return runs.map((run, index) => ({
    ...run,
    partSize: first.partSize,
    source: first.source,
    object: { ...first.object, acl: (first.object.acl + index) % acls.length },
  }))
}

/** The second call, if not that after it, asks for another object. */
function withOtherOptions(runs: Plan['runs'], random: Random): Plan['runs'] {
  const [first, second, ...rest] = runs
  if (first === undefined) return runs
  const object = differing(first.object, random)
  const next = second ?? { ...first, after: random.spread(10, 600_000) }
  return [first, { ...next, object }, ...rest.map((r) => ({ ...r, object }))]
}
