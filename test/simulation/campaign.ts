/** Many schedules, one after the other, and what was found in them. */
import { planOf } from './plan.js'
import { seedOf } from './random.js'
import { playSchedule, type Violation } from './scene.js'
import { kindOf } from './shrink.js'
import type { ProfileName } from './store/profiles.js'

export interface Campaign {
  seed: number
  /** Of all schedules with this seed, those from `first` on, every `step`th. */
  first: number
  step: number
  schedules: number
  profile?: ProfileName
  /** To which all of them lean. */
  leaning?: string
  /** Names of invariants that are not looked at. */
  except: readonly string[]
  /** Ends with the first that is found. */
  isOneEnough?: boolean
}

export interface Finding {
  /** The how manieth schedule it was. */
  number: number
  seed: number
  violation: Violation
}

export async function playAll(
  {
    seed,
    first,
    step,
    schedules,
    profile,
    leaning,
    except,
    isOneEnough = false,
  }: Campaign,
  onPlayed: (index: number) => void = () => undefined,
): Promise<Finding[]> {
  const found: Finding[] = []
  for (let index = first; index < schedules; index += step) {
    const own = schedules === 1 ? seed : seedOf(seed, index)
    const played = await playSchedule(own, planOf(own, profile, leaning), {
      except,
    })
    if (played.violation !== undefined) {
      const { violation } = played
      found.push({ number: index + 1, seed: own, violation })
      if (isOneEnough) break
    }
    onPlayed(index)
  }
  return found
}

/** Findings of one sort together, the most frequent first. */
export function byKind(found: readonly Finding[]): Finding[][] {
  const kinds = new Map<string, Finding[]>()
  for (const finding of found) {
    const kind = `${finding.violation.invariant}: ${kindOf(finding.violation)}`
    kinds.set(kind, [...(kinds.get(kind) ?? []), finding])
  }
  return [...kinds.values()].toSorted((a, b) => b.length - a.length)
}
