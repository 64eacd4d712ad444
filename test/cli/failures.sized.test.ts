import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { bareNode } from '../support/bare-node.js'
import { besideEachOther } from '../support/beside.js'
import { startCli, type CliEnd } from '../support/cli-child.js'
import { cliDesk, linesOf, small, type Desk } from '../support/cli-desk.js'
import { compiledFixture } from '../support/compiled.js'
import { sized } from '../support/tier.js'

const test = besideEachOther(t)

type Row = [args: string[], code: number, log: RegExp]
type End = Pick<CliEnd, 'code' | 'out' | 'log'>

/** The first tier has them in one process, the others in one each. */
const endsOf = sized({ fast: inOne, more: inOneEach, long: inOneEach })

async function inOne(d: Desk, lines: string[][]): Promise<End[]> {
  const path = compiledFixture('command-lines-child')
  const { stdout } = await promisify(execFile)(
    ...bareNode(path, JSON.stringify(lines)),
    { cwd: d.directory, env: { PATH: process.env['PATH'] } },
  )
  return JSON.parse(stdout) as End[]
}

/** A few at a time. */
async function inOneEach(d: Desk, lines: string[][]): Promise<End[]> {
  const ends: End[] = []
  const left = [...lines]
  while (left.length > 0) {
    const some = left.splice(0, 4).map((args) => d.run(args))
    ends.push(...(await Promise.all(some)))
  }
  return ends
}

