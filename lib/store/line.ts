/**
 * What uploads to one store share of the line to it: how many parts go at once.
 * `line-rule.ts` says how many; this counts, and gives out turns.
 *
 * Each upload may always have one part on the wire, whatever the limit. Beyond
 * that the next turn goes to the upload that has the fewest, so that none starves.
 * A part that was sent more than once says nothing of the line.
 *
 * Uploads that share a line join and leave it; between them it knows nothing of
 * their parts but sizes and times.
 */
import type { Environment } from '../environment.js'
import {
  afterForetaste,
  afterRound,
  afterThrottling,
  type Climb,
  firstClimb,
  type LineBounds,
  takesForetaste,
} from './line-rule.js'
import type { Slot, Slots, Stored } from './slots.js'
import { SteadyRate } from './steady-rate.js'

/** ms without a part after which the line may be another one. */
const longestIdle = 60_000

/** ms of a round of several parts: code that warms up makes a shorter one look faster. */
const shortestRound = 200

/** ms that a burst of bytes takes to leave. */
const burst = 10

type Clock = Pick<Environment, 'monotonic' | 'timer' | 'idle'>

/** An upload on the line. */
class Member implements Slots {
  readonly #line: Line
  readonly waiting: ((slot: Slot) => void)[] = []
  /** Parts on the wire. */
  used = 0
  /** Which turn of all was its last. */
  lastTurn = 0
  #listener: () => void = () => undefined

  constructor(line: Line) {
    this.#line = line
  }

  get allowed(): number {
    return this.used + this.#line.room
  }

  watch(listener: () => void): void {
    this.#listener = listener
  }

  tell(): void {
    this.#listener()
  }

  acquire(): Promise<Slot> {
    return this.#line.acquire(this)
  }

  leave(): void {
    this.#line.leave(this)
  }
}

/** What is seen of the parts that were begun since the limit was set. */
class Seen {
  parts = 0
  bytes = 0
  ms = 0
  /** Sum of ms in which each was in flight, times as many as were then. */
  crowd = 0
  /** Sum of bytes, times as many as were in flight. */
  crowdBytes = 0
  readonly #clock: Clock
  readonly #since: number
  readonly #idle: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.monotonic()
    this.#idle = clock.idle()
  }

  /** ms since the limit was set. */
  get elapsed(): number {
    return this.#clock.monotonic() - this.#since
  }

  /** A share of that in which the thread was at work. */
  get busy(): number {
    return 1 - (this.#clock.idle() - this.#idle) / Math.max(1, this.elapsed)
  }

  add({ size, ms, inFlight }: { size: number; ms: number; inFlight: number }) {
    this.parts += 1
    this.bytes += size
    this.ms += ms
    this.crowd += ms * inFlight
    this.crowdBytes += size * inFlight
  }
}

/** A part on the wire. */
interface Part {
  readonly steady: SteadyRate
  /** Bytes; 0 until it is known. */
  size: number
}

export class Line {
  readonly #clock: Clock
  readonly #bounds: LineBounds
  readonly #members = new Set<Member>()
  readonly #parts = new Set<Part>()
  #climb: Climb = firstClimb
  #seen: Seen
  #used = 0
  #turns = 0
  /** It will be looked at when a burst of bytes is over. */
  #willTaste = false
  /** Time integral of the parts in flight, until `#at`. */
  #area = 0
  #at: number

  constructor(clock: Clock, bounds: LineBounds) {
    this.#clock = clock
    this.#seen = new Seen(clock)
    this.#at = clock.monotonic()
    this.#bounds = bounds
  }

  /** Parts at once. */
  get limit(): number {
    return this.#climb.limit
  }

