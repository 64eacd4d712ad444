/** New uploads, killed with SIGKILL before and after each call they make. */
import t from 'tap'
import { noise } from '../support/dev-store.js'
import { part } from '../support/small-upload.js'
import {
  completeSteps,
  createSteps,
  killAtSteps,
  logSteps,
  partSteps,
  removeSteps,
  type CrashScenario,
} from './crash-runs.js'

const ofUploads = [
  'after open new',
  'after syncDirectory',
  ...createSteps,
  ...logSteps,
  ...partSteps,
  ...completeSteps,
  ...removeSteps,
]

const scenarios: Record<string, CrashScenario> = {
  'parts one by one': {
    bytes: noise(3 * part + 5, 5),
    concurrency: 1,
    steps: ofUploads,
  },
  'parts in flight': {
    bytes: noise(4 * part, 6),
    concurrency: 4,
    steps: [...partSteps, ...completeSteps],
  },
  'less than a part': {
    bytes: noise(99, 7),
    concurrency: 1,
    steps: ['before putObject', 'after putObject', ...removeSteps],
  },
}

for (const [name, scenario] of Object.entries(scenarios)) {
  await t.test(`killed at each step: ${name}`, async (t) => {
    await killAtSteps(t, scenario)
  })
}
