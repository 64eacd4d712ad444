/** Many files: trees, choices, failures, what is not sent again. */
import { chmod, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, linesOf, small, type Desk } from '../support/cli-desk.js'

const test = besideEachOther(t)

const files = {
  'tree/a.txt': 'a',
  'tree/b/c.txt': 'c',
  'tree/b/d.log': 'd',
  'tree/b/empty': '',
  'tree/node_modules/x/y.txt': 'y',
}

/** A desk with a tree, whose state is in its own directory. */
async function treeDesk(t: Parameters<typeof cliDesk>[0]) {
  const d = await cliDesk(t)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(d.directory, path)), { recursive: true })
    await writeFile(join(d.directory, path), text)
  }
  const env = { XDG_STATE_HOME: join(d.directory, 'state'), HOME: d.directory }
  const run = (line: string) => d.script(line, env).ended
  return { ...d, run1: run, env }
}

const keysOf = (d: Desk): string[] =>
  d
    .seen('PutObject')
    .filter(({ applied }) => applied)
    .map(({ key }) => key ?? '')
    .toSorted()

test('a tree becomes the objects below a URL', async (t) => {
  const d = await treeDesk(t)
  const end = await d.run1('pawl put -r tree $URL/p')
  t.match(end, { code: 0, out: /^5 files sent \(4 B\) in \d+s\n$/, log: '' })
  for (const [path, text] of Object.entries(files)) {
    t.equal(String(await d.object(path.replace('tree/', 'p/'))), text)
  }
  t.equal(d.seen('PutObject').length, 5)
})

test('several files are sent at once, without a word of each', async (t) => {
  const d = await treeDesk(t)
  d.server.setFault(({ operation }) =>
    operation === 'PutObject' ? { kind: 'silence' } : undefined,
  )
  const child = d.script('exec pawl put -r tree $URL/', d.env)
  while (d.seen('PutObject').length < 5) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  child.kill('SIGINT')
  const end = await child.ended
  t.match(end, { code: 130, out: /^0 files sent/ })
  t.notMatch(end.out + end.log, /%|a\.txt/)
})

test('only what is included, and nothing that is excluded', async (t) => {
  const rows: [flags: string, keys: string[]][] = [
    ["--include '*.txt'", ['a.txt', 'b/c.txt', 'node_modules/x/y.txt']],
    [
      "--exclude node_modules --exclude '*.log'",
      ['a.txt', 'b/c.txt', 'b/empty'],
    ],
    ["--include 'b/**' --exclude empty", ['b/c.txt', 'b/d.log']],
    ["--include 'none'", []],
  ]
  for (const [flags, keys] of rows) {
    const d = await treeDesk(t)
    t.match(await d.run1(`pawl put -r tree $URL/ ${flags}`), { code: 0 }, flags)
    t.same(keysOf(d), keys, flags)
  }
})

test('--dry-run says what would be sent, and sends nothing', async (t) => {
  const d = await treeDesk(t)
  const end = await d.run1(
    "pawl put -r tree $URL/p/ --include '*.txt' --dry-run",
  )
  t.equal(end.code, 0)
  t.match(end.out, `tree/b/c.txt -> ${d.url}/p/b/c.txt (1 B)\n`)
  t.match(end.out, /\n3 files would be sent in/)
  t.same(linesOf(await d.run1('pawl put db.dump $URL/k --dry-run --json')), [
    {
      event: 'would-send',
      source: 'db.dump',
      url: `${d.url}/k`,
      size: 1228800,
    },
    {
      event: 'summary',
      sent: 0,
      bytes: 0,
      sentBefore: 0,
      sameThere: 0,
      wouldSend: 1,
      skipped: 0,
      failed: 0,
      isWhole: true,
    },
  ])
  t.same(d.server.requests, [])
})

test('links are told, or followed', async (t) => {
  const d = await treeDesk(t)
  await symlink('../a.txt', join(d.directory, 'tree/b/link'))
  const plain = await d.run1('pawl put -r tree $URL/')
  t.match(plain, {
    code: 0,
    log: /tree\/b\/link: skipped, it is a link; --follow/,
  })
  t.match(plain.out, /5 files sent .*, 1 skipped/)
  t.match(await d.run1('pawl put -r tree $URL/ --follow-links'), { code: 0 })
  t.equal(String(await d.object('b/link')), 'a')
})

