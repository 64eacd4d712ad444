/**
 * How many parts go at once to one store, where nobody has said it. Pure.
 *
 * Parts that take turns on a line take longer, and acknowledgements come in
 * bursts; so what a line carries is told by the parts' own times: their bytes by
 * their time, times as many as were in flight. A round is as many parts as go at
 * once, begun since that number was set.
 *
 * - It begins with one, so that something is stored soon on the slowest line.
 * - What is in flight is no more than the line carries within five seconds, since
 *   an interruption costs so much; or as many parts as do not slow each other, where
 *   even one alone takes longer.
 * - While a round is faster than the one before, more go at once. One that was no
 *   faster is taken back, as more at once cost time and memory; it is tried again,
 *   later and later.
 * - While the thread has little time left, a few are enough: they wait for it then,
 *   and not for the line. That a round is faster may come of code that has warmed up.
 * - A server that throttles halves the number, and it then grows slowly.
 *
 * Until a round has shown that more are no faster, nobody waits for its end: once it is
 * known of all parts in flight how fast their bytes leave at least, that rate is a
 * foretaste of the round. It only ever adds parts, to few.
 */

/** Seconds of the line that may be in flight. */
const secondsInFlight = 5
/** Up to so many a step may be of four times the number, else it doubles it. */
const many = 16
/** Rounds until more are tried again, at first and at most. */
const firstPause = 8
const longestPause = 64
/** Parts at once that keep a thread at work. */
const enoughWork = 4
/** A share of the time from which on a thread has little left. */
const atWork = 0.75
/** A share of the number that makes it count as reached. */
const reached = 0.75
/** A share of the fastest part's rate from which on parts do not slow each other. */
const unslowed = 0.8
/** A share of a foretaste's rate that a round has at least: parts wait for answers. */
const ofForetaste = 0.8
/** The same where one part goes alone: what the other end has not read yet counts, too. */
const ofOnePart = 0.7
/** A share of what as many parts would bring that do not slow each other. */
const ofParts = 0.5
/** A share of the rate that was asked for that makes it count as reached. */
const rateReached = 0.95

interface Before {
  readonly limit: number
  readonly rate: number
  /** The rate is the least that there was. */
  readonly isForetaste?: true
}

export interface Climb {
  /** Parts at once. */
  readonly limit: number
  /** What it was before, and the bytes a second then, while more are tried. */
  readonly before?: Before
  /** Rounds until more are tried. */
  readonly rest: number
  /** Rounds to rest after a round that was no faster. */
  readonly pause: number
  /** No step was taken back yet: the number grows in large steps. */
  readonly isSteep: boolean
  /** Bytes a second of one part, at most, in any round. */
  readonly fastest: number
}

export const firstClimb: Climb = {
  limit: 1,
  rest: 0,
  pause: firstPause,
  isSteep: true,
  fastest: 0,
}

/** What was seen of one round. */
export interface Round {
  /** Bytes a second, by the parts' own times. */
  readonly rate: number
  /** Bytes of a part. */
  readonly partSize: number
  /** Parts in flight, on average. */
  readonly inFlight: number
  /** A share of the time in which the thread was at work. */
  readonly busy: number
}

/** What is seen of a round before its parts are stored. */
export interface Foretaste extends Round {
  /** Bytes a second that the parts have together, at least. */
  readonly rate: number
  /** Seconds until the last of its parts is stored, as it goes now. */
  readonly left: number
}

export interface LineBounds {
  /** Parts at once. */
  readonly most: number
  /** Bytes a second that were asked for. */
  readonly maxRate?: number | undefined
}

/** Which number follows a round. */
export function afterRound(
  climb: Climb,
  round: Round,
  { most, maxRate = Infinity }: LineBounds,
): Climb {
  const { rate, partSize, inFlight, busy } = round
  const { before, rest, pause } = climb
  // Each upload has one, so that there may be more than were allowed.
  const limit = Math.max(climb.limit, Math.round(inFlight))
  const fastest = Math.max(climb.fastest, rate / inFlight)
  const room = Math.max(
    Math.floor((secondsInFlight * rate) / partSize),
    roomUnslowed(limit, round, fastest),
  )
  const bounded = (parts: number): number =>
    Math.max(1, Math.min(parts, room, most))
  if (before !== undefined && rate < before.rate * gainOver(before, limit)) {
    return {
      limit: bounded(before.limit),
      rest: pause,
      pause: Math.min(2 * pause, longestPause),
      isSteep: false,
      fastest,
    }
  }
  const stayed: Climb = {
    limit: bounded(climb.limit),
    rest,
    pause,
    isSteep: climb.isSteep,
    fastest,
  }
  if (before === undefined && rest > 0) return { ...stayed, rest: rest - 1 }
  const isReached = inFlight >= reached * climb.limit
  if (!isReached || rate >= rateReached * maxRate) return stayed
  const enough = Math.ceil((maxRate * inFlight) / rate)
  const useful = busy >= atWork ? enoughWork : Infinity
  const next = bounded(Math.min(nextOf(limit, climb.isSteep), enough, useful))
  if (next <= limit) return stayed
  return {
    ...stayed,
    limit: next,
    before: { limit, rate },
    pause: before === undefined ? pause : firstPause,
  }
}

/** Whether a foretaste may add parts: to few, while no step was taken back. */
export function takesForetaste({ isSteep, limit }: Climb): boolean {
  return isSteep && limit < many
}

/** Which number follows a foretaste; the same one where it shows no need of more. */
export function afterForetaste(
  climb: Climb,
  { left, ...round }: Foretaste,
  bounds: LineBounds,
): Climb {
  if (!takesForetaste(climb)) return climb
  const next = afterRound(climb, round, bounds)
  // Nothing is stored yet: the first part must not wait for those that are added.
  const sure = climb.limit === 1 ? ofOnePart * round.rate : round.rate
  // Where one part fills the line, those in flight are slowed by each that is added.
  const limit = Math.min(
    next.limit,
    many,
    Math.floor((secondsInFlight * sure) / round.partSize),
    Math.floor((climb.limit * secondsInFlight) / left),
  )
  // A small step would be looked at anew from its beginning.
  if (limit < 2 * climb.limit) return climb
  const rate = ofForetaste * round.rate
  const before = { limit: climb.limit, rate, isForetaste: true } as const
  return { ...next, limit, before }
}

/** The server asked for less. */
export function afterThrottling(climb: Climb): Climb {
  return {
    limit: Math.max(1, climb.limit >> 1),
    rest: firstPause,
    pause: firstPause,
    isSteep: false,
    fastest: climb.fastest,
  }
}

/** Parts at once that do not slow each other; more may be tried while none does. */
function roomUnslowed(
  limit: number,
  { rate, inFlight }: Round,
  fastest: number,
): number {
  const isUnslowed = rate / inFlight >= unslowed * fastest
  return isUnslowed ? 2 * limit : Math.floor(rate / (unslowed * fastest))
}

/** Times faster that so many at once must be: one more of few may show little. */
function gainOf(limit: number): number {
  return 1 + Math.min(0.1, 0.015 * limit)
}

/** Over the least that there was before, more at once have to show more. */
function gainOver({ limit: before, isForetaste }: Before, limit: number) {
  const gain = gainOf(limit)
  // One more hides the waits for answers: that much shows nothing of the rest.
  return isForetaste ? Math.max(gain, (ofParts * limit) / (before + 1)) : gain
}

function nextOf(limit: number, isSteep: boolean): number {
  if (!isSteep) return limit + Math.ceil(limit / 2)
  return Math.max(2 * limit, Math.min(4 * limit, many))
}
