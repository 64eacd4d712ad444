/**
 * Which parts on the wire are waited for when a run is stopped, and how long: on a
 * slow line most of what was sent is in them. Pure.
 */

/** An attempt at a part, as it is when the run is stopped. */
export interface PartOnWire {
  /** Bytes. */
  size: number
  /** Bytes that have left. */
  sent: number
  /** Since its first byte, ms. */
  elapsed: number
}

export interface LastParts {
  /** The others are in the way of these, and would not be stored in time. */
  kept: ReadonlySet<PartOnWire>
  /** ms. */
  wait: number
}

/**
 * Nobody waits longer than a part has been under way: what has just begun is
 * little to lose, and a server that says nothing is not waited for. Where the
 * line is too slow for all, those with the least left get all of it.
 */
export function lastParts(
  parts: readonly PartOnWire[],
  bound: number,
): LastParts {
  const patience = Math.min(bound, Math.max(0, ...parts.map((p) => p.elapsed)))
  const moving = parts.filter(({ sent }) => sent > 0)
  const kept = moving.every((part) => restOf(part) <= paceOf(part) * patience)
    ? moving
    : fastest(moving, patience)
  const wait = Math.max(0, ...kept.map(({ elapsed }) => elapsed))
  return { kept: new Set(kept), wait: Math.min(patience, wait) }
}

function fastest(parts: readonly PartOnWire[], ms: number): PartOnWire[] {
  let room = ms * parts.reduce((sum, part) => sum + paceOf(part), 0)
  return parts
    .toSorted((a, b) => restOf(a) - restOf(b))
    .filter((part) => {
      room -= restOf(part)
      return room >= 0
    })
}

function restOf({ size, sent }: PartOnWire): number {
  return Math.max(0, size - sent)
}

/** Bytes a millisecond. */
function paceOf({ sent, elapsed }: PartOnWire): number {
  return sent / Math.max(1, elapsed)
}
