/** Second runs and discards, killed with SIGKILL before and after each call. */
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { part } from '../support/small-upload.js'
import {
  completeSteps,
  killAtSteps,
  logSteps,
  partSteps,
  removeSteps,
  type CrashScenario,
} from './crash-runs.js'
import { suspendAfter, suspendInComplete } from './next-run.js'

const scenarios: Record<string, CrashScenario> = {
  'an upload that is gone on with': {
    bytes: noise(4 * part + 1, 1),
    concurrency: 1,
    before: (dev, bytes) => suspendAfter(dev, bytes, 2),
    steps: [
      'after listParts',
      ...logSteps,
      ...partSteps,
      ...completeSteps,
      ...removeSteps,
    ],
  },
  'a source that shrank to less than a part': {
    bytes: noise(100, 2),
    concurrency: 1,
    before: (dev) => suspendAfter(dev, noise(3 * part, 3), 2),
    steps: [
      'before abortUpload',
      'after abortUpload',
      'before putObject',
      'after putObject',
    ],
  },
  'an object that is claimed': {
    bytes: noise(3 * part, 4),
    concurrency: 1,
    before: suspendInComplete,
    steps: ['before headObject', 'after headObject', ...removeSteps],
  },
  'a discard': {
    bytes: noise(3 * part, 5),
    concurrency: 1,
    discard: true,
    before: (dev, bytes) => suspendAfter(dev, bytes, 2),
    steps: [
      'before abortUpload',
      'after abortUpload',
      ...logSteps,
      ...removeSteps,
    ],
  },
}

for (const [name, scenario] of Object.entries(scenarios)) {
  await t.test(`killed at each step: ${name}`, async (t) => {
    await killAtSteps(t, scenario)
  })
}
