import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { besideEachOther } from '../support/beside.js'
import { cliDesk, holdAfter, linesOf, small } from '../support/cli-desk.js'

const test = besideEachOther(t)

test('unfinished uploads are listed and aborted', async (t) => {
  const d = await cliDesk(t)
  holdAfter(d, 1)
  const first = d.start(['put', '--json', ...small, 'db.dump', `${d.url}/a/k`])
  await first.until(/"event":"part"/)
  first.kill('SIGINT')
  await first.ended
  const listed = await d.run(['uploads', `${d.url}/a/`])
  t.match(listed, { code: 0, out: /\/a\/k\n {2}\d+ parts?, .*1 unfinished/s })
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

test('the list ends when nobody reads it any more', async (t) => {
  const d = await cliDesk(t)
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

test('serve keeps objects in a directory until Ctrl-C', async (t) => {
  const d = await cliDesk(t)
  const directory = 'objects\u001b[31m'
  const server = d.start(['serve', directory, '--bucket', 'bucket1'])
  await server.until(/Try: .*\/bucket1\/key\n/)
  t.match(server.said(), /objects in .*\/objects\\x1b\[31m\n/)
  const [endpoint = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.said()) ?? []
  const put = await d.run(['put', 'db.dump', `${endpoint}/bucket1/k`])
  t.match(put, { code: 0, out: /\/bucket1\/k \(1\.2 MiB/ })
  server.kill('SIGINT')
  t.equal((await server.ended).code, 0)
  t.ok((await readdir(join(d.directory, directory))).length > 0)
})

test('help and version', async (t) => {
  const d = await cliDesk(t)
  t.match(await d.run(['--help']), { code: 0, out: /Exit codes:/ })
  t.match(await d.run(['put', '--help']), { code: 0, out: /--older|--exec/ })
  t.match(await d.run(['--version']), { code: 0, out: /\d/ })
})
