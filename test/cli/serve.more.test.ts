import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ossStore } from '../../lib/index.js'
import { cliDesk, endpointOf } from '../support/cli-desk.js'
import { storeCall } from '../support/store-call.js'

await t.test('one server has a directory, until it dies', async (t) => {
  const d = await cliDesk(t)
  const first = d.start(['serve', 'objects'])
  t.teardown(() => first.kill('SIGKILL'))
  const endpoint = await endpointOf(first)
  const put = await d.run(['put', 'db.dump', `${endpoint}/bucket1/k`])
  t.equal(put.code, 0)
  t.match(await d.run(['serve', 'objects']), {
    code: 2,
    out: '',
    log: /another dev server uses .*objects; stop it, or name another one/,
  })
  first.kill('SIGKILL')
  t.equal((await first.ended).signal, 'SIGKILL')
  await writeFile(join(d.directory, 'objects/uploads/.DS_Store'), '')
  const second = d.start(['serve', 'objects'])
  t.teardown(() => second.kill('SIGKILL'))
  await endpointOf(second)
  second.kill('SIGTERM')
  t.match(await second.ended, {
    log: /^pawl: .*\.DS_Store is no upload; passed over\n/,
  })
})

await t.test('a server takes a key of its own, and no other', async (t) => {
  const d = await cliDesk(t)
  const words = ['--access-key', 'me', '--secret-key', 'my-secret']
  const server = d.start(['serve', 'objects', ...words])
  t.teardown(() => server.kill('SIGKILL'))
  const endpoint = await endpointOf(server)
  t.notMatch(server.said(), /my-secret/)
  t.match(
    server.said(),
    /Try: OSS_ACCESS_KEY_ID=ID OSS_ACCESS_KEY_SECRET=SECRET/,
  )
  const refused = await d.run(['put', 'db.dump', `${endpoint}/bucket1/k`])
  t.match(refused, { out: '', log: /access key/i })
  t.not(refused.code, 0)
  const store = ossStore({
    endpoint,
    region: 'cn-hangzhou',
    bucket: 'bucket1',
    credentials: { accessKeyId: 'me', accessKeySecret: 'my-secret' },
  })
  t.teardown(() => store.close())
  const { uploads } = await store.listUploads({}, storeCall())
  t.same(uploads, [])
  server.kill('SIGINT')
  t.equal((await server.ended).code, 0)
})

await t.test(
  'a directory that nobody can make is said to be none',
  async (t) => {
    const d = await cliDesk(t)
    await writeFile(join(d.directory, 'file'), '')
    await symlink('gone', join(d.directory, 'dangling'))
    for (const [directory, log] of [
      ['/proc/pawl/objects', /\/proc\/pawl\/objects cannot be used \(ENOENT\)/],
      ['file', /file is not a directory/],
      ['file/objects', /file\/objects is not in a directory/],
      ['dangling', /dangling is not a directory/],
    ] as const) {
      const end = await d.run(['serve', directory])
      t.match(end, { code: 2, out: '', log }, directory)
    }
  },
)
