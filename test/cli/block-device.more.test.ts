/** A disk as standard input; to make one, the test has to be root. */
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cliDesk } from '../support/cli-desk.js'
import { noise } from '../support/dev-store.js'

await t.test('a disk on standard input arrives whole', async (t) => {
  const d = await cliDesk(t)
  const bytes = noise(3 * 1024 * 1024)
  const image = join(d.directory, 'disk.img')
  await writeFile(image, bytes)
  const disk = execFileSync('losetup', ['--find', '--show', image], {
    encoding: 'utf8',
  }).trim()
  t.teardown(() => execFileSync('losetup', ['--detach', disk]))
  const end = await d.script(
    `pawl put --part-size 1M --size ${bytes.length} - $URL/k < ${disk}`,
  ).ended
  t.match(end, { code: 0, out: /3 parts/ }, end.log)
  t.ok(bytes.equals(await d.object('k')))
  const refused = await d.run(['put', disk, `${d.url}/k2`])
  t.match(refused, { code: 2, log: /pipe it in: pawl put - URL/ })
})
