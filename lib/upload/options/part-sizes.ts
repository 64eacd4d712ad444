/**
 * How large the parts of a new upload are, and how much memory they may take. Pure.
 *
 * An upload has a limited number of parts: a known size is made to fit, a stream of
 * unknown size goes on with larger ones, unless the caller or the store wants one size.
 */
import type { GrowthStep, PartSizes } from '../../checkpoint/growth.js'
import { invalidOption } from '../../errors.js'
import type { ObjectStore } from '../../store/object-store.js'
import type { PartRoom } from '../source/part-buffers.js'

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

/** Bytes, where neither `memory` nor `concurrency` says it. */
const defaultMemory = 96 * MiB

export interface MemorySettings {
  /** Parts in flight, at most. */
  readonly concurrency: number
  /** `concurrency` is the caller's own word. */
  readonly isConcurrencyFixed: boolean
  /** Bytes, as the caller said it. */
  readonly memory: number | undefined
}

/** What the parts of a stream may take, the one being filled included. */
export function roomFor({
  concurrency,
  isConcurrencyFixed,
  memory,
}: MemorySettings): PartRoom {
  const parts = concurrency + 1
  const isUnlimited = memory === undefined && isConcurrencyFixed
  return { parts, bytes: isUnlimited ? Infinity : (memory ?? defaultMemory) }
}

/** Whether the parts of a stream may grow to such a size within the caller's `memory`. */
export function mayGrowTo(
  partSize: number,
  { concurrency, isConcurrencyFixed, memory }: MemorySettings,
): boolean {
  if (memory === undefined) return true
  return (isConcurrencyFixed ? concurrency + 1 : 2) * partSize <= memory
}

/** Throws when a stream cannot have as many parts in flight as was said. */
export function mustHaveRoom(
  partSize: number,
  { concurrency, isConcurrencyFixed, memory }: MemorySettings,
): void {
  if (memory === undefined || !isConcurrencyFixed) return
  const needed = (concurrency + 1) * partSize
  if (needed <= Math.max(memory, 2 * partSize)) return
  invalidOption(
    `memory: ${memory} bytes have no room for ${concurrency} parts in flight and one being filled, of ${partSize} bytes each: expected at least ${needed}; leave out concurrency or memory, or make partSize smaller`,
  )
}

/** How many parts of a file are held, where a digest goes first; 0: they are read twice. */
export function heldAtOnce(
  partSize: number,
  { concurrency, isConcurrencyFixed, memory = defaultMemory }: MemorySettings,
): number {
  const room = Math.floor(memory / Math.max(partSize, 1))
  if (room >= concurrency) return concurrency
  return isConcurrencyFixed || room < 2 ? 0 : room
}