test('a file that fails does not end the others', async (t) => {
  const d = await treeDesk(t)
  const refuse = (status: number, code: string) =>
    d.server.setFault(({ key, operation }) =>
      operation === 'PutObject' && key === 'b/c.txt'
        ? { kind: 'status', status, code }
        : undefined,
    )
  refuse(403, 'AccessDenied')
  const denied = await d.run1('pawl put -r tree $URL/')
  t.match(denied, {
    code: 1,
    out: /^4 files sent .*, 1 failed in/,
    log: /^pawl: tree\/b\/c\.txt: PAWL_ACCESS_DENIED: .*\nRun the same command again/,
  })
  const json = linesOf(await d.run1('pawl put -r tree $URL/ --json'))
  t.match(
    json.find(({ event }) => event === 'error'),
    {
      source: 'tree/b/c.txt',
      url: `${d.url}/b/c.txt`,
      code: 'PAWL_ACCESS_DENIED',
    },
  )
  t.match(json.at(-1), { event: 'summary', sent: 0, sentBefore: 4, failed: 1 })
  d.server.setFault(undefined)
  const again = await d.run1('pawl put -r tree $URL/')
  t.match(again, { code: 0, out: /^1 file sent \(1 B\), 4 sent before in/ })
  t.equal(keysOf(d).length, 5, 'nothing was sent twice')
})

test('what is true of all files ends the job', async (t) => {
  const d = await treeDesk(t)
  d.server.setFault(() => ({
    kind: 'status',
    status: 404,
    code: 'NoSuchBucket',
  }))
  const end = await d.run1('pawl put -r tree $URL/ --jobs 1')
  t.match(end, {
    code: 1,
    log: /PAWL_NO_SUCH_BUCKET.*\nThe other files were not tried/s,
  })
  t.equal(d.server.requests.length, 1)
})

test('--if-changed asks, and sends what differs', async (t) => {
  const d = await treeDesk(t)
  await d.run1('pawl put -r tree $URL/')
  const { length } = d.seen('PutObject')
  const same = await d.run1('pawl put -r tree $URL/ --if-changed')
  t.match(same, { code: 0, out: /^0 files sent \(0 B\), 5 the same there/ })
  t.equal(d.seen('PutObject').length, length)
  await writeFile(join(d.directory, 'tree/a.txt'), 'A')
  await writeFile(join(d.directory, 'tree/b/c.txt'), 'longer')
  t.match(await d.run1('pawl put -r tree $URL/ --if-changed'), {
    out: /^2 files sent \(7 B\), 3 the same there/,
  })
  t.equal(String(await d.object('a.txt')), 'A')
  t.match(await d.run1('pawl put tree/a.txt $URL/a.txt --if-changed'), {
    code: 0,
    out: /^0 files sent \(0 B\), 1 the same there/,
  })
})

test('--if-changed asks as the flags say', async (t) => {
  const d = await treeDesk(t)
  await d.run1('pawl put tree/a.txt $URL/')
  d.server.setFault(({ operation }) =>
    operation === 'HeadObject' ? { kind: 'status', status: 500 } : undefined,
  )
  const { length } = d.server.requests
  const line = 'pawl put tree/a.txt $URL/ --if-changed --request-payer'
  t.match(await d.run1(`${line} --attempts 2`), { log: /PAWL_SERVER/ })
  const asked = d.server.requests.slice(length)
  t.match(asked, [
    {
      operation: 'HeadObject',
      headers: { 'x-oss-request-payer': 'requester' },
    },
    { operation: 'HeadObject' },
  ])
  t.equal(asked.length, 2)
})

