/** What is to be done in one schedule, made from a seed; plain data. */
import type { PartSizes } from '../../lib/checkpoint/growth.js'
import type { Verify } from '../../lib/upload/options/options.js'
import type { LeasePlan } from './engine/model.js'
import { leanings } from './leanings.js'
import { otherObject, type ObjectPlan } from './object-plan.js'
import { Random, seedOf } from './random.js'
import {
  knobs,
  profileNames,
  profiles,
  type ProfileName,
  type Traits,
} from './store/profiles.js'

/** Bytes of a source: noise, cut to a size, some of them changed. */
export interface SourcePlan {
  noise: number
  size: number
  /** Offsets of bytes that are others. */
  flips: number[]
}

export interface RunPlan {
  style: 'stream' | 'file'
  source: SourcePlan
  object: ObjectPlan
  partSize: number
  concurrency: number | 'auto'
  /** Nobody says how large parts are, and those of a stream without end grow. */
  grows?: boolean
  /** Bytes of a chunk. */
  chunk: number
  log: boolean
  /** Any log in which everything is over counts as long, and begins anew. */
  empties?: boolean
  verify?: Verify
  /** The object carries a mark. */
  marks: boolean
  /** OSS: parts in order, none a second time. */
  isSequential: boolean
  proof: 'xxh64' | 'sha256'
  prove: 'identity' | 'hash'
  /** Skips what is stored, its source having a name. */
  skips: boolean
  tellsSize: boolean
  /** What it is for: an object, or to give the upload up. */
  discards: boolean
  /** `beforeComplete` throws. */
  vetoes: boolean
  /** ms after the run before it. */
  after: number
  /** In the process of the run before it, if that lives. */
  sameProcess: boolean
}

export interface Plan {
  profile: ProfileName
  /** What chance leans to, of `leanings`. */
  leaning?: string
  /** Names of `knobs`. */
  knobs: string[]
  /** Calls that are denied from the beginning. */
  denied: string[]
  runs: RunPlan[]
  /** All machines have their log in one engine. */
  lease?: LeasePlan
  engine?: { most: number; likely: number }
  /** How much goes wrong. */
  faults: { most: number; likely: number }
  disk: { most: number; likely: number }
  interventions: { most: number; likely: number }
}

const deniable = [
  'listParts',
  'headObject',
  'abortUpload',
  'listUploads',
  'completeUpload',
  'createUpload',
  'uploadPart',
  'putObject',
] as const

export function traitsOf({ profile, knobs: names }: Plan): Traits {
  const turned = knobs.filter(({ name }) => names.includes(name))
  return turned.reduce<Traits>(
    (traits, knob) => ({ ...traits, ...knob.traits }),
    profiles[profile],
  )
}

export function bytesOf({ noise, size, flips }: SourcePlan): Uint8Array {
  const bytes = new Random(noise).bytes(size)
  for (const at of flips) {
    if (at < size) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  }
  return bytes
}

/** How large parts are where nobody says it. */
export function usualSizesOf({ partSize }: RunPlan): PartSizes {
  return { partSize, growth: [{ from: 3, partSize: 2 * partSize }] }
}

/** `leaning`: to which it leans in any case. */
export function planOf(
  seed: number,
  profile?: ProfileName,
  leaningName?: string,
): Plan {
  const random = new Random(seedOf(seed, 1))
  const chosen = profile ?? random.pick(profileNames)
  const runs: RunPlan[] = []
  const first = firstRun(random, profiles[chosen])
  runs.push(first)
  let last = first
  for (let more = random.below(3); more > 0; more--) {
    last = nextRun(last, random)
    runs.push(last)
  }
  const turned = random.chance(0.35) ? random.weighted(knobs) : undefined
  const plan: Plan = {
    profile: chosen,
    knobs: turned === undefined ? [] : [turned.name],
    denied: random.chance(0.12) ? [random.pick(deniable)] : [],
    runs,
    faults: { most: random.below(4), likely: random.pick([0.03, 0.08, 0.2]) },
    disk: random.chance(0.25)
      ? { most: 1, likely: random.pick([0.02, 0.08]) }
      : { most: 0, likely: 0 },
    interventions: {
      most: random.below(3),
      likely: random.pick([0.02, 0.05, 0.12]),
    },
  }
  const chosenLeaning = random.chance(0.45)
    ? random.weighted(leanings)
    : undefined
  const named = leanings.find(({ name }) => name === leaningName)
  const leaning = named ?? chosenLeaning
  return leaning === undefined
    ? plan
    : { ...leaning.fit(plan, random), leaning: leaning.name }
}

