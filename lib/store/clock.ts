/** The time to sign with: the local clock, corrected by what the server said. */
export class Clock {
  readonly #now: () => number
  #offset = 0

  /** `now`: ms since 1970. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** ms since 1970 by the local clock. */
  local(): number {
    return this.#now()
  }

  /** The server's time, as far as we know it. */
  now(): Date {
    return new Date(this.#now() + this.#offset)
  }

  /**
   * What a server says its clock shows, if that can be: it has taken a signature
   * by our time, and both services refuse one that is 15 minutes off.
   */
  believable(date: string | undefined): number | undefined {
    const time = parseDate(date)
    if (time === undefined) return undefined
    const apart = Math.abs(time - this.now().getTime())
    return apart <= maxSkew ? time : undefined
  }

  /**
   * Takes over the server's clock from an answer's `Date`. `received` is the
   * local time of that answer, not of the signature: a large part can take
   * minutes in between.
   */
  correct(date: string | undefined, received: number): void {
    const time = parseDate(date)
    if (time !== undefined) this.#offset = time - received
  }
}

const maxSkew = 15 * 60_000

const httpDate =
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/
const isoDate = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/

/** Before and after these no store has answered; such a date is a fault's. */
const earliest = Date.UTC(2000, 0)
const latest = Date.UTC(2100, 0)

/** ms since 1970 of an HTTP or ISO 8601 date; undefined when it is none. */
export function parseDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!httpDate.test(text) && !isoDate.test(text)) return undefined
  const time = Date.parse(text)
  return time >= earliest && time < latest ? time : undefined
}

/** `20240102T030405Z`, as both signatures write a time; of years of four digits. */
export function compactTime(time: Date): string {
  const month = 100 * time.getUTCFullYear() + time.getUTCMonth() + 1
  const day = 100 * month + time.getUTCDate()
  const minute = 100 * time.getUTCHours() + time.getUTCMinutes()
  const second = 100 * minute + time.getUTCSeconds()
  // Digits that begin with a one keep their zeros.
  return `${day}T${String(1_000_000 + second).slice(1)}Z`
}
