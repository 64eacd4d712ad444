/**
 * How large the parts of a new upload are. Pure.
 *
 * An upload has a limited number of parts. A known size is made to fit; a stream
 * whose size nobody knows begins with small parts and goes on with larger ones,
 * unless the caller has named a size, or the store wants parts of one.
 */
import type { GrowthStep, PartSizes } from '../../checkpoint/growth.js'
import type { ObjectStore } from '../../store/object-store.js'
import { type MemorySettings, mayGrowTo } from './memory.js'

const MiB = 1024 * 1024

/** Part sizes that are worked out are whole multiples of this. */
const partSizeStep = MiB

/**
 * Where nothing is said: 289 GiB in 10,000 parts, of which three are in memory to
 * the end.
 */
export const usualSizes: PartSizes = {
  partSize: 8 * MiB,
  growth: [{ from: 1001, partSize: 32 * MiB }],
}

/** The part size wanted, or the next larger whole MiB that fits the size. */
export function partSizeToFit(
  wanted: number,
  size: number | undefined,
  maxParts: number,
): number {
  if (size === undefined || size <= wanted * maxParts) return wanted
  return Math.ceil(size / maxParts / partSizeStep) * partSizeStep
}

/** Where the parts of a stream become larger, as is usual; undefined: nowhere. */
export function growthOf(
  { growth = [] }: PartSizes,
  settings: MemorySettings & {
    readonly store: ObjectStore
    readonly partSize: number
    readonly wantedPartSize: number | undefined
    readonly size: number | undefined
  },
): readonly GrowthStep[] | undefined {
  const { store, wantedPartSize, size } = settings
  const { maxParts, maxPartSize, equalParts } = store.limits
  if (wantedPartSize !== undefined || size !== undefined) return undefined
  if (equalParts === true) return undefined
  const steps = growth.filter(
    ({ from, partSize }) =>
      from <= maxParts &&
      partSize > settings.partSize &&
      partSize <= maxPartSize &&
      mayGrowTo(partSize, settings),
  )
  return steps.length === 0 ? undefined : steps
}
