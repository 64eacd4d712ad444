/** What every store has to do, and the resumable upload on top of it. */
import type { Test } from 'tap'
import { storeCalls } from './store-calls.js'
import { storeErrors } from './store-errors.js'
import type { Target } from './target.js'
import { uploads } from './uploads.js'
import { wireFaults } from './wire-faults.js'

const chapters = {
  calls: storeCalls,
  errors: storeErrors,
  uploads,
  wire: wireFaults,
}

export type Chapter = keyof typeof chapters

export const everyChapter: readonly Chapter[] = [
  'calls',
  'errors',
  'uploads',
  'wire',
]

export async function contract(
  t: Test,
  target: Target,
  named: readonly Chapter[] = everyChapter,
): Promise<void> {
  t.comment(`against ${target.name}`)
  for (const chapter of named) {
    await t.test(chapter, (t) => chapters[chapter](t, target))
  }
}
