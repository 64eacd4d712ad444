import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { sha256 } from '../support/dev-store.js'
import { killRuns, seedFor } from '../support/kill-runs.js'

await t.test('killed behind createGzip, it is the gzip of it', async (t) => {
  const kills = 20
  const run = await killRuns(t, {
    kills,
    seed: seedFor() + 1,
    gzip: true,
    parts: 200,
  })
  t.ok(run.kills >= 20, `${run.kills} kills in ${run.runs} runs`)
  t.same(run.sentAgain, [], 'no part that was stored at a kill was sent again')
  const zipped = gzipSync(run.bytes)
  t.equal(run.object, sha256(zipped))
  t.ok(gunzipSync(zipped).equals(run.bytes))
  t.comment(`${run.requests} requests`)
})
