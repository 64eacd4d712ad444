import t from 'tap'
import { sha256 } from '../support/dev-store.js'
import { killRuns, seedFor } from '../support/kill-runs.js'

await t.test('killed 24 times, an upload is its source', async (t) => {
  const kills = 24
  const run = await killRuns(t, {
    kills,
    seed: seedFor(),
    gzip: false,
    parts: 240,
  })
  t.ok(run.kills >= 20, `${run.kills} kills in ${run.runs} runs`)
  t.equal(run.object, sha256(run.bytes))
  t.same(run.sentAgain, [], 'no part that was stored at a kill was sent again')
  t.comment(`${run.requests} requests for 241 parts`)
})
