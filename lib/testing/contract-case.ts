/** What a contract is made of, and what its cases share. */
import assert from 'node:assert/strict'
import { UploadError, type ErrorCode } from '../index.js'

/**
 * One sentence of a contract, to be given to any test runner. A case makes all
 * that it needs, so cases may run in any order, and one alone.
 */
export interface ContractCase {
  /** A plain sentence. */
  readonly name: string
  /**
   * Resolves when it holds. Rejects with an `AssertionError` that says what does
   * not, or with what a call was refused with that has to succeed.
   */
  run(this: void): Promise<void>
}

/** Waits for a call that has to be refused, with one of these codes. */
export async function refused(
  call: Promise<unknown>,
  what: string,
  ...codes: readonly ErrorCode[]
): Promise<UploadError> {
  const error: unknown = await call.then(
    () => assert.fail(`${what} has to be refused, and was not`),
    (reason: unknown) => reason,
  )
  if (error instanceof assert.AssertionError) throw error
  assert.ok(
    error instanceof UploadError,
    `${what}: rejected with ${String(error)}, expected an UploadError`,
  )
  assert.ok(
    codes.length === 0 || codes.includes(error.code),
    `${what}: rejected with ${error.code}, expected ${codes.join(' or ')}`,
  )
  return error
}

/** Throws unless both are the same bytes; prints neither. */
export function sameBytes(
  found: Uint8Array,
  expected: Uint8Array,
  what: string,
): void {
  const size = Math.min(found.length, expected.length)
  const at = Array.prototype.findIndex.call(
    found.subarray(0, size),
    (byte: unknown, index: number) => byte !== expected[index],
  )
  assert.equal(found.length, expected.length, `${what}: another length`)
  assert.equal(at, -1, `${what}: byte ${at} is another`)
}

/** The same bytes for the same seed, of which no two parts are equal. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}
