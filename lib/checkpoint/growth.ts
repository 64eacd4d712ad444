/**
 * Where parts are when they grow: a stream of unknown length has small parts
 * first and larger ones later, so that it does not run out of numbers. Pure.
 */

/** From this part number on, parts are of this size. */
export interface GrowthStep {
  /** From 2. */
  from: number
  /** Bytes; larger than those before. */
  partSize: number
}

/** How the parts of one upload are cut. */
export interface PartSizes {
  /** Bytes of every part but the last, before the first step. */
  partSize: number
  growth?: readonly GrowthStep[] | undefined
}

/** Steps that a log may name. */
export const MAX_GROWTH_STEPS = 16

/** Bytes of part `number`, unless it is the last. */
export function partSizeAt(
  { partSize, growth = [] }: PartSizes,
  number: number,
): number {
  return growth.findLast(({ from }) => from <= number)?.partSize ?? partSize
}

/** Bytes from the start of the object to part `number`. */
export function offsetAt(
  { partSize, growth = [] }: PartSizes,
  number: number,
): number {
  let [offset, at, size] = [0, 1, partSize]
  for (const step of growth) {
    if (step.from >= number) break
    offset += (step.from - at) * size
    at = step.from
    size = step.partSize
  }
  return offset + (number - at) * size
}
