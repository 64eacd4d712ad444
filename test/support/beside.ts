/** Subtests that mostly wait, for servers, bounds and children: some at a time. */
import type { Test } from 'tap'

/**
 * Gives what takes the place of `await t.test` in a file. Not for subtests that look
 * at their process, at its descriptors or its memory.
 */
export function besideEachOther(t: Test, jobs = 8) {
  t.jobs = jobs
  return (name: string, test: (t: Test) => Promise<unknown>): void => {
    // `t` waits for it, and has its failures.
    void t.test(name, { buffered: true }, test)
  }
}

/** Plays the rows of a table beside each other: for what mostly waits, too. */
export async function all<Row>(
  rows: readonly Row[],
  play: (row: Row) => Promise<unknown>,
): Promise<void> {
  await Promise.all(rows.map((row) => play(row)))
}
