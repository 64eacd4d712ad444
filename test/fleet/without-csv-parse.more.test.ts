/** A fleet is used where no package reads lists. */
import { execFile } from 'node:child_process'
import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { compiledSources } from '../support/compiled.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

await t.test(
  'a list is told to need csv-parse where it is missing',
  async (t) => {
    // Outside of the repository, whose packages would be found.
    const directory = await mkdtemp(join(tmpdir(), 'pawl-bare-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    await writeFile(join(directory, 'package.json'), '{"type":"module"}')
    await cp(join(compiledSources(), 'lib'), join(directory, 'lib'), {
      recursive: true,
    })
    const manifest = JSON.parse(
      await readFile(join(root, 'package.json'), 'utf8'),
    ) as { dependencies: object }
    for (const name of [...Object.keys(manifest.dependencies), 'bullmq']) {
      const place = join(directory, 'node_modules', name)
      await mkdir(dirname(place), { recursive: true })
      await symlink(join(root, 'node_modules', name), place)
    }
    const program = `
    import { inventoryFiles, planFleet } from './lib/fleet/index.js'
    console.log(typeof planFleet)
    await inventoryFiles('list.csv').next().catch(({ code, message }) => {
      console.log(code, message)
    })`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { cwd: directory },
    )
    t.match(stdout, /^function\nPAWL_INVALID_OPTION .*npm install csv-parse\n$/)
  },
)
