/**
 * What chance decides in one schedule: how long things take, which call fails
 * and who does what at which moment.
 *
 * Made from a seed, every decision is written down where it was made; played
 * from such a list, the list alone decides, so that a list can be edited: what
 * was taken out of it does not happen, and all else goes on as far as it can.
 */
import { Random } from './random.js'

/** Something happens at the nth time that a moment comes. */
export interface Decision {
  /** `2:uploadPart` is the moment of that name in run 2. */
  at: string
  /** From 1. */
  nth: number
  /** The name of a fault or an intervention. */
  does: string
  /** What its own details are made from. */
  detail: number
}

/** What can be chosen at a moment. */
export interface Choice {
  readonly name: string
  readonly weight: number
}

export interface Budget {
  /** Most of a kind in one schedule. */
  readonly most: number
  /** How likely one is at a moment that counts for 1. */
  readonly likely: number
}

export class Decisions {
  readonly made: Decision[] = []
  /** ms of every wait, in the order in which they were asked for. */
  readonly waits: number[] = []
  readonly #random: Random | undefined
  readonly #played: ReadonlyMap<string, Decision>
  readonly #playedWaits: readonly number[]
  readonly #counts = new Map<string, number>()
  readonly #used = new Map<string, number>()
  /** Nothing happens any more. */
  isOver = false

  private constructor(
    random: Random | undefined,
    played: readonly Decision[],
    waits: readonly number[],
  ) {
    this.#random = random
    this.#played = new Map(played.map((made) => [keyOf(made), made]))
    this.#playedWaits = waits
  }

  static fromSeed(seed: number): Decisions {
    return new Decisions(new Random(seed), [], [])
  }

  static fromList(made: readonly Decision[], waits: readonly number[]) {
    return new Decisions(undefined, made, waits)
  }

  /** How long something takes, ms. */
  wait(): number {
    const wait =
      this.#random === undefined
        ? (this.#playedWaits[this.waits.length] ?? 10)
        : this.#random.between(1, 24)
    this.waits.push(wait)
    return wait
  }

  /** What happens at a moment; its kind has a budget of its own. */
  at(
    moment: string,
    kind: string,
    { most, likely }: Budget,
    choices: () => readonly Choice[],
  ): Decision | undefined {
    const at = `${moment}|${kind}`
    const nth = (this.#counts.get(at) ?? 0) + 1
    this.#counts.set(at, nth)
    if (this.isOver) return undefined
    if (this.#random === undefined) {
      const played = this.#played.get(`${at}#${nth}`)
      if (played !== undefined) this.made.push(played)
      return played
    }
    const used = this.#used.get(kind) ?? 0
    if (used >= most || !this.#random.chance(likely)) return undefined
    const choice = this.#random.weighted(choices())
    if (choice === undefined) return undefined
    this.#used.set(kind, used + 1)
    const detail = this.#random.below(2 ** 31)
    const made = { at, nth, does: choice.name, detail }
    this.made.push(made)
    return made
  }
}

function keyOf({ at, nth }: Decision): string {
  return `${at}#${nth}`
}
