/** New uploads, killed with SIGKILL before and after each call they make. */
import t from 'tap'
import { compiledSources } from '../support/compiled.js'
import {
  completeSteps,
  createSteps,
  killAtEveryStep,
  logSteps,
  partSteps,
  removeSteps,
  type CrashScenario,
} from '../support/crash-runs.js'
import { noise } from '../support/dev-store.js'
import { part } from '../support/small-upload.js'

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
    steps: ofUploads,
  },
  'less than a part': {
    bytes: noise(99, 7),
    concurrency: 1,
    steps: ['before putObject', 'after putObject', ...logSteps, ...removeSteps],
  },
}

const sources = await compiledSources(t)
let kills = 0

for (const [name, scenario] of Object.entries(scenarios)) {
  await t.test(`killed at every step: ${name}`, async (t) => {
    kills += await killAtEveryStep(t, sources, scenario)
  })
}

await t.test('there were enough kills', async (t) => {
  t.ok(kills >= 80, `${kills} kills`)
})
