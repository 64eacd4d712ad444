/** Checks of single options; what is wrong throws `PAWL_INVALID_OPTION`. */
import { invalidOption } from '../../errors.js'

export function optional<T, R>(
  value: T | undefined,
  read: (value: T) => R,
): R | undefined {
  return value === undefined ? undefined : read(value)
}

/** A function, whatever its signature: types hold that for typed callers. */
export function aFunction<T>(name: string, value: T): T {
  return typeof value === 'function'
    ? value
    : invalidOption(`${name} must be a function`)
}

export function wholeNumber(
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) {
    return value
  }
  const range =
    most === Number.MAX_SAFE_INTEGER
      ? `from ${least}`
      : `from ${least} to ${most}`
  return invalidOption(
    `${name} must be a whole number ${range}, not ${String(value)}`,
  )
}

export function oneOf<const T>(
  name: string,
  value: T,
  allowed: readonly T[],
): T {
  if (allowed.includes(value)) return value
  return invalidOption(
    `${name} must be one of ${allowed.map((v) => JSON.stringify(v)).join(', ')}, not ${JSON.stringify(value)}`,
  )
}
