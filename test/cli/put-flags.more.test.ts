/** Flags of `pawl put` that are used seldom, from the command line to the wire. */
import { chown, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { smallPart } from '../support/dev-store.js'
import {
  cliDesk,
  holdAfter,
  letGo,
  linesOf,
  small,
} from '../support/cli-desk.js'

const test = besideEachOther(t)

test('standard input says how much there is room for', async (t) => {
  const d = await cliDesk(t)
  const rows: [flags: string[], most: string | undefined][] = [
    [[], '289 GiB'],
    [['--part-size', '100KiB'], '977 MiB'],
    [['--size', String(d.bytes.length)], undefined],
  ]
  for (const [flags, most] of rows) {
    const args = ['put', ...flags, '-', `${d.url}/k`]
    const { code, log } = await d.run(args, d.bytes)
    t.equal(code, 0)
    t.equal(/ of at most (.+?)[,\n]/.exec(log)?.[1], most, flags.join(' '))
  }
})

test('--memory bounds the parts of a stream', async (t) => {
  const d = await cliDesk(t)
  const flags = ['put', ...small, '--memory']
  const of = (bytes: string) => [...flags, bytes, '-', `${d.url}/k`]
  t.match(await d.run(of(String(2 * smallPart)), d.bytes), {
    code: 2,
    log: /PAWL_INVALID_OPTION: .*memory/,
  })
  t.same(d.server.requests, [])
  t.match(await d.run(of(String(3 * smallPart)), d.bytes), { code: 0 })
  t.ok(d.bytes.equals(await d.object('k')))
})

test('parts become larger for a server that takes few of them', async (t) => {
  const d = await cliDesk(t)
  const put = ['put', ...small, '--max-parts', '5']
  t.match(await d.run([...put, 'db.dump', `${d.url}/k`]), {
    code: 0,
    out: /\(1\.2 MiB, 2 parts,/,
  })
  t.ok(d.bytes.equals(await d.object('k')))
  // Of unknown length they are as large as they were said to be.
  t.match(await d.run([...put, '-', `${d.url}/k`], d.bytes), {
    code: 1,
    log: /PAWL_TOO_MANY_PARTS: .* which is all that 5 parts have room for/,
  })
  t.match(await d.run(['put', '--max-parts', '0', 'db.dump', `${d.url}/k`]), {
    code: 2,
    log: /maxParts: expected a whole number from 1 to 10000/,
  })
})

test('a server that takes fewer parts than were sent is told of, and what to say', async (t) => {
  const d = await cliDesk(t)
  d.server.setFault(({ partNumber = 0 }) =>
    partNumber > 5
      ? { kind: 'status', status: 400, code: 'InvalidArgument' }
      : undefined,
  )
  const put = ['put', ...small, 'db.dump', `${d.url}/k`]
  t.match(await d.run(put), {
    code: 1,
    log: /InvalidArgument.*\nThe parts before it were taken\..* --max-parts .*--part-size\.\n$/s,
  })
  t.match(await d.run([...put, '--max-parts', '5']), {
    code: 0,
    out: /\(1\.2 MiB, 2 parts,/,
    log: /starting over: its part size does not fit any more/,
  })
  t.ok(d.bytes.equals(await d.object('k')))
  t.same(d.server.openUploads(), [])
})

test('rate and parts at once may be said', async (t) => {
  const d = await cliDesk(t)
  const flags = ['--concurrency', 'auto', '--max-rate', '512MiB']
  const part = ['--part-size', String(smallPart)]
  t.match(await d.run(['put', ...part, ...flags, 'db.dump', `${d.url}/k`]), {
    code: 0,
  })
  t.ok(d.bytes.equals(await d.object('k')))
})

test('encryption reaches the wire, with a key of a file too', async (t) => {
  const d = await cliDesk(t)
  const aws = {
    AWS_ACCESS_KEY_ID: 'dev',
    AWS_SECRET_ACCESS_KEY: 'dev-secret',
    AWS_ENDPOINT_URL: d.server.endpoint,
  }
  const key = '0123456789abcdefghijklmnopqrstuv'
  await writeFile(join(d.directory, 'own.key'), key)
  const kms = '--encryption KMS --encryption-key-id id --data-encryption SM4'
  const rows: [line: string, headers: Record<string, string>][] = [
    [
      `pawl put ${kms} db.dump $URL/a`,
      {
        'x-oss-server-side-encryption': 'KMS',
        'x-oss-server-side-encryption-key-id': 'id',
        'x-oss-server-side-data-encryption': 'SM4',
      },
    ],
    [
      'pawl put --customer-key own.key db.dump s3://examplebucket/b',
      {
        'x-amz-server-side-encryption-customer-algorithm': 'AES256',
        'x-amz-server-side-encryption-customer-key':
          Buffer.from(key).toString('base64'),
      },
    ],
  ]
  for (const [line, headers] of rows) {
    const { log } = await d.script(line, aws).ended
    t.match(d.seen('PutObject').at(-1)?.headers, headers, line)
    t.notMatch(log, Buffer.from(key).toString('base64'))
  }
})

void t.test(
  'a log that another user owns is gone on with when it is trusted',
  {
    buffered: true,
    skip: process.geteuid?.() !== 0 && 'only root gives files away',
  },
  async (t) => {
    const d = await cliDesk(t)
    holdAfter(d, 1)
    const args = ['put', '--json', ...small, '--checkpoint-dir', '.', 'db.dump']
    const url = `${d.url}/db.dump`
    const first = d.start([...args, url])
    await first.until(/"event":"part"/)
    first.kill('SIGKILL')
    await first.ended
    letGo(d)
    const [log = ''] = await readdir(d.directory).then((names) =>
      names.filter((name) => /^[0-9a-f]{32}\.pawl$/.test(name)),
    )
    const path = join(d.directory, log)
    await chown(path, 12345, 12345)
    t.match(await d.run([...args, url]), { code: 1, out: /--trust-log/ })
    const discard = ['discard', log, url]
    t.match(await d.run(discard), { code: 1, log: /--trust-log/ })
    const lines = linesOf(await d.run([...args, '--trust-log', url]))
    t.match(
      lines.find(({ event }) => event === 'result'),
      { resumed: true, key: 'db.dump' },
    )
  },
)
