import t from 'tap'
import { sha256 } from '../support/dev-store.js'
import { seedFor } from '../support/seed.js'
import { sized } from '../support/tier.js'
import { killRuns } from './kill-runs.js'

const kills = sized({ fast: 3, more: 110, long: 500 })

await t.test(`killed ${kills} times, an upload is its source`, async (t) => {
  const run = await killRuns(t, { kills, seed: seedFor(), gzip: false })
  t.equal(run.object, sha256(run.bytes))
  t.same(run.sentAgain, [], 'no part that was stored at a kill was sent again')
  t.comment(`${run.requests} requests`)
})