  /** Parts that an upload may have in hand besides those on the wire. */
  get room(): number {
    return Math.max(1, this.limit - this.#used)
  }

  /** For one upload, which must `leave()`. */
  join(): Slots {
    const member = new Member(this)
    this.#members.add(member)
    return member
  }

  /** For a member: what still waits for it has its turn at once, to find it over. */
  leave(member: Member): void {
    this.#members.delete(member)
    for (const enter of member.waiting.splice(0)) enter(this.#begin(member))
    this.#tell()
  }

  /** For a member. */
  acquire(member: Member): Promise<Slot> {
    if (member.waiting.length === 0 && this.#mayBegin(member)) {
      return Promise.resolve(this.#begin(member))
    }
    return new Promise((resolve) => member.waiting.push(resolve))
  }

  /** The server asked for less. */
  throttle(): void {
    this.#set(afterThrottling(this.#climb))
  }

  #mayBegin(member: Member): boolean {
    return member.used === 0 || this.#used < this.limit
  }

  #begin(member: Member): Slot {
    if (this.#used === 0 && this.#clock.monotonic() - this.#at >= longestIdle) {
      this.#set(firstClimb)
    }
    this.#count(1)
    member.used += 1
    member.lastTurn = ++this.#turns
    const [seen, since, area] = [this.#seen, this.#at, this.#area]
    const part: Part = { steady: new SteadyRate(), size: 0 }
    this.#parts.add(part)
    return {
      sent: (bytes, size) => {
        part.size = size
        part.steady.add(bytes, this.#clock.monotonic())
        this.#tasteSoon()
      },
      end: (stored) => {
        this.#parts.delete(part)
        this.#count(-1)
        member.used -= 1
        const ms = Math.max(1, this.#at - since)
        const inFlight = Math.max(1, (this.#area - area) / ms)
        if (seen === this.#seen) this.#see(stored, { ms, inFlight })
        this.#giveTurns()
        this.#tell()
      },
    }
  }

  #see(
    stored: Stored | undefined,
    { ms, inFlight }: { ms: number; inFlight: number },
  ): void {
    if (stored === undefined || stored.attempts > 1 || stored.size === 0) return
    const seen = this.#seen
    seen.add({ size: stored.size, ms, inFlight })
    const isShort = seen.elapsed < shortestRound && this.limit > 1
    if (seen.parts < this.limit || isShort) return
    const round = {
      rate: (seen.crowdBytes / seen.ms) * 1000,
      partSize: seen.bytes / seen.parts,
      inFlight: seen.crowd / seen.ms,
      busy: seen.busy,
    }
    this.#set(afterRound(this.#climb, round, this.#bounds))
  }

  /** Bytes leave in bursts, one view after the other: half of one shows too little. */
  #tasteSoon(): void {
    if (this.#willTaste || !takesForetaste(this.#climb)) return
    this.#willTaste = true
    const ring = (): void => {
      this.#willTaste = false
      this.#taste()
    }
    this.#clock.timer(burst, ring, { isIdle: true })
  }

  /** Whether the bytes that leave show, before any part is stored, that more may go. */
  #taste(): void {
    if (!takesForetaste(this.#climb) || this.#parts.size < this.limit) return
    const now = this.#clock.monotonic()
    let [inFlight, rate, bytes, left] = [0, 0, 0, 0]
    for (const { steady, size } of this.#parts) {
      const one = steady.rate(now)
      if (one === undefined) {
        // All of it had left before so many went at once: it shows nothing.
        if (size > 0 && steady.sent >= size) continue
        return
      }
      inFlight += 1
      rate += one
      bytes += size
      left = Math.max(left, (size - steady.sent) / one)
    }
    if (inFlight === 0) return
    const partSize = bytes / inFlight
    const { busy } = this.#seen
    const taste = { rate, partSize, inFlight, busy, left }
    const next = afterForetaste(this.#climb, taste, this.#bounds)
    if (next === this.#climb) return
    this.#set(next)
    this.#giveTurns()
    this.#tell()
  }

  #set(climb: Climb): void {
    this.#climb = climb
    this.#seen = new Seen(this.#clock)
    const now = this.#clock.monotonic()
    for (const { steady } of this.#parts) steady.reset(now)
  }

  #count(parts: 1 | -1): void {
    const now = this.#clock.monotonic()
    this.#area += this.#used * (now - this.#at)
    this.#at = now
    this.#used += parts
  }

  #giveTurns(): void {
    for (
      let member = this.#nextMember();
      member !== undefined;
      member = this.#nextMember()
    ) {
      member.waiting.shift()?.(this.#begin(member))
    }
  }

  /** Of those that wait and may begin, one that has the fewest, in turn. */
  #nextMember(): Member | undefined {
    let least: Member | undefined
    for (const member of this.#members) {
      if (member.waiting.length === 0 || !this.#mayBegin(member)) continue
      if (least === undefined || isBefore(member, least)) least = member
    }
    return least
  }

  #tell(): void {
    for (const member of this.#members) member.tell()
  }
}

function isBefore(a: Member, b: Member): boolean {
  return a.used === b.used ? a.lastTurn < b.lastTurn : a.used < b.used
}
