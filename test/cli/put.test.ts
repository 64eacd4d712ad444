import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import type { DevServerOptions } from '../../lib/dev-server/index.js'
import { startCli } from '../support/cli-child.js'
import { cliDesk, linesOf, parts, slow, small } from '../support/cli-desk.js'
import { compiledSources } from '../support/compiled.js'

const sources = await compiledSources(t)
const desk = (t: Test, options?: DevServerOptions) =>
  cliDesk(t, sources, options)

await t.test('a file is uploaded, its result is said', async (t) => {
  const d = await desk(t)
  const end = await d.run(['put', ...small, 'db.dump', `${d.url}/a/b c.dump`])
  t.match(end, {
    code: 0,
    out: /^http:.*\/a\/b%20c\.dump \(1\.2 MiB, 12 parts, 0 reused, crc64 \d+\)\n$/,
    log: /^db\.dump: 0%, 0 B of 1\.2 MiB/,
  })
  t.ok(d.bytes.equals(await d.object('a/b c.dump')))
  t.same(await d.logs(), [])
})

await t.test('several files keep their names under a prefix', async (t) => {
  const d = await desk(t)
  await writeFile(join(d.directory, 'notes.txt'), 'hello')
  const end = await d.run(['put', 'db.dump', 'notes.txt', `${d.url}/dir/`])
  t.equal(end.code, 0)
  t.same(await d.object('dir/notes.txt'), Buffer.from('hello'))
  t.ok(d.bytes.equals(await d.object('dir/db.dump')))
})

await t.test('logs of the files that are put are left out', async (t) => {
  const d = await desk(t, slow)
  const args = ['put', '--json', ...small]
  const first = d.start([...args, 'db.dump', `${d.url}/`])
  await first.until(/"event":"part"/)
  first.kill('SIGKILL')
  await first.ended
  const [log = ''] = await d.logs()
  // What the shell makes of `*` after a kill.
  const lines = linesOf(await d.run([...args, 'db.dump', log, `${d.url}/`]))
  t.match(lines.at(-1), { event: 'skipped', source: log })
  t.match(
    lines.find(({ event }) => event === 'result'),
    { resumed: true, key: 'db.dump' },
  )
  t.equal(d.seen('CreateMultipartUpload').length, 1)
  t.same(d.seen('PutObject'), [])
})

