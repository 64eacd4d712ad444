/** The lines of the command in the README can be copied. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { startScript } from './support/cli-child.js'
import { devStore, noise } from './support/dev-store.js'
import { pathWithDump } from './support/path-with-dump.js'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

await t.test(
  'each line of the command ends well, and makes its object',
  async (t) => {
    const dev = await devStore(t)
    const { directory, server } = dev
    const bytes = noise(300_000)
    await mkdir(join(directory, 'photos'))
    for (const name of ['db.dump', 'photos/a.jpg', 'photos/b.tmp']) {
      await writeFile(join(directory, name), bytes)
    }
    const path = await pathWithDump(directory)
    const scripts = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)]
      .map(([, script = '']) => script)
      .filter((script) => /^(?!npx).*pawl (?!serve)/.test(script))
    t.equal(scripts.length, 4)
    for (const script of scripts) {
      const env = {
        OSS_ACCESS_KEY_ID: 'dev',
        OSS_ACCESS_KEY_SECRET: 'dev-secret',
        OSS_ENDPOINT: server.endpoint,
        OSS_REGION: 'local',
      }
      const child = startScript(`PATH="${path}:$PATH"; set -e\n${script}`, {
        cwd: directory,
        env,
      })
      const { code, log } = await child.ended
      t.equal(code, 0, `${script}${log}`)
      if (script.includes('NODE_DEBUG')) t.match(log, /^PAWL \d+: "/m)
    }
    const objects = {
      'backups/db.dump': bytes,
      'db.dump.gz': bytes,
      'db.sql.gz': Buffer.from('dump of db\n'),
      'photos/a.jpg': bytes,
    }
    for (const [key, expected] of Object.entries(objects)) {
      const found = await dev.object(key)
      const plain = key.endsWith('.gz') ? gunzipSync(found) : found
      t.ok(plain.equals(expected), key)
    }
    t.notOk(server.objectPath('examplebucket', 'photos/b.tmp'))
  },
)
