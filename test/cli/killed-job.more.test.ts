import t from 'tap'
import { killJob } from '../support/killed-job.js'

await t.test('1,000 files by a command that is killed 20 times', (t) =>
  killJob(t, { files: 1000, kills: 20 }),
)
