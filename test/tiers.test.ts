/** Which tests `npm test`, `test:more` and `test:long` run, and how they are counted. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { bareNode } from './support/bare-node.js'
import { temporaryDirectory } from './support/dev-store.js'
import { countsIn } from './support/tap-counts.js'
import { failuresIn } from './support/tap-failures.js'
import { testsOf, tiersOf } from './support/tier-files.js'
import { sized, tier, tierIn, tiers } from './support/tier.js'

const root = fileURLToPath(new URL('..', import.meta.url))

await t.test('the name of a file says its tiers', async (t) => {
  const rows: [string, readonly string[]][] = [
    ['test/cli/put.test.ts', ['fast']],
    ['memory.more.test.ts', ['more']],
    ['memory.long.test.ts', ['long']],
    ['test/durability/crash.sized.test.ts', tiers],
    ['test/support/seed.ts', []],
    ['test/run.js', []],
  ]
  for (const [name, expected] of rows) t.same(tiersOf(name), expected, name)
  for (const name of ['put.slow.test.ts', 'put.more.long.test.ts']) {
    t.throws(() => tiersOf(name), { message: `${name}: expected .test.ts` })
  }
})

await t.test('a folder gives what a tier runs of it', async (t) => {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'test/deep'), { recursive: true })
  const names = ['b.test.ts', 'deep/a.sized.test.ts', 'c.more.test.ts', 'd.ts']
  for (const name of names) await writeFile(join(directory, 'test', name), '')
  const of = (which: string, ...places: string[]) =>
    testsOf(which, directory, places)
  t.same(of('fast', 'test'), ['test/b.test.ts', 'test/deep/a.sized.test.ts'])
  t.same(of('more', 'test'), [
    'test/c.more.test.ts',
    'test/deep/a.sized.test.ts',
  ])
  t.same(of('long', 'test'), ['test/deep/a.sized.test.ts'])
  t.same(
    of('fast', 'test/c.more.test.ts', 'test/deep'),
    ['test/c.more.test.ts', 'test/deep/a.sized.test.ts'],
    'a file that is named is run in any tier',
  )
  t.throws(() => of('fast', 'test/gone'), { message: 'there is no test/gone' })
  await mkdir(join(directory, 'test/slow'))
  t.throws(() => of('fast', 'test/slow'), {
    message: 'there are no tests in test/slow',
  })
  await writeFile(join(directory, 'test/slow/e.more.test.ts'), '')
  t.throws(() => of('fast', 'test/slow'), {
    message: 'test/slow has no tests of the tier fast, but of more',
  })
})

await t.test('a tier that is misspelt is refused', async (t) => {
  t.equal(tierIn({}), 'fast')
  t.equal(tierIn({ PAWL_TIER: 'long' }), 'long')
  t.throws(() => tierIn({ PAWL_TIER: 'all' }), { message: 'PAWL_TIER is all' })
  t.equal(sized({ fast: 'fast', more: 'more', long: 'long' }), tier)
  const run = promisify(execFile)
  const [node, args] = bareNode(join(root, 'test/run.js'), '--tier=all')
  await t.rejects(run(node, args), {
    code: 2,
    stderr: 'test/run.js: --tier=all: expected fast, more, long\n',
  })
})

await t.test('every file of tests is in a tier', async (t) => {
  const all = tiers.flatMap((one) => testsOf(one, root, ['test']))
  t.ok(new Set(all).size > 100, 'the files were found')
})

await t.test('the last line of a run is counted', async (t) => {
  const rows: [string, object | undefined][] = [
    ['# { total: 12, pass: 12 }\n', { passed: 12, failed: 0, skipped: 0 }],
    [
      '# { total: 9, pass: 5, fail: 2, todo: 1, skip: 1 }\n# time=1ms\n',
      { passed: 5, failed: 2, skipped: 2 },
    ],
    [
      '    # { total: 1, pass: 1 }\n# { total: 3, pass: 3 }\n',
      { passed: 3, failed: 0, skipped: 0 },
    ],
    ['ok 1 - cut off here\n', undefined],
  ]
  for (const [output, counts] of rows) t.strictSame(countsIn(output), counts)
})

await t.test('what failed is found in what a run printed', (t) => {
  const output = [
    'TAP version 14',
    '# Subtest: test/a.test.ts',
    '    # Subtest: outer',
    '        # Subtest: fine',
    '            ok 1 - equal',
    '            1..1',
    '        ok 1 - fine # time=4ms',
    '        ',
    '        # Subtest: inner',
    '            not ok 1 - differs',
    '              ---',
    '              diff: |',
    '                -not ok 7 - of the text',
    '              ...',
    '            ',
    '            1..1',
    '        not ok 2 - inner # time=24ms',
    '          ---',
    '          at: here',
    '          ...',
    '        ',
    '        not ok 3 - fine',
    '          ---',
    '          ...',
    '        1..3',
    '    not ok 1 - outer # time=58ms',
    '    1..1',
    'not ok 1 - test/a.test.ts # time=248ms',
    '  ---',
    '  exitCode: 1',
    '  ...',
    '# Subtest: test/b.test.ts',
    '    ok 1 - equal',
    '    1..1',
    'ok 2 - test/b.test.ts # time=1ms',
    'not ok 3 - test/c.test.ts # time=9ms',
    '1..3',
  ].join('\n')
  t.strictSame(failuresIn(output), [
    {
      file: 'test/a.test.ts',
      text: [
        'outer > inner',
        '            not ok 1 - differs',
        '              ---',
        '              diff: |',
        '                -not ok 7 - of the text',
        '              ...',
        'outer',
        '        not ok 3 - fine',
        '          ---',
        '          ...',
      ].join('\n'),
    },
    { file: 'test/c.test.ts', text: 'not ok 3 - test/c.test.ts # time=9ms' },
  ])
  t.strictSame(failuresIn(output.slice(-10)), [])
  const often = '    not ok 1 - again\n'.repeat(100)
  const [many] = failuresIn(`${often}not ok 1 - test/d.test.ts`)
  t.match(many?.text, /again\n… and 40 lines more$/)
  t.end()
})
