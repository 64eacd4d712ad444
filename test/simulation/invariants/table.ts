/**
 * What must be true, each as a sentence and as a look at the truth: never at
 * what the library or the store says of itself, unless that is what is judged.
 *
 * What excuses an invariant is a rule of the library, and is named beside it: what
 * this run could not have seen, or could not have written down.
 */
import type { Run } from '../run.js'
import type { Check } from './check.js'
import { ofEvents } from './events.js'
import { ofObjectsAtTheEnd } from './objects.js'
import { ofFailure } from './refusals.js'
import { ofSuccess } from './success.js'
import { ofUploadsAfterRun, ofUploadsAtTheEnd } from './uploads.js'

export type { Check } from './check.js'
export { onComplete, onMade, onMaking } from './objects.js'
export { onAbort } from './uploads.js'

const ofMachines: readonly Check<[Run]>[] = [
  {
    name: 'nobody works for ever without waiting',
    says: 'Timers, signals and everything else get their turn.',
    of: ({ world }) =>
      world.isSpinning ? 'the same work was begun again and again' : undefined,
  },
  {
    name: 'a log is written by who holds it',
    says: 'One write at a time, and each write, emptying and unlink takes effect under the lock.',
    of: (scene) => scene.machines.flatMap(({ disk }) => disk.breaches)[0],
  },
  {
    name: 'a shared log is given to one run at a time',
    says: 'While a lease lasts nobody else is given it, and each writes in its own name.',
    of: ({ engine }) => engine?.breaches[0],
  },
]

/** When a run has ended, however it did. */
export const afterRun: readonly Check<[Run]>[] = [
  ...ofSuccess,
  ...ofFailure,
  ...ofUploadsAfterRun,
  ...ofEvents,
  ...ofMachines,
]

/** When everything has come to its end. */
export const atTheEnd: readonly Check<[]>[] = [
  ...ofObjectsAtTheEnd,
  ...ofUploadsAtTheEnd,
]