await t.test('names cannot steer the terminal', async (t) => {
  const d = await desk(t)
  const name = '\u001b[31mred\n.txt'
  await writeFile(join(d.directory, name), 'x')
  const env = {
    AWS_ACCESS_KEY_ID: 'dev',
    AWS_SECRET_ACCESS_KEY: 'dev-secret',
    AWS_ENDPOINT_URL: d.server.endpoint,
  }
  const start = (...args: string[]) =>
    startCli(sources, args, { cwd: d.directory, env }).ended
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

await t.test('--json is one event a line', async (t) => {
  const d = await desk(t)
  const args = ['put', '--json', ...small, 'db.dump', `${d.url}/k`]
  const end = await d.run(args)
  t.equal(end.log, '')
  const lines = linesOf(end)
  t.equal(lines[0]?.event, 'begin')
  t.equal(lines.filter(({ event }) => event === 'part').length, parts)
  t.match(lines.at(-1), { event: 'result', key: 'k', parts, url: /k$/ })
  t.ok(lines.some(({ event }) => event === 'progress'))
})

await t.test(
  '--size keeps a source that ended early from completing',
  async (t) => {
    const d = await desk(t)
    const size = String(d.bytes.length)
    const args = ['put', ...small, '--size', size, '-', `${d.url}/k`]
    const end = await d.run(args, d.bytes.subarray(0, -1))
    t.match(end, { code: 3, out: '', log: /PAWL_SIZE_MISMATCH/ })
    t.equal(d.server.objectPath('examplebucket', 'k'), undefined)
    t.match(await d.run(args, d.bytes), { code: 0, out: /11 reused/ })
    t.ok(d.bytes.equals(await d.object('k')))
  },
)

await t.test('--exec keeps a command that died from completing', async (t) => {
  const d = await desk(t)
  const dead = await d.run([
    'put',
    ...small,
    '--exec',
    'cat db.dump; exit 7',
    `${d.url}/k`,
  ])
  t.match(dead, {
    code: 3,
    log: /PAWL_BEFORE_COMPLETE: .*the command exited with 7\nNothing was completed/,
  })
  t.equal(d.server.objectPath('examplebucket', 'k'), undefined)
  const alive = await d.run([
    'put',
    ...small,
    '--exec',
    'cat db.dump',
    `${d.url}/k`,
  ])
  t.match(alive, { code: 0, out: /12 parts, 12 reused/ })
  t.ok(d.bytes.equals(await d.object('k')))
})

await t.test(
  'failures are a line or two with a code, never a stack',
  { timeout: 90_000 },
  async (t) => {
    const d = await desk(t)
    await writeFile(join(d.directory, 'no.log'), 'this is no log')
    await writeFile(join(d.directory, 'notes'), 'notes')
    const rows: [string[], number, RegExp][] = [
      [
        ['put'],
        2,
        /^pawl: PAWL_INVALID_OPTION: missing .*\nSee pawl put --help/,
      ],
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
      [
        ['put', '--part-size', 'x', 'db.dump', `${d.url}/k`],
        2,
        /Expected bytes/,
      ],
      [['put', 'db.dump', 'nowhere'], 2, /PAWL_INVALID_OPTION.*not a target/],
      [['put', 'db.dump', 'notes', `${d.url}/k`], 2, /several files/],
      [['put', 'db.dump', './db.dump', `${d.url}/`], 2, /both be db\.dump/],
      [['put', 'db.dump', '-', `${d.url}/k`], 2, /uploaded alone/],
      [['put', '-', `${d.url}/`], 2, /must name the object/],
      [['put', '--size', '1', 'db.dump', `${d.url}/k`], 2, /--size is for/],
      [['put', 'missing', `${d.url}/k`], 1, /SOURCE_IO: missing: there is no/],
      [
        ['put', 'db.dump', 'missing', `${d.url}/`],
        1,
        /PAWL_SOURCE_IO: missing/,
      ],
      [['put', '.', `${d.url}/k`], 2, /is a directory; name the files in it/],
      [['put', '/dev/null', `${d.url}/k`], 2, /pipe it in: pawl put - URL/],
      [
        ['put', '--checkpoint-dir', 'none', 'db.dump', `${d.url}/k`],
        3,
        /create it first\nRun the same command again once that is put right/,
      ],
      [
        ['put', '--checkpoint', 'no.log', 'db.dump', `${d.url}/k`],
        1,
        /PAWL_NOT_A_CHECKPOINT/,
      ],
      [
        ['put', 'db.dump', 'oss://examplebucket/k', '--region', 'cn-hangzhou'],
        1,
        /PAWL_CREDENTIALS.*\nSet OSS_ACCESS_KEY_ID/,
      ],
      [['status', 'no.log'], 1, /^pawl: PAWL_NOT_A_CHECKPOINT: .*\n$/],
      [
        ['status', 'missing'],
        1,
        /^pawl: PAWL_CHECKPOINT_IO: .*no such file\n$/,
      ],
      [['uploads', 'nowhere'], 2, /not a target/],
      [['abort', `${d.url}/`], 2, /--older-than/],
      [
        ['abort', '--older-than', '7', `${d.url}/`],
        2,
        /such as 90s, 12h or 7d/,
      ],
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
      [['unheard-of'], 2, /unknown command.*\nSee pawl --help/],
    ]
    await Promise.all(
      rows.map(async ([args, code, log]) => {
        const end = await d.run(args)
        t.match(end, { code, log, out: '' }, args.join(' '))
        t.ok(end.log.trimEnd().split('\n').length <= 2, end.log)
        t.notMatch(end.log, /^ +at /m)
      }),
    )
    t.same(d.server.requests, [], 'all of it is said before anything is sent')
    const debug = await d.run(['put', '--debug', 'missing', `${d.url}/k`])
    t.match(debug.log, /^ +at /m)
  },
)

await t.test('secrets are never said', async (t) => {
  const d = await desk(t)
  const secret = `secret-${randomBytes(8).toString('hex')}`
  const token = `token-${randomBytes(8).toString('hex')}`
  const env = {
    OSS_ACCESS_KEY_ID: 'dev',
    OSS_ACCESS_KEY_SECRET: secret,
    OSS_SESSION_TOKEN: token,
  }
  const end = await startCli(
    sources,
    ['put', '--debug', '--json', ...small, 'db.dump', `${d.url}/k`],
    { cwd: d.directory, env },
  ).ended
  t.equal(end.code, 3)
  t.match(linesOf(end).at(-1), { event: 'error', code: 'PAWL_CREDENTIALS' })
  for (const text of [end.out, end.log]) {
    t.notMatch(text, secret)
    t.notMatch(text, token)
  }
})

await t.test('flags reach the wire', async (t) => {
  const d = await desk(t)
  const end = await d.run([
    'put',
    ...small,
    '--content-type',
    'text/x-dump',
    '--meta',
    'a=1',
    '--meta',
    'b=x=y',
    '--acl',
    'private',
    '--header',
    'content-language: de',
    '--traffic-limit',
    '838860800',
    'db.dump',
    `${d.url}/k`,
  ])
  t.equal(end.code, 0)
  t.match(d.seen('CreateMultipartUpload')[0]?.headers, {
    'content-type': 'text/x-dump',
    'x-oss-meta-a': '1',
    'x-oss-meta-b': 'x=y',
    'content-language': 'de',
  })
  t.match(d.seen('CompleteMultipartUpload')[0]?.headers, {
    'x-oss-object-acl': 'private',
  })
  t.match(d.seen('UploadPart')[0]?.headers, {
    'x-oss-traffic-limit': '838860800',
  })
})

await t.test('s3:// and oss:// with an endpoint', async (t) => {
  const d = await desk(t)
  const { endpoint } = d.server
  const rows: [string, Record<string, string>, string][] = [
    [
      'oss://examplebucket/o',
      {
        OSS_ACCESS_KEY_ID: 'dev',
        OSS_ACCESS_KEY_SECRET: 'dev-secret',
        OSS_ENDPOINT: endpoint,
      },
      'o',
    ],
    [
      's3://examplebucket/s',
      {
        AWS_ACCESS_KEY_ID: 'dev',
        AWS_SECRET_ACCESS_KEY: 'dev-secret',
        AWS_ENDPOINT_URL: endpoint,
      },
      's',
    ],
  ]
  for (const [url, env, key] of rows) {
    const { ended } = startCli(sources, ['put', 'db.dump', url], {
      cwd: d.directory,
      env,
    })
    t.match(await ended, { code: 0, out: `${url} (1.2 MiB` })
    t.ok(d.bytes.equals(await d.object(key)))
  }
  t.ok(d.server.requests.some(({ dialect }) => dialect === 's3'))
})

await t.test('unfinished uploads are listed and aborted', async (t) => {
  const d = await desk(t, slow)
  const first = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/a/k`])
  await first.until(/"event":"part"/)
  first.kill('SIGINT')
  await first.ended
  const listed = await d.run(['uploads', `${d.url}/a/`])
  t.match(listed, { code: 0, out: /\/a\/k\n {2}\d+ parts, .*1 unfinished/s })
  t.match(linesOf(await d.run(['uploads', '--json', `${d.url}/`])), [
    { event: 'upload', key: 'a/k' },
  ])
  t.match(await d.run(['uploads', `${d.url}/b/`]), {
    out: 'no unfinished uploads\n',
  })
  const asked = d.seen('ListParts').length
  t.match(await d.run(['uploads', '--no-sizes', `${d.url}/`]), {
    out: /\/a\/k\n {2}begun \d+s ago, upload \w+\n1 unfinished\n$/,
  })
  t.equal(d.seen('ListParts').length, asked)
  const kept = await d.run(['abort', '--older-than', '1h', `${d.url}/`])
  t.match(kept, { code: 0, out: /^0 aborted/ })
  t.equal(d.server.openUploads().length, 1)
})

await t.test('the list ends when nobody reads it any more', async (t) => {
  const d = await desk(t)
  const call = {
    signal: new AbortController().signal,
    timeouts: { connect: 60_000, stall: 60_000, headers: 60_000 },
  }
  const count = 300
  for (let i = 0; i < count; i++) {
    await d.store.createUpload({ key: `many/${i}`, object: {} }, call)
  }
  const child = d.start(['uploads', `${d.url}/`])
  await child.until(/many/)
  child.closeOutput()
  t.match(await child.ended, { code: 0, log: '' })
  t.ok(d.seen('ListParts').length < count)
  t.match(await d.run(['uploads', `${d.url}/`]), { out: /\n300 unfinished/ })
})

await t.test('an upload goes on when nobody reads its events', async (t) => {
  const d = await desk(t, slow)
  const child = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/k`])
  await child.until(/"event":"part"/)
  child.closeOutput()
  t.match(await child.ended, { code: 0, log: '' })
  t.ok(d.bytes.equals(await d.object('k')))
})

await t.test('serve keeps objects in a directory until Ctrl-C', async (t) => {
  const d = await desk(t)
  const server = d.start(['serve', 'objects', '--bucket', 'bucket1'])
  await server.until(/Try: .*\/bucket1\/key\n/)
  const [endpoint = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.said()) ?? []
  const put = await d.run(['put', 'db.dump', `${endpoint}/bucket1/k`])
  t.match(put, { code: 0, out: /\/bucket1\/k \(1\.2 MiB/ })
  server.kill('SIGINT')
  t.equal((await server.ended).code, 0)
  t.ok((await readdir(join(d.directory, 'objects'))).length > 0)
})

await t.test('help and version', async (t) => {
  const d = await desk(t)
  t.match(await d.run(['--help']), { code: 0, out: /Exit codes:/ })
  t.match(await d.run(['put', '--help']), { code: 0, out: /--older|--exec/ })
  t.match(await d.run(['--version']), { code: 0, out: /\d/ })
})
