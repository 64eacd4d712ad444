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

await t.test("a server's clock that cannot show that", async (t) => {
  const now = Date.parse('2024-01-02T03:04:05Z')
  const clock = new Clock(() => now)
  const at = (date: string) => clock.believable(date)
  t.equal(at('Tue, 02 Jan 2024 03:19:05 GMT'), now + 15 * 60_000)
  t.equal(at('Tue, 02 Jan 2024 02:49:05 GMT'), now - 15 * 60_000)
  t.equal(at('Tue, 02 Jan 2024 03:19:06 GMT'), undefined)
  t.equal(at('Wed, 02 Jan 2030 03:04:05 GMT'), undefined)
  t.equal(clock.believable(undefined), undefined)
  // Our own was wrong, and the server has said so.
  clock.correct('Wed, 02 Jan 2030 03:04:05 GMT', now)
  t.equal(
    at('Wed, 02 Jan 2030 03:04:06 GMT'),
    Date.parse('2030-01-02T03:04:06Z'),
  )
})

await t.test('dates', async (t) => {
  const time = Date.parse('2024-01-02T03:04:05Z')
  t.equal(parseDate('Tue, 02 Jan 2024 03:04:05 GMT'), time)
  t.equal(parseDate('2024-01-02T03:04:05Z'), time)
  t.equal(parseDate('2024-01-02T03:04:05.250Z'), time + 250)
  for (const bad of ['2024-13-02T03:04:05Z', '2024-01-02', '1704164645', 'x']) {
    t.equal(parseDate(bad), undefined, bad)
  }
  // Of a clock that was never set, or of nobody's.
  for (const absurd of [
    'Fri, 01 Jan 1960 00:00:00 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    '1999-12-31T23:59:59Z',
    '2100-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ]) {
    t.equal(parseDate(absurd), undefined, absurd)
  }
  t.equal(compactTime(new Date(time + 250)), '20240102T030405Z')
  for (const text of [
    '1970-01-01T00:00:00.000Z',
    '1999-12-31T23:59:59.999Z',
    '2000-02-29T00:00:09.000Z',
    '2026-10-10T10:00:00.001Z',
    '9999-12-31T00:59:00.000Z',
  ]) {
    const compact = text.replaceAll(/[-:]|\.\d+/g, '')
    t.equal(compactTime(new Date(text)), compact)
  }
})
