/** What every store has to do, and the resumable upload on top of it. */
import type { Test } from 'tap'
import { storeCalls } from './store-calls.js'
import { storeErrors } from './store-errors.js'
import type { Target } from './target.js'
import { uploads } from './uploads.js'
import { wireFaults } from './wire-faults.js'

export async function contract(t: Test, target: Target): Promise<void> {
  t.comment(`against ${target.name}`)
  await t.test('calls', (t) => storeCalls(t, target))
  await t.test('errors', (t) => storeErrors(t, target))
  await t.test('uploads', (t) => uploads(t, target))
  await t.test('wire', (t) => wireFaults(t, target))
}
