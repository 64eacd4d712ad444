import t from 'tap'
import {
  countOf,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  parseWholeNumber,
} from '../../lib/cli/units.js'

await t.test('sizes are bytes, or have a unit', async (t) => {
  const rows: [string, number][] = [
    ['0', 0],
    ['8388608', 8388608],
    ['8M', 8388608],
    ['8MiB', 8388608],
    ['8 mb', 8388608],
    ['1.5k', 1536],
    ['5GiB', 5 * 1024 ** 3],
    ['2T', 2 * 1024 ** 4],
    ['7B', 7],
  ]
  for (const [text, bytes] of rows) t.equal(parseSize(text), bytes, text)
  for (const wrong of ['', 'x', '-1', '1X', '1e3', '9999999999T']) {
    t.throws(() => parseSize(wrong), { code: 'commander.invalidArgument' })
  }
})

await t.test('times have a unit', async (t) => {
  const rows: [string, number][] = [
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0.5h', 1_800_000],
  ]
  for (const [text, ms] of rows) t.equal(parseDuration(text), ms, text)
  for (const wrong of ['', '7', 'd', '-1d', '1y']) {
    t.throws(() => parseDuration(wrong), { code: 'commander.invalidArgument' })
  }
})

await t.test('whole numbers', async (t) => {
  t.equal(parseWholeNumber('12'), 12)
  for (const wrong of ['', '1.5', '-1', 'x', '9'.repeat(16)]) {
    t.throws(() => parseWholeNumber(wrong), {
      code: 'commander.invalidArgument',
    })
  }
})

await t.test('sizes as people read them', async (t) => {
  const rows: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [150 * 1024, '150 KiB'],
    [8 * 1024 ** 2, '8.0 MiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
    [3000 * 1024 ** 4, '3000 TiB'],
  ]
  for (const [bytes, text] of rows) t.equal(formatSize(bytes), text)
})

await t.test('counts as people read them', async (t) => {
  t.equal(countOf(0, 'part'), '0 parts')
  t.equal(countOf(1, 'part'), '1 part')
  t.equal(countOf(2, 'part'), '2 parts')
})

await t.test('times as people read them', async (t) => {
  const rows: [number, string][] = [
    [-5, '0s'],
    [59_400, '59s'],
    [200_000, '3m20s'],
    [7_500_000, '2h05m'],
    [3 * 86_400_000 + 4 * 3_600_000, '3d04h'],
  ]
  for (const [ms, text] of rows) t.equal(formatDuration(ms), text)
})
