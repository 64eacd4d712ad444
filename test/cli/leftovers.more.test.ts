/** What unfinished uploads leave on a server: listed, aborted, given up. */
import { rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import {
  cliDesk,
  holdAfter,
  letGo,
  linesOf,
  small,
  type Desk,
} from '../support/cli-desk.js'

const test = besideEachOther(t)

/** Leaves an unfinished upload of `db.dump` under a key. */
async function begin(
  d: Desk,
  key: string,
  {
    flags = [],
    signal = 'SIGKILL',
    before = () => undefined,
  }: {
    flags?: string[]
    signal?: NodeJS.Signals
    /** Two parts are stored, and it goes on. */
    before?: () => unknown
  } = {},
): Promise<void> {
  holdAfter(d, 2)
  const url = `${d.url}/${key}`
  const child = d.start(['put', '--json', ...small, ...flags, 'db.dump', url])
  await child.until(/"event":"part"[\s\S]*"event":"part"/)
  await before()
  child.kill(signal)
  await child.ended
  letGo(d)
}

const old = ['--older-than', '0s']

test('what is of unknown age is left alone, and said', async (t) => {
  const d = await cliDesk(t)
  await begin(d, 'a')
  d.server.setFault(({ operation }) =>
    operation === 'ListParts'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const end = await d.run(['abort', ...old, `${d.url}/`])
  t.match(end, {
    code: 1,
    out: /\/a\n.*\n0 aborted, 0 B freed\n$/,
    log: /1 upload of unknown age left alone.*Have ListParts allowed.*pawl discard/,
  })
  const json = await d.run(['abort', ...old, '--json', `${d.url}/`])
  t.equal(json.code, 1)
  t.match(linesOf(json), [{ event: 'unknown-age', key: 'a' }])
  t.equal(d.server.openUploads().length, 1)
})

test('--dry-run aborts nothing, and --older-than chooses', async (t) => {
  const d = await cliDesk(t)
  await begin(d, 'a')
  const young = await d.run(['abort', '--older-than', '1h', `${d.url}/`])
  t.match(young, { code: 0, out: '0 aborted, 0 B freed, 1 too young\n' })
  t.match(await d.run(['uploads', '--older-than', '1h', `${d.url}/`]), {
    out: 'no unfinished uploads\n',
  })
  t.match(
    await d.run(['uploads', '--older-than', '1h', '--no-sizes', `${d.url}/`]),
    {
      code: 2,
      log: /leave out --no-sizes/,
    },
  )
  // The clock of HTTP has seconds: what is stored in this one is not older.
  let dry = await d.run(['abort', ...old, '--dry-run', `${d.url}/`])
  while (dry.out.includes('too young')) {
    dry = await d.run(['abort', ...old, '--dry-run', `${d.url}/`])
  }
  t.match(dry, { code: 0, out: /^1 would be aborted, 200 KiB stored$/m })
  t.equal(d.server.openUploads().length, 1)
  t.match(await d.run(['abort', ...old, `${d.url}/`]), {
    code: 0,
    out: /^1 aborted, 200 KiB freed$/m,
  })
  t.equal(d.server.openUploads().length, 0)
})

test('one upload is given up by its file, or by its log', async (t) => {
  const d = await cliDesk(t)
  await begin(d, 'a')
  t.match(await d.run(['discard', 'db.dump', `${d.url}/a`]), {
    code: 0,
    out: `${d.url}/a: given up, and its parts are removed\n`,
  })
  t.same(await d.logs(), [])
  await begin(d, 'dir/db.dump')
  t.match(await d.run(['discard', '--json', 'db.dump', `${d.url}/dir/`]), {
    code: 0,
  })
  await begin(d, 'b')
  const [log = ''] = await d.logs()
  t.match(await d.run(['discard', log, `${d.url}/other`]), {
    code: 1,
    log: /PAWL_CHECKPOINT_MISMATCH/,
  })
  await rename(join(d.directory, log), join(d.directory, 'moved.pawl'))
  t.match(await d.run(['discard', 'moved.pawl', `${d.url}/b`]), { code: 0 })
  t.same(d.server.openUploads(), [])
  t.same(await d.logs(), [])
})

test('a server that fails is asked for as long as --patience says', async (t) => {
  const d = await cliDesk(t)
  await begin(d, 'a')
  d.server.setFault(() => ({
    kind: 'status',
    status: 500,
    code: 'InternalError',
  }))
  const failed = { code: 1, log: /PAWL_SERVER: .* failed after 4 attempts/ }
  // Four attempts are made whatever the time; the default goes on for minutes.
  const patience = ['--patience', '0s']
  t.match(await d.run(['uploads', ...patience, `${d.url}/`]), failed)
  t.match(await d.run(['abort', ...old, ...patience, `${d.url}/`]), failed)
  t.match(
    await d.run(['discard', ...patience, 'db.dump', `${d.url}/a`]),
    failed,
  )
  t.equal(d.server.openUploads().length, 1)
})

test('status tells of the logs that are here, and of jobs', async (t) => {
  const d = await cliDesk(t)
  t.match(await d.run(['status']), {
    code: 0,
    out: /^no logs here, and none in/,
  })
  await writeFile(join(d.directory, 'other.pawl'), 'not a log')
  await writeFile(join(d.directory, 'a.txt'), 'a')
  await writeFile(join(d.directory, 'b.txt'), 'b')
  d.server.setFault(({ key }) =>
    key === 'j/b.txt'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const put = ['put', 'a.txt', 'b.txt', `${d.url}/j/`]
  t.match(await d.run(put), { code: 1, out: /^1 file sent \(1 B\), 1 failed/ })
  await begin(d, 'a')
  const { code, out } = await d.run(['status'])
  t.equal(code, 0)
  t.match(out, /^log {7}db\.dump\.[0-9a-f]{32}\.pawl\nstate {5}unfinished/)
  t.match(out, /\njob {7}\S+\.job\.pawl\nto {8}\S+\/j\/\nsent {6}1 file, 1 B/)
  const [, job = ''] = /job {7}(\S+)/.exec(out) ?? []
  t.match(await d.run(['discard', job, `${d.url}/j/`]), {
    code: 2,
    log: /is the log of a job, and what a job has sent is complete/,
  })
})

test('a log in the bucket is looked into while it is held, and given up', async (t) => {
  const d = await cliDesk(t)
  const log = ['--log', 'bucket', '--source-id', 'v1']
  const status = ['status', ...log, `${d.url}/a`]
  const isAbsent = {
    code: 2,
    log: /^pawl: \S+: the log \S+ in .* does not exist/,
  }
  t.match(await d.run(status), isAbsent)
  await begin(d, 'a', {
    flags: log,
    // The lease of one that is killed would have to be waited for.
    signal: 'SIGTERM',
    before: async () =>
      t.match(await d.run(status), { code: 0, out: /\nstate {5}unfinished;/ }),
  })
  const { code, out } = await d.run([...status, '--json'])
  t.equal(code, 0)
  t.match(JSON.parse(out), { state: 'uploading', key: 'a', parts: 2 })
  t.equal(d.server.openUploads().length, 1)
  const discard = ['discard', 'db.dump', `${d.url}/a`]
  t.match(await d.run([...discard, '--log', 'bucket']), isAbsent)
  t.match(await d.run([...discard, ...log]), { code: 0, out: /given up/ })
  t.same(d.server.openUploads(), [])
  t.match(await d.run([...discard, ...log]), isAbsent)
  t.match(await d.run(['status', ...log, `${d.url}/`]), {
    code: 2,
    log: /must name the object/,
  })
  for (const names of [['a.pawl'], [`${d.url}/a`, `${d.url}/b`]]) {
    const end = await d.run(['status', '--log', 'redis://h/0#n', ...names])
    t.match(end, { code: 2, log: /--log is instead of logs/ })
  }
  const nowhere = await d.run(['status', '--log', 'bucket'])
  t.match(nowhere, { code: 2, log: /--log bucket needs the URL/ })
})

test('what is not there is not given up', async (t) => {
  const d = await cliDesk(t)
  const rows: [args: string[], log: RegExp][] = [
    [['db.dump', `${d.url}/a`], /no log of an upload of db\.dump: nothing/],
    [['missing.pawl', `${d.url}/a`], /missing\.pawl: there is no such file/],
    [['missing.pawl', `${d.url}/`], /must name the object/],
    [['db.dump/x.pawl', `${d.url}/a`], /x\.pawl: not a directory \(ENOTDIR\)/],
    [['db.dump/x', `${d.url}/a`], /ENOTDIR/],
    [['round.pawl', `${d.url}/a`], /round\.pawl: .*links.* \(ELOOP\)/],
    [['-', `${d.url}/a`], /name the log that standard input was given/],
    [['-', `${d.url}/`, '--log', 'bucket'], /must name the object/],
    [['a.pawl', `${d.url}/a`, '--log', 'bucket'], /--log is instead of/],
    [['db.dump', `${d.url}/a`, '--log', 'there'], /URL of an engine/],
  ]
  await symlink('round.pawl', join(d.directory, 'round.pawl'))
  for (const [args, log] of rows) {
    t.match(await d.run(['discard', ...args]), { code: 2, log })
  }
  t.same(d.server.requests, [])
})
