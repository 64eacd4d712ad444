import t from 'tap'
import { killJob } from '../support/killed-job.js'

await t.test('10,000 files by a command that is killed 20 times', (t) =>
  killJob(t, { files: 10_000, kills: 20 }),
)