test('a changed file is sent again, also when a job had sent it', async (t) => {
  const d = await treeDesk(t)
  const line = 'pawl put tree/a.txt tree/b/c.txt tree/b/d.log $URL/'
  d.server.setFault(({ key, operation }) =>
    operation === 'PutObject' && key === 'd.log'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  t.equal((await d.run1(line)).code, 1)
  d.server.setFault(undefined)
  const path = join(d.directory, 'tree/a.txt')
  await writeFile(path, 'B')
  await utimes(path, 1, 1)
  t.match(await d.run1(line), {
    code: 0,
    out: /^2 files sent .*, 1 sent before/,
  })
  t.equal(String(await d.object('a.txt')), 'B')
})

test('a job that was sent with other options is sent again', async (t) => {
  const d = await treeDesk(t)
  await chmod(join(d.directory, 'tree'), 0o755)
  d.server.setFault(({ key }) =>
    key === 'b/c.txt'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  await d.run1('pawl put -r tree $URL/')
  d.server.setFault(undefined)
  const again = await d.run1('pawl put -r tree $URL/ --meta a=1')
  t.match(again, { code: 0, out: /^5 files sent/ })
})

test('killed in the third of three, the first two are not sent again', async (t) => {
  const d = await treeDesk(t)
  for (const name of ['one', 'two']) {
    await writeFile(join(d.directory, name), d.bytes)
  }
  const line = `exec pawl put --json --jobs 1 ${small.join(' ')} one two db.dump $URL/`
  d.server.setFault(({ key, partNumber }) =>
    key === 'db.dump' && (partNumber ?? 0) > 4
      ? { kind: 'silence' }
      : undefined,
  )
  const first = d.script(line, d.env)
  await first.until(/"event":"result".*two[\s\S]*"event":"initiated"/)
  while (
    d
      .seen('UploadPart')
      .filter(({ key, applied }) => key === 'db.dump' && applied).length < 2
  ) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  first.kill('SIGKILL')
  await first.ended
  d.server.setFault(undefined)
  const status = await d.run1('pawl status')
  t.match(status.out, /job .*\n.*2 files/s)
  const { length } = d.seen('UploadPart')
  const lines = linesOf(await d.script(line, d.env).ended)
  t.match(lines.at(-1), { event: 'summary', sent: 1, sentBefore: 2 })
  t.match(
    lines.find(({ event }) => event === 'result'),
    { resumed: true },
  )
  const more = d.seen('UploadPart').slice(length)
  t.ok(more.length < 12)
  t.ok(more.every(({ key }) => key === 'db.dump'))
  for (const key of ['one', 'two', 'db.dump']) {
    t.ok(d.bytes.equals(await d.object(key)), key)
  }
})

test('Ctrl-C ends a job, and the same line sends the rest', async (t) => {
  const d = await treeDesk(t)
  d.server.setFault(({ key }) =>
    key === 'b/c.txt' ? { kind: 'silence' } : undefined,
  )
  const first = d.script('exec pawl put -r -v tree $URL/', d.env)
  await first.until(/y\.txt \(/)
  first.kill('SIGINT')
  t.match(await first.ended, {
    code: 130,
    out: /4 files sent/,
    log: /suspended by SIGINT\. Run the same command again to send the rest/,
  })
  d.server.setFault(undefined)
  t.match(await d.run1('pawl put -r tree $URL/'), {
    code: 0,
    out: /^1 file sent \(1 B\), 4 sent before/,
  })
})

test('--quiet, --verbose, and a line of totals in a terminal', async (t) => {
  const d = await treeDesk(t)
  t.match(await d.run1('pawl put -q -r tree $URL/'), {
    code: 0,
    out: '',
    log: '',
  })
  t.match(await d.run1('pawl put -q db.dump $URL/k'), {
    code: 0,
    out: '',
    log: '',
  })
  const quiet = await d.run1('pawl put -q -r tree missing $URL/')
  t.match(quiet, { code: 2, out: '', log: /missing: there is no such file/ })
  const verbose = await d.run1('pawl put -v -r tree $URL/')
  t.equal(verbose.out.split('\n').length, 7)
  t.match(verbose.out, /\/b\/c\.txt \(1 B, one request, crc64 \d+\)/)
  const seen = await d.scriptInTerminal('pawl put -r tree $URL/').ended
  t.match(
    seen.out,
    /of 5 files \[=* *\] \d+%  \d B of 4 B[\s\S]*5 files sent \(4 B\)/,
  )
  t.notMatch(seen.out, /a\.txt/)
})

test('misuse of the flags for many is said at once', async (t) => {
  const d = await treeDesk(t)
  await symlink('round', join(d.directory, 'round'))
  const rows: [line: string, log: RegExp][] = [
    ["pawl put --include '*' db.dump $URL/k", /go with -r/],
    ['pawl put -r missing $URL/', /missing: there is no such file/],
    ['pawl put -r db.dump/in $URL/', /in: not a directory \(ENOTDIR\)/],
    ['pawl put -r round $URL/', /round: .*links.* \(ELOOP\)/],
    ['pawl put db.dump/in $URL/', /in: not a directory \(ENOTDIR\)/],
    ['pawl put -r tree --jobs 0 $URL/', /from 1 to 256/],
    ['pawl put -r - $URL/k', /no files: leave out the flags/],
    ['pawl put tree $URL/', /is a directory; give -r/],
    ['pawl put -r tree $URL/ --checkpoint none', /must be a directory/],
    ['pawl put -r tree $URL/ --storage-class ""', /--storage-class/],
  ]
  for (const [line, log] of rows) {
    t.match(await d.run1(line), { code: 2, out: '', log }, line)
  }
  await rm(join(d.directory, 'tree/a.txt'))
  t.same(d.server.requests, [])
})
