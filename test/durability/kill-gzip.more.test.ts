import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { sha256 } from '../support/dev-store.js'
import { seedFor } from '../support/seed.js'
import { sized } from '../support/tier.js'
import { killRuns } from './kill-runs.js'

const kills = sized({ fast: 2, more: 90, long: 500 })

await t.test(
  `killed ${kills} times behind createGzip, it is the gzip of its source`,
  async (t) => {
    const run = await killRuns(t, { kills, seed: seedFor() + 1, gzip: true })
    t.same(
      run.sentAgain,
      [],
      'no part that was stored at a kill was sent again',
    )
    const zipped = gzipSync(run.bytes)
    t.equal(run.object, sha256(zipped))
    t.ok(gunzipSync(zipped).equals(run.bytes))
    t.comment(`${run.requests} requests`)
  },
)
