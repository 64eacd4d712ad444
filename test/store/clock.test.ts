import t from 'tap'
import { Clock, compactTime, parseDate } from '../../lib/store/clock.js'

await t.test('the offset is from the answer, and stays', async (t) => {
  let now = Date.parse('2024-01-02T03:04:05Z')
  const clock = new Clock(() => now)
  t.equal(clock.now().getTime(), now)
  clock.correct('Tue, 02 Jan 2024 04:04:05 GMT', now)
  now += 1000
  t.equal(clock.local(), now)
  t.equal(clock.now().toISOString(), '2024-01-02T04:04:06.000Z')
})

await t.test('an answer without a usable date corrects nothing', async (t) => {
  const clock = new Clock(() => 0)
  for (const date of [undefined, '', 'now', '1', '2024']) clock.correct(date, 9)
  t.equal(clock.now().getTime(), 0)
})

await t.test('dates', async (t) => {
  const time = Date.parse('2024-01-02T03:04:05Z')
  t.equal(parseDate('Tue, 02 Jan 2024 03:04:05 GMT'), time)
  t.equal(parseDate('2024-01-02T03:04:05Z'), time)
  t.equal(parseDate('2024-01-02T03:04:05.250Z'), time + 250)
  for (const bad of ['2024-13-02T03:04:05Z', '2024-01-02', '1704164645', 'x']) {
    t.equal(parseDate(bad), undefined, bad)
  }
  t.equal(compactTime(new Date(time + 250)), '20240102T030405Z')
})
