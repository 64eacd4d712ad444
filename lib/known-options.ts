/** Options that nobody reads are refused: a name misspelt would be taken in silence. */
import { invalidOption } from './errors.js'

/** All names of a type of options: one that is missing does not compile. */
export type NamesOf<Options> = Record<keyof Options, true>

export interface KnownOptions {
  /** Whose options they are, such as `ossStore`. */
  readonly of: string
  readonly names: readonly string[]
  /** Names that other libraries have, and what says the same here. */
  readonly elsewhere?: Readonly<Record<string, string>>
}

/**
 * Throws `PAWL_INVALID_OPTION` for what is no object, and for a name that is not
 * known, with the nearest one that is. What is undefined is as if it were not there.
 */
export function checkKnownOptions(
  given: unknown,
  { of, names, elsewhere = {} }: KnownOptions,
): void {
  if (typeof given !== 'object' || given === null) {
    invalidOption(`${of}: expected an object of options.`)
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || names.includes(name)) continue
    const instead = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined
    const nearest = nearestName(name, names)
    const advice =
      instead !== undefined
        ? `say it by ${instead}`
        : nearest !== undefined
          ? `did you mean ${nearest}?`
          : `there are ${names.toSorted().join(', ')}`
    const sentence = `${of}: there is no option ${shown(name)}; ${advice}`
    invalidOption(sentence.endsWith('?') ? sentence : `${sentence}.`)
  }
}

/** Undefined when none is so near that it can have been meant. */
export function nearestName(
  name: string,
  names: readonly string[],
): string | undefined {
  if (name.length > 64) return undefined
  const most = Math.max(2, Math.floor(name.length / 3))
  const [nearest] = names
    .map((known) => ({ known, apart: distance(fold(name), fold(known)) }))
    .filter(({ apart }) => apart <= most)
    .toSorted((one, other) => one.apart - other.apart)
  return nearest?.known
}

/** `pathStyle`, `path-style` and `path_style` are one name to people. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '')
}

/** Letters to change, add, leave out or swap with their neighbour. */
function distance(one: string, other: string): number {
  let before: number[] = []
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1]
      const isSwapped =
        i > 1 &&
        j > 1 &&
        one[i - 1] === other[j - 2] &&
        one[i - 2] === other[j - 1]
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = row
    row = next
  }
  return row[other.length] ?? 0
}

/** A name as it can be printed. */
function shown(name: string): string {
  return /^[\w$.-]{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64))
}
