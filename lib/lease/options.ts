/** The options that logs on a service have in common, checked. */
import { invalidOption } from '../errors.js'

/** ms */
const shortestLease = 1000
const longestLease = 24 * 60 * 60_000

/** Characters; it becomes part of a key, or of a row's. */
const longestName = 512

export function checkLease(lease: number): number {
  if (
    Number.isSafeInteger(lease) &&
    lease >= shortestLease &&
    lease <= longestLease
  ) {
    return lease
  }
  return invalidOption(
    `lease must be a whole number of milliseconds from ${shortestLease} to ${longestLease}, not ${String(lease)}`,
  )
}

/** ms that a service has to answer one step; a machine may be slow, and a lease short. */
export function stepTimeout(lease: number): number {
  return Math.min(Math.max(lease / 3, 5000), 10_000)
}

/** Of a log: any text without control characters. */
export function checkLogName(name: string): string {
  const isText =
    typeof name === 'string' &&
    name !== '' &&
    name.length <= longestName &&
    name.isWellFormed() &&
    !/\p{Cc}/u.test(name)
  if (isText) return name
  return invalidOption(
    `name must be a text of 1 to ${longestName} characters, without control characters`,
  )
}
