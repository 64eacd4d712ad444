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

/** Why an upload is void whose parts grow: the server takes parts of one size. */
export const equalParts = 'equal-parts'

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

/** The number of the part that a byte of the object is in. */
export function partAt(
  { partSize, growth = [] }: PartSizes,
  offset: number,
): number {
  let [start, at, size] = [0, 1, partSize]
  for (const step of growth) {
    const next = start + (step.from - at) * size
    if (next > offset) break
    start = next
    at = step.from
    size = step.partSize
  }
  return at + Math.floor((offset - start) / size)
}

/** How many parts so many bytes are; the last may be short. */
export function partsOf(sizes: PartSizes, bytes: number): number {
  return bytes === 0 ? 0 : partAt(sizes, bytes - 1)
}

/** Bytes that so many parts have room for. */
export function roomIn(sizes: PartSizes, parts: number): number {
  return offsetAt(sizes, parts + 1)
}

/** Bytes of the largest parts there are. */
export function largestOf({ partSize, growth = [] }: PartSizes): number {
  return growth.at(-1)?.partSize ?? partSize
}

/** Whether a store that wants parts of one size would refuse these. */
export function areUnequal(parts: readonly { size: number }[]): boolean {
  const [first] = parts
  if (first === undefined) return false
  return parts.some(({ size }, index) =>
    index === parts.length - 1 ? size > first.size : size !== first.size,
  )
}

/** Such as `8388608 bytes, of 33554432 from part 1001 on`. */
export function sizesText({ partSize, growth = [] }: PartSizes): string {
  const steps = growth.map(
    (step) => `, of ${step.partSize} from part ${step.from} on`,
  )
  return `${partSize} bytes${steps.join('')}`
}
