/** Completion and the manual page, made from the definitions of the flags. */
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk } from '../support/cli-desk.js'

const test = besideEachOther(t)

test('bash completes commands, flags, their words and files', async (t) => {
  const d = await cliDesk(t)
  await mkdir(join(d.directory, 'folder'))
  await writeFile(
    join(d.directory, 'pawl.bash'),
    (await d.run(['completion', 'bash'])).out,
  )
  const rows: [line: string, expected: string[], not: string[]][] = [
    [
      'pawl ',
      ['put', 'status', 'uploads', 'abort', 'discard', 'serve'],
      ['-r'],
    ],
    ['pawl pu', ['put'], ['status']],
    ['pawl put --part', ['--part-size'], ['--concurrency']],
    [
      'pawl put -',
      ['-r', '--recursive', '--exclude', '--json', '--proxy'],
      ['put'],
    ],
    ['pawl put --verify ', ['crc64', 'md5', 'none'], ['db.dump']],
    ['pawl put --ca db', ['db.dump'], []],
    ['pawl put db', ['db.dump'], []],
    ['pawl completion ', ['bash', 'zsh', 'fish'], []],
    ['pawl fleet ', ['plan', 'work', 'status', 'retry'], ['put']],
    ['pawl fleet plan --sl', ['--slice-files'], ['--root']],
    ['pawl fleet plan ', ['folder'], ['db.dump']],
    ['pawl fleet plan --from db', ['db.dump'], []],
    ['pawl fleet plan --fr', ['--from'], []],
    ['pawl fleet work --log ', ['queue', 'bucket', 'none'], []],
    ['pawl fleet status ', [''], ['db.dump']],
    ['pawl status db', ['db.dump'], []],
  ]
  for (const [line, expected, not] of rows) {
    const words = line.split(' ')
    const script = `source ./pawl.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _pawl; printf '%s\\n' "\${COMPREPLY[@]}"`
    const said = execFileSync('bash', ['-c', script], {
      cwd: d.directory,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
    for (const word of expected) t.ok(said.includes(word), `${line}: ${word}`)
    for (const word of not) t.notOk(said.includes(word), `${line}: not ${word}`)
  }
})

test('every command and flag is in every completion and in the manual', async (t) => {
  const d = await cliDesk(t)
  const helps = [['put'], ['fleet', 'plan'], ['fleet', 'work']].map((words) =>
    d.run([...words, '--help']),
  )
  const flags = (await Promise.all(helps)).flatMap(({ out }) =>
    [...out.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map(
      ([, flag = '']) => flag,
    ),
  )
  t.ok(flags.length > 100)
  for (const flag of ['slice-files', 'from', 'columns', 'root'])
    t.ok(flags.includes(flag), flag)
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out } = await d.run(['completion', shell])
    t.equal(code, 0)
    for (const flag of flags) t.ok(out.includes(flag), `${shell}: ${flag}`)
  }
  const { out: page } = await d.run(['man'])
  for (const flag of flags) {
    t.ok(page.includes(`\\-\\-${flag.replaceAll('-', '\\-')}`), flag)
  }
  t.match(page, /^\.TH PAWL 1/)
  t.match(page, /\.SH EXIT STATUS/)
  for (const name of ['plan', 'work', 'status', 'retry']) {
    t.match(page, `\npawl fleet ${name} [options]`, name)
    t.match(page, `\n.SH PAWL FLEET ${name.toUpperCase()}\n`, name)
  }
  t.match(await d.run(['completion', 'powershell']), {
    code: 2,
    log: /Allowed choices are bash, zsh, fish/,
  })
})

test('help has examples and exit codes', async (t) => {
  const d = await cliDesk(t)
  const { out } = await d.run(['put', '--help'])
  t.match(out, /Examples:\n {2}pawl put db\.dump/)
  t.match(out, /Exit codes:\n {2}0 {4}done/)
  t.match(
    (await d.run(['--help'])).out,
    /Exit codes:[\s\S]*Credentials are looked for/,
  )
})
