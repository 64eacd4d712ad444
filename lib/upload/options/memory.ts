/**
 * How much memory the parts of one upload may take: its share of the pool, which
 * is the process's. Pure.
 */
import { invalidOption } from '../../errors.js'
import type { PartRoom } from '../source/part-buffers.js'

const MiB = 1024 * 1024
/** Bytes, where neither `memory` nor `concurrency` says it. */
const defaultMemory = 96 * MiB

export interface MemorySettings {
  /** Parts in flight, at most. */
  readonly concurrency: number
  /** It is the caller's own word. */
  readonly isConcurrencyFixed: boolean
  /** Bytes, as the caller said it. */
  readonly memory: number | undefined
}

/**
 * What the parts of a stream may take, the one being filled included: as many as
 * there is room for. There is always room for two, since one is sent while the
 * next is filled.
 */
export function roomFor({
  concurrency,
  isConcurrencyFixed,
  memory,
}: MemorySettings): PartRoom {
  const parts = concurrency + 1
  const isUnlimited = memory === undefined && isConcurrencyFixed
  return { parts, bytes: isUnlimited ? Infinity : (memory ?? defaultMemory) }
}

/**
 * Whether the parts of a stream may grow to such a size. `memory` is the caller's
 * word on what they may take, and holds for the last of them as for the first.
 */
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

/** What parts of a file that are held may take. */
export function heldMemory({ memory = defaultMemory }: MemorySettings): number {
  return memory
}
