/**
 * The sources as plain JavaScript in a directory of their own, for tests that
 * start many processes: without a loader a child is up in a fifth of a second.
 *
 * The directory is a package named `pawl` whose exports are the sources, so that
 * what imports `pawl` by its name, as the examples do, gets them.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { temporaryDirectory } from './dev-store.js'
import { asJavaScript, sourcesIn } from './typescript.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const manifest = {
  name: 'pawl',
  type: 'module',
  exports: {
    '.': './lib/index.js',
    './dev-server': './lib/dev-server/index.js',
  },
}
const folders = ['lib', 'docs/examples', 'test/fixtures', 'test/support']

/** Resolves to the directory; a file of it has the name of its source, ending in `.js`. */
export async function compiledSources(t: Test): Promise<string> {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest))
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  for (const folder of folders) {
    await compileFolder(folder, directory)
  }
  return directory
}

async function compileFolder(folder: string, into: string): Promise<void> {
  for (const name of sourcesIn(join(root, folder))) {
    const from = join(root, folder, name)
    const to = join(into, folder, name.replace(/\.ts$/, '.js'))
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, asJavaScript(await readFile(from, 'utf8'), from))
  }
}
