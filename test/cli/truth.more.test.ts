/** What the command must not pass over in silence: driven as people drive it. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { bucket } from '../support/dev-store.js'
import { cliDesk, linesOf, slowDown, small } from '../support/cli-desk.js'

const test = besideEachOther(t)

test('standard input without bytes to give is no object', async (t) => {
  const d = await cliDesk(t)
  const rows: [line: string, code: number, log: RegExp][] = [
    ['pawl put - $URL/k < /tmp', 2, /standard input is a directory; pack it/],
    [
      'pawl put - $URL/k < /dev/null',
      1,
      /standard input was empty; give --allow/,
    ],
    [
      'pawl put - $URL/k <&-',
      1,
      /standard input was empty; give --allow-empty/,
    ],
    ['true | pawl put - $URL/k', 1, /standard input was empty/],
    ['pawl put - $URL/k 0> /dev/null', 2, /cannot be read \(nohup/],
    ['pawl put --exec true $URL/k', 1, /the output of the command was empty/],
  ]
  for (const [line, code, log] of rows) {
    const end = await d.script(line).ended
    t.match(end, { out: '', log }, line)
    t.equal(end.code, code, line)
    t.equal(d.server.objectPath(bucket, 'k'), undefined, line)
  }
  t.equal(
    (await d.script('pawl put --allow-empty - $URL/k < /dev/null').ended).code,
    0,
  )
  t.equal((await d.object('k')).length, 0)
  t.equal(
    (await d.script('pawl put --allow-empty --exec : $URL/e').ended).code,
    0,
  )
})

test('standard input of every readable kind arrives whole', async (t) => {
  const d = await cliDesk(t)
  const rows = [
    'pawl put - $URL/k < db.dump',
    'cat db.dump | pawl put - $URL/k',
    '{ head -c 0; pawl put - $URL/k; } < db.dump',
    'mkfifo p; cat db.dump > p & pawl put - $URL/k < p; rm p',
  ]
  for (const line of rows) {
    const end = await d.script(line).ended
    t.match(end, { code: 0 }, line)
    t.ok(d.bytes.equals(await d.object('k')), line)
  }
})

test('a pipe of --exec is minded to its first command', async (t) => {
  const d = await cliDesk(t)
  const rows: [command: string, log: RegExp][] = [
    ['cat db.dump missing | gzip', /the command exited with 1/],
    ['exit 3 | cat db.dump', /the command exited with 3/],
    [
      'cat db.dump | (head -c 9; exec <&-; sleep 0.2)',
      /exited with 141: a command of its pipe/,
    ],
    ['cat db.dump; kill -9 $$', /the command was ended by SIGKILL/],
  ]
  for (const [command, log] of rows) {
    const end = await d.run(['put', ...small, '--exec', command, `${d.url}/k`])
    t.match(end, { out: '', log }, command)
    t.equal(end.code, 1)
    t.equal(d.server.objectPath(bucket, 'k'), undefined, command)
  }
  const whole = await d.run([
    'put',
    ...small,
    '--exec',
    'cat db.dump | cat',
    `${d.url}/k`,
  ])
  t.match(whole, { code: 0 })
  t.ok(d.bytes.equals(await d.object('k')))
  const quick = await d.run(['put', '--exec', 'echo hi', `${d.url}/k`])
  t.match(quick, { code: 0 }, 'a command that ends before anybody reads')
  t.equal(String(await d.object('k')), 'hi\n')
})

test('a pipe is refused where no shell says that its first command failed', async (t) => {
  const d = await cliDesk(t)
  const alone = `
    mkdir bin; ln -s "$(command -v node)" bin/node
    printf '#!/bin/sh\\ncase $1 in -o) exit 2; esac\\nexec /bin/sh "$@"\\n' > bin/sh
    chmod +x bin/sh; pawl=$(command -v pawl)
    put() { PATH=$PWD/bin "$pawl" put "$@"; }`
  const refused = await d.script(
    `${alone}; put --exec '/bin/cat db.dump | /bin/cat' $URL/k`,
  ).ended
  t.match(refused, {
    code: 2,
    out: '',
    log: /this sh does not say when .* install bash, or give a script/,
  })
  t.same(d.server.requests, [])
  const plain = `put --part-size 5M --exec '/bin/cat db.dump || echo no' $URL/k`
  t.match(
    await d.script(
      `${alone.replace('mkdir bin', 'rm -r bin; mkdir bin')}; ${plain}`,
    ).ended,
    { code: 0 },
  )
  t.ok(d.bytes.equals(await d.object('k')))
})

test('an upload that was begun under another name of the host is told of, and gone on with', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(({ partNumber = 0 }) =>
    partNumber > 4
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const env = {
    OSS_ACCESS_KEY_ID: 'dev',
    OSS_ACCESS_KEY_SECRET: 'dev-secret',
    OSS_REGION: 'cn-hangzhou',
  }
  const put = (host: string, flags = '') =>
    d.script(
      `pawl put ${small.join(' ')} ${flags} --endpoint http://${host}:${d.server.port} db.dump oss://examplebucket/k`,
      env,
    ).ended
  t.match(await put('127.0.0.1'), { code: 1, log: /AccessDenied/ })
  const identity = `oss:127.0.0.1:${d.server.port}/examplebucket`
  const again = await put('localhost')
  t.match(again, { code: 1 })
  t.match(
    again.log,
    new RegExp(
      `db\\.dump\\.\\w+\\.pawl is of an unfinished upload .*--identity ${identity} goes on`,
    ),
  )
  d.server.setFault(undefined)
  const named = await put('localhost', `--identity ${identity}`)
  t.match(named, { code: 0, out: /12 parts, [1-9]\d* reused/ })
  // What was begun in between under the other name is left as well, and said.
  t.match(named.log, /unfinished upload of this object to oss:localhost/)
  t.ok(d.bytes.equals(await d.object('k')))
})

test('output that cannot be written never ends an upload', async (t) => {
  const d = await cliDesk(t)
  const put = `pawl put ${small.join(' ')}`
  const rows = [
    `${put} db.dump $URL/k > /dev/full`,
    `${put} db.dump $URL/k 2> /dev/full`,
    `${put} db.dump $URL/k > /dev/full 2>&1`,
    `${put} --json db.dump $URL/k > /dev/full 2>&1`,
    `${put} --json db.dump $URL/k >&- 2>&-`,
    `${put} --exec 'cat db.dump' $URL/k > /dev/full 2>&1`,
  ]
  for (const line of rows) {
    const key = `k${rows.indexOf(line)}`
    const end = await d.script(line.replace('$URL/k', `$URL/${key}`)).ended
    t.match(end, { code: 0, signal: null }, line)
    t.ok(d.bytes.equals(await d.object(key)), line)
  }
  const list = await d.script('pawl uploads $URL/ > /dev/full').ended
  t.match(list, { code: 1, log: /ENOSPC/ }, 'a list that is lost is said')
  for (const asked of ['--version', '--help', 'put --help', 'man']) {
    const full = await d.script(`pawl ${asked} > /dev/full`).ended
    t.match(full, { code: 1, log: /^pawl: ENOSPC.*\n$/ }, asked)
    const line = `set -o pipefail; pawl ${asked} | head -c 1 > /dev/null`
    t.match(await d.script(line).ended, { code: 0, log: '' }, asked)
  }
  const { code, out } = await d.run(['put', '--json', '--no-such', 'x'])
  t.match([code, out], [2, /^\{"event":"error","code":"PAWL_INVALID_OPTION"/])
})

test('a process without file descriptors says why it does nothing', async (t) => {
  const d = await cliDesk(t)
  // What the runner puts into every child would be the first that is not loaded.
  const line = 'unset NODE_OPTIONS; ulimit -n 34; pawl put db.dump $URL/k'
  const end = await d.script(line).ended
  t.match(end, {
    code: 3,
    log: /^pawl: the command could not be loaded: EMFILE.*ulimit -n\)\n$/,
  })
})

test('flags of the other service, and those that lack another, are refused', async (t) => {
  const d = await cliDesk(t)
  const env = {
    AWS_ACCESS_KEY_ID: 'dev',
    AWS_SECRET_ACCESS_KEY: 'dev-secret',
    AWS_ENDPOINT_URL: d.server.endpoint,
  }
  const rows: [flags: string, url: string, log: RegExp][] = [
    [
      '--traffic-limit 838860800',
      's3://examplebucket/k',
      /--traffic-limit is for oss/,
    ],
    ['--accelerate', 's3://examplebucket/k', /--accelerate is for oss/],
    ['--internal', 's3://examplebucket/k', /--internal is for oss/],
    ['--sequential', 's3://examplebucket/k', /--sequential is for oss/],
    [
      '--callback-url http://x',
      's3://examplebucket/k',
      /--callback-url is for oss/,
    ],
    ['--callback-var a=b', 's3://examplebucket/k', /--callback-var is for oss/],
    [
      '--encryption KMS --data-encryption SM4',
      's3://examplebucket/k',
      /--data-encryption is for oss/,
    ],
    ['--customer-key db.dump', '$URL/k', /--customer-key is for s3/],
    ['--data-encryption SM4', '$URL/k', /--data-encryption needs --encryption/],
    ['--encryption-key-id a', '$URL/k', /--encryption-key-id needs --encryp/],
    ['--callback-body a', '$URL/k', /--callback-body needs --callback-url/],
    ['--addressing path', '$URL/k', /--addressing does not go with an http/],
    ['--endpoint x.example', '$URL/k', /--endpoint does not go with an http/],
  ]
  for (const [flags, url, log] of rows) {
    const end = await d.script(`pawl put ${flags} db.dump ${url}`, env).ended
    t.match(end, { code: 2, out: '', log }, flags)
  }
  t.same(d.server.requests, [])
})

test('what the command line names and is not there is misuse', async (t) => {
  const d = await cliDesk(t)
  for (const args of [
    ['put', 'missing', `${d.url}/k`],
    ['put', 'db.dump/x', `${d.url}/k`],
    ['status', 'missing'],
  ]) {
    t.match(
      await d.run(args),
      { code: 2, log: /missing|db\.dump/ },
      args.join(' '),
    )
  }
})

test('an error of --json names its source and its URL', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(() => ({
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  }))
  const url = `${d.url}/k`
  const end = await d.run(['put', '--json', 'db.dump', url])
  t.match(linesOf(end).at(-1), { event: 'error', source: 'db.dump', url })
})

test('a log goes to the state directory where nothing else can be written', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const state = join(d.directory, 'state')
  // Nobody can make a file in /proc, whoever it is.
  const line = `cd /proc && exec pawl put --json ${small.join(' ')} - $URL/k < ${join(d.directory, 'db.dump')}`
  const env = { XDG_STATE_HOME: state }
  const first = d.script(line, env)
  await first.until(/"event":"part"[\s\S]*"event":"part"/)
  first.kill('SIGTERM')
  t.equal((await first.ended).code, 143)
  const again = await d.script(line, env).ended
  t.match(linesOf(again).at(-1), { event: 'result', resumed: true })
  t.ok(d.bytes.equals(await d.object('k')))
})

test('so does the log of a file where nothing can be written beside it', async (t) => {
  const d = await cliDesk(t)
  slowDown(d)
  const state = join(d.directory, 'state')
  // Whoever it is, nobody makes a file among the descriptors of a process.
  const put = (key: string): string =>
    `exec pawl put --json ${small.join(' ')} /proc/self/fd/7 $URL/${key} 7< db.dump`
  const env = { XDG_STATE_HOME: state }
  const first = d.script(put('k'), env)
  await first.until(/"event":"part"[\s\S]*"event":"part"/)
  t.equal((await readdir(join(state, 'pawl'))).length, 1)
  first.kill('SIGTERM')
  t.equal((await first.ended).code, 143)
  const again = await d.script(put('k'), env).ended
  t.match(linesOf(again).at(-1), { event: 'result', resumed: true })
  t.ok(d.bytes.equals(await d.object('k')))
  // Where that cannot be written either, the way out is named.
  const none = await d.script(put('other'), { XDG_STATE_HOME: '/proc' }).ended
  t.equal(none.code, 1)
  t.match(linesOf(none).at(-1), { code: 'PAWL_CHECKPOINT_IO' })
  const said = await d.script(put('other').replace('--json ', ''), {
    XDG_STATE_HOME: '/proc',
  }).ended
  t.match(said.log, /Give --checkpoint-dir a directory that can be written/)
})

test('a file that is put in one request needs no log', async (t) => {
  const d = await cliDesk(t)
  await writeFile(join(d.directory, 'small'), 'x')
  d.server.setFault(() => ({
    kind: 'status',
    status: 403,
    code: 'AccessDenied',
  }))
  t.equal((await d.run(['put', 'small', `${d.url}/k`])).code, 1)
  t.same(await d.logs(), [])
})