/** Parts in flight. */
function atOnce(random: Random): RunPlan['concurrency'] {
  return random.pick([1, 2, 3, 4, 'auto', 'auto'])
}

function firstRun(random: Random, { dialect }: Traits): RunPlan {
  const isOss = dialect === 'oss'
  const partSize = random.pick([16, 32, 64])
  return {
    style: random.chance(0.4) ? 'file' : 'stream',
    source: {
      noise: random.below(1e9),
      size: sizeFor(partSize, random),
      flips: [],
    },
    object: {
      contentType: random.below(3),
      metadata: random.below(3),
      acl: random.chance(0.3) ? random.below(3) : 0,
      forbidOverwrite: random.chance(0.15),
      callback: random.chance(0.15) && isOss,
    },
    partSize,
    concurrency: atOnce(random),
    grows: random.chance(0.25),
    chunk: random.pick([7, 16, 40, 64, 300]),
    log: random.chance(0.92),
    empties: random.chance(0.4),
    ...(random.chance(0.15)
      ? { verify: random.pick<Verify>([false, 'md5']) }
      : {}),
    marks: random.chance(0.94),
    isSequential: random.chance(0.1) && isOss,
    proof: random.chance(0.1) ? 'sha256' : 'xxh64',
    prove: random.chance(0.2) ? 'hash' : 'identity',
    skips: random.chance(0.2),
    tellsSize: random.chance(0.3),
    discards: false,
    vetoes: random.chance(0.04),
    after: 0,
    sameProcess: false,
  }
}

/** Round the part size and its multiples. */
function sizeFor(partSize: number, random: Random): number {
  const parts = random.pick([0, 1, 1, 2, 2, 3, 3, 4, 6])
  const around = random.pick([-1, 0, 1, 5])
  return Math.max(0, parts * partSize + around)
}

/** The same call, or nearly. */
function nextRun(last: RunPlan, random: Random): RunPlan {
  const next: RunPlan = {
    ...last,
    after: random.spread(10, 7_200_000),
    sameProcess: random.chance(0.25),
    discards: last.style === 'stream' && random.chance(0.06),
    vetoes: random.chance(0.04),
    source: random.chance(0.3) ? changed(last, random) : last.source,
  }
  if (random.chance(0.2)) next.object = otherObject(last.object, random)
  if (random.chance(0.04)) next.marks = !last.marks
  if (random.chance(0.1)) next.concurrency = atOnce(random)
  if (random.chance(0.08)) next.partSize = random.pick([16, 32, 64])
  if (random.chance(0.08)) next.proof = random.pick(['xxh64', 'sha256'])
  if (random.chance(0.1)) next.chunk = random.pick([7, 16, 40, 64, 300])
  return next
}

function changed({ source, partSize }: RunPlan, random: Random): SourcePlan {
  const { noise, size, flips } = source
  switch (random.below(5)) {
    case 0:
      return { noise: random.below(1e9), size, flips: [] }
    case 1:
      return { noise, size: sizeFor(partSize, random), flips }
    case 2:
      return { noise, size: size + random.between(1, partSize), flips }
    default:
      return { noise, size, flips: [...flips, random.below(Math.max(1, size))] }
  }
}