test('names cannot steer the terminal', async (t) => {
  const d = await cliDesk(t)
  const name = '\u001b[31mred\n.txt'
  await writeFile(join(d.directory, name), 'x')
  const env = {
    AWS_ACCESS_KEY_ID: 'dev',
    AWS_SECRET_ACCESS_KEY: 'dev-secret',
    AWS_ENDPOINT_URL: d.server.endpoint,
  }
  const start = (...args: string[]) =>
    startCli(args, { cwd: d.directory, env }).ended
  t.match(await start('put', name, 's3://examplebucket/'), {
    code: 0,
    out: 's3://examplebucket/\\x1b[31mred\\x0a.txt (1 B',
    log: /^\\x1b\[31mred\\x0a\.txt: /,
  })
  await d.store.createUpload(
    { key: name, object: {} },
    {
      signal: new AbortController().signal,
      timeouts: { connect: 60_000, stall: 60_000, headers: 60_000 },
    },
  )
  t.match(await start('uploads', 's3://examplebucket/'), {
    out: 's3://examplebucket/\\x1b[31mred\\x0a.txt\n',
  })
})

test('failures are a line or two with a code, never a stack', async (t) => {
  const d = await cliDesk(t)
  await writeFile(join(d.directory, 'no.log'), 'this is no log')
  await writeFile(join(d.directory, 'notes'), 'notes')
  const rows: Row[] = [
    [['put'], 2, /^pawl: PAWL_INVALID_OPTION: missing .*\nSee pawl put --help/],
    [
      ['put', '--parts-size', '1', 'db.dump', `${d.url}/k`],
      2,
      /unknown option '--parts-size' \(Did you mean --part-size\?\)\nSee pawl put/,
    ],
    [
      ['put', '--part-size', '1', 'db.dump', `${d.url}/k`],
      2,
      /--part-size must be a whole number from 102400/,
    ],
    [['put', '--meta', 'x', 'db.dump', `${d.url}/k`], 2, /name=value/],
    [['put', '--header', 'x', 'db.dump', `${d.url}/k`], 2, /name:value/],
    [['put', 'db.dump', 'oss://examplebucket/k'], 2, /give --region/],
    [['put', 'db.dump'], 2, /name what to upload/],
    [['put', '--part-size', 'x', 'db.dump', `${d.url}/k`], 2, /Expected bytes/],
    [
      ['put', '--memory', '8M', '--concurrency', '2', '-', `${d.url}/k`],
      2,
      /memory: 8388608 bytes have no room for 2 parts in flight/,
    ],
    [
      ['put', '--concurrency', 'many', 'db.dump', `${d.url}/k`],
      2,
      /--concurrency <n>.*Expected/,
    ],
    [
      ['put', '--max-rate', '0', 'db.dump', `${d.url}/k`],
      2,
      /--max-rate: expected bytes a second/,
    ],
    [['put', 'db.dump', 'nowhere'], 2, /PAWL_INVALID_OPTION.*not a target/],
    [['put', 'db.dump', 'notes', `${d.url}/k`], 2, /several files/],
    [['put', 'db.dump', './db.dump', `${d.url}/`], 2, /both be db\.dump/],
    [['put', 'db.dump', '-', `${d.url}/k`], 2, /uploaded alone/],
    [['put', '-', `${d.url}/`], 2, /must name the object/],
    [['put', '--size', '1', 'db.dump', `${d.url}/k`], 2, /--size is for/],
    [['put', 'missing', `${d.url}/k`], 2, /SOURCE_IO: missing: there is no/],
    [['put', 'db.dump', 'missing', `${d.url}/`], 2, /PAWL_SOURCE_IO: missing/],
    [['put', '.', `${d.url}/k`], 2, /is a directory; give -r/],
    [['put', '/dev/null', `${d.url}/k`], 2, /pipe it in: pawl put - URL/],
    [
      ['put', '--checkpoint-dir', 'none', 'db.dump', `${d.url}/k`],
      1,
      /create it first\nGive --checkpoint-dir a directory that can be written/,
    ],
    [
      ['put', '--checkpoint', 'no.log', 'db.dump', `${d.url}/k`],
      1,
      /PAWL_NOT_A_CHECKPOINT/,
    ],
    [
      ['put', 'db.dump', 'oss://examplebucket/k', '--region', 'cn-hangzhou'],
      1,
      /PAWL_CREDENTIALS.*set OSS_ACCESS_KEY_ID/,
    ],
    [['status', 'no.log'], 1, /^pawl: PAWL_NOT_A_CHECKPOINT: .*\n$/],
    [['status', 'missing'], 2, /^pawl: PAWL_CHECKPOINT_IO: .*no such file\n$/],
    [['uploads', 'nowhere'], 2, /not a target/],
    [['abort', `${d.url}/`], 2, /--older-than/],
    [['abort', '--older-than', '7', `${d.url}/`], 2, /such as 90s, 12h or 7d/],
    [['serve', 'db.dump'], 2, /db\.dump is not a directory/],
    [
      ['serve', 'objects', '--port', String(d.server.port)],
      2,
      /port \d+ is in use; give another --port/,
    ],
    [
      ['serve', 'objects', '--host', '0.0.0.0'],
      2,
      /not loopback; give --allow-remote/,
    ],
    [
      ['serve', 'objects', '--host', '0.0.0.0', '--allow-remote'],
      2,
      /--allow-remote needs --access-key and --secret-key/,
    ],
    [
      ['serve', 'objects', '--access-key', 'me'],
      2,
      /--access-key and --secret-key go together/,
    ],
    [
      [
        'serve',
        'objects',
        '--allow-remote',
        '--access-key=dev',
        '--secret-key=dev-secret',
      ],
      2,
      /everybody knows the default one/,
    ],
    ...['?x=1', '#x', '%zz', '%ff'].map((end): Row => [
      ['put', 'db.dump', `${d.url}/k${end}`],
      2,
      /of the key is written %3F, %23 or %25/,
    ]),
    ...['\n', '\\x', '/../x'].map((end): Row => [
      ['put', 'db.dump', `${d.url}/k${end}`],
      2,
      /are written %09, %0A, %5C and %20, and no name is \. or \.\./,
    ]),
    [
      ['put', 'db.dump', `${d.url.replace('//', '//me:secret@')}/k`],
      2,
      /has no name and no password/,
    ],
    [
      ['put', 'db.dump', 'https://me:secret@oss.example/k?Signature=secret'],
      2,
      /"https:\/\/oss\.example\/k\?…" is not a target/,
    ],
    [['unheard-of'], 2, /unknown command.*\nSee pawl --help/],
  ]
  const ends = await endsOf(
    d,
    rows.map(([args]) => args),
  )
  t.equal(ends.length, rows.length)
  for (const [i, [args, code, log]] of rows.entries()) {
    const { log: said = '', ...end } = ends[i] ?? {}
    t.match({ ...end, log: said }, { code, log, out: '' }, args.join(' '))
    t.ok(said.trimEnd().split('\n').length <= 2, said)
    t.notMatch(said, /^ +at /m)
  }
  t.same(d.server.requests, [], 'all of it is said before anything is sent')
  const debug = await d.run(['put', '--debug', 'missing', `${d.url}/k`])
  t.match(debug.log, /^ +at /m)
})

test('secrets are never said', async (t) => {
  const d = await cliDesk(t)
  const secret = `secret-${randomBytes(8).toString('hex')}`
  const token = `token-${randomBytes(8).toString('hex')}`
  const env = {
    OSS_ACCESS_KEY_ID: 'dev',
    OSS_ACCESS_KEY_SECRET: secret,
    OSS_SESSION_TOKEN: token,
  }
  const end = await startCli(
    ['put', '--debug', '--json', ...small, 'db.dump', `${d.url}/k`],
    { cwd: d.directory, env },
  ).ended
  t.equal(end.code, 1)
  t.match(linesOf(end).at(-1), { event: 'error', code: 'PAWL_CREDENTIALS' })
  for (const text of [end.out, end.log]) {
    t.notMatch(text, secret)
    t.notMatch(text, token)
  }
})

test('--verbose has what the server said', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(() => ({
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  }))
  for (const args of [
    ['put', '-v', 'db.dump', `${d.url}/k`],
    ['put', '-v', '-r', 'db.dump', `${d.url}/`],
  ]) {
    const { log } = await d.run(args)
    t.match(
      log,
      /^The server said: status 403, code AccessDenied, request \w+/m,
    )
  }
})
