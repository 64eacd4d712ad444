import t from 'tap'
import { barLine, type BarFigures } from '../../lib/cli/bar-line.js'

const figures: BarFigures = {
  name: 'db.dump',
  percent: 44,
  done: '128 MiB of 286 MiB',
  rate: '33.9 MiB/s',
  left: '5s left',
  reused: '16 parts reused',
}

await t.test('the line is what the terminal has room for', async (t) => {
  const rows: [number, string][] = [
    [
      120,
      'db.dump [===========             ] 44%  128 MiB of 286 MiB  33.9 MiB/s  5s left  16 parts reused',
    ],
    [
      80,
      'db.dump [===    ] 44%  128 MiB of 286 MiB  33.9 MiB/s  5s left  16 parts reused',
    ],
    [75, 'db.dump [===   ] 44%  128 MiB of 286 MiB  33.9 MiB/s  5s left'],
    [60, 'db.dump [===   ] 44%  128 MiB of 286 MiB  5s left'],
    [40, 'db.dump [===   ] 44%  5s left'],
    [24, 'db.dump [===   ] 44%'],
    [16, 'db.dump 44%'],
    [8, '44%'],
    [2, '4'],
    [1, ''],
  ]
  for (const [columns, line] of rows) {
    t.equal(barLine(figures, columns), line, `${columns} columns`)
  }
})

await t.test('no line is wider than the terminal', async (t) => {
  const names = [
    'a',
    'x'.repeat(24),
    '数据库备份二〇二六年十一月.dump',
    '🙂'.repeat(12),
  ]
  const wide = (text: string) =>
    Array.from(text).reduce(
      (sum, it) => sum + (/[\u2e80-\uffff]|[^\0-\uffff]/u.test(it) ? 2 : 1),
      0,
    )
  for (const name of names) {
    for (const percent of [undefined, 0, 100]) {
      for (let columns = 1; columns <= 140; columns++) {
        const line = barLine({ ...figures, name, percent }, columns)
        t.ok(wide(line) < columns, `${columns}: ${line}`)
      }
    }
  }
})

await t.test('without a total there is neither bar nor share', async (t) => {
  const unknown = {
    ...figures,
    percent: undefined,
    done: '128 MiB',
    left: '',
  }
  t.equal(barLine(unknown, 80), 'db.dump  128 MiB  33.9 MiB/s  16 parts reused')
})

await t.test('a long name keeps its end', async (t) => {
  const name = 'backups/2026/november.dump'
  t.match(barLine({ ...figures, name }, 34), /^…\S*november\.dump \[=* *\] 44%/)
})
