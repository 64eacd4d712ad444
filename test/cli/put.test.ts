import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import t from 'tap'
import { roomIn } from '../../lib/checkpoint/growth.js'
import { addPutFlags } from '../../lib/cli/put-options.js'
import { usualSizes } from '../../lib/upload/options/part-sizes.js'
import { besideEachOther } from '../support/beside.js'
import { startCli } from '../support/cli-child.js'
import {
  cliDesk,
  holdAfter,
  letGo,
  linesOf,
  parts,
  slowDown,
  small,
} from '../support/cli-desk.js'

const test = besideEachOther(t)

test('a file is uploaded, its result is said', async (t) => {
  const d = await cliDesk(t)
  const end = await d.run(['put', ...small, 'db.dump', `${d.url}/a/b c.dump`])
  t.match(end, {
    code: 0,
    out: /^http:.*\/a\/b%20c\.dump \(1\.2 MiB, 12 parts, 0 reused, crc64 \d+\)\n$/,
    log: /^db\.dump: 0%, 0 B of 1\.2 MiB/,
  })
  t.ok(d.bytes.equals(await d.object('a/b c.dump')))
  t.same(await d.logs(), [])
})

test('several files keep their names under a prefix', async (t) => {
  const d = await cliDesk(t)
  await writeFile(join(d.directory, 'notes.txt'), 'hello')
  const end = await d.run(['put', 'db.dump', 'notes.txt', `${d.url}/dir/`])
  t.equal(end.code, 0)
  t.same(await d.object('dir/notes.txt'), Buffer.from('hello'))
  t.ok(d.bytes.equals(await d.object('dir/db.dump')))
})

test('logs of the files that are put are left out', async (t) => {
  const d = await cliDesk(t)
  holdAfter(d, 1)
  const args = ['put', '--json', ...small]
  const first = d.start([...args, 'db.dump', `${d.url}/`])
  await first.until(/"event":"part"/)
  first.kill('SIGKILL')
  await first.ended
  letGo(d)
  const [log = ''] = await d.logs()
  // What the shell makes of `*` after a kill.
  const lines = linesOf(await d.run([...args, 'db.dump', log, `${d.url}/`]))
  t.match(
    lines.find(({ event }) => event === 'skipped'),
    { source: log },
  )
  t.match(lines.at(-1), { event: 'summary', sent: 1, skipped: 1 })
  t.match(
    lines.find(({ event }) => event === 'result'),
    { resumed: true, key: 'db.dump' },
  )
  t.equal(d.seen('CreateMultipartUpload').length, 1)
  t.same(d.seen('PutObject'), [])
})

test('--json is one event a line', async (t) => {
  const d = await cliDesk(t)
  const args = ['put', '--json', ...small, 'db.dump', `${d.url}/k`]
  const end = await d.run(args)
  t.equal(end.log, '')
  const lines = linesOf(end)
  t.equal(lines[0]?.event, 'begin')
  t.equal(lines.filter(({ event }) => event === 'part').length, parts)
  t.match(lines.at(-1), { event: 'result', key: 'k', parts, url: /k$/ })
  t.ok(lines.some(({ event }) => event === 'progress'))
})

test('--size keeps a source that ended early from completing', async (t) => {
  const d = await cliDesk(t)
  const size = String(d.bytes.length)
  const args = ['put', ...small, '--size', size, '-', `${d.url}/k`]
  const end = await d.run(args, d.bytes.subarray(0, -1))
  t.match(end, { code: 1, out: '', log: /PAWL_SIZE_MISMATCH/ })
  t.equal(d.server.objectPath('examplebucket', 'k'), undefined)
  t.match(await d.run(args, d.bytes), { code: 0, out: /11 reused/ })
  t.ok(d.bytes.equals(await d.object('k')))
})

test('the help names what the library does', async (t) => {
  const help = addPutFlags(new Command()).helpInformation().replace(/\s+/g, ' ')
  const { partSize, growth = [] } = usualSizes
  const most = Math.floor(roomIn(usualSizes, 10_000) / 1024 ** 3)
  const mib = (bytes: number): string => `${bytes / 1024 ** 2}MiB`
  t.ok(help.includes(`(${mib(partSize)};`))
  for (const step of growth) t.ok(help.includes(mib(step.partSize)))
  t.ok(help.includes(`up to ${most}GiB`))
})

test('--exec keeps a command that died from completing', async (t) => {
  const d = await cliDesk(t)
  const dead = await d.run([
    'put',
    ...small,
    '--exec',
    'cat db.dump; exit 7',
    `${d.url}/k`,
  ])
  t.match(dead, {
    code: 1,
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

test('flags reach the wire', async (t) => {
  const d = await cliDesk(t)
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

test('s3:// and oss:// with an endpoint', async (t) => {
  const d = await cliDesk(t)
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
    const { ended } = startCli(['put', 'db.dump', url], {
      cwd: d.directory,
      env,
    })
    t.match(await ended, { code: 0, out: `${url} (1.2 MiB` })
    t.ok(d.bytes.equals(await d.object(key)))
  }
  t.ok(d.server.requests.some(({ dialect }) => dialect === 's3'))
})

test('an upload goes on when nobody reads its events', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const child = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/k`])
  await child.until(/"event":"part"/)
  child.closeOutput()
  t.match(await child.ended, { code: 0, log: '' })
  t.ok(d.bytes.equals(await d.object('k')))
})
