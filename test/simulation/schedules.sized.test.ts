/** No invariant is broken in many schedules, of every sort of store. */
import t from 'tap'
import { sized } from '../support/tier.js'
import { playAll } from './campaign.js'

const schedules = sized({ fast: 1000, more: 20_000, long: 200_000 })

await t.test(`${schedules} schedules hold`, async (t) => {
  let played = 0
  const found = await playAll(
    { seed: 1, first: 0, step: 1, schedules, except: [] },
    () => played++,
  )
  t.same(found, [])
  t.equal(played, schedules)
})
