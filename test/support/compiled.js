/**
 * The sources as plain JavaScript, for tests that start processes: without a loader
 * a child is up in a fifth of a second. They are kept below `node_modules/.cache`;
 * what has not changed is not made again.
 *
 * The directory is a package named `pawl` whose exports are the sources, so that
 * what imports `pawl` by its name, as the examples do, gets them. What the sources
 * import is found in the `node_modules` that it is in.
 */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asJavaScript, namesIn, sourcesIn } from './typescript.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const directory = join(root, 'node_modules/.cache/pawl-compiled')

const manifest = {
  name: 'pawl',
  type: 'module',
  exports: {
    '.': './lib/index.js',
    './dev-server': './lib/dev-server/index.js',
  },
}
const folders = ['lib', 'docs/examples', 'test/fixtures', 'test/support']

/** The directory; a file of it has the name of its source, ending in `.js`. */
export function compiledSources() {
  const wanted = new Set(['package.json'])
  for (const folder of folders) {
    for (const name of sourcesIn(join(root, folder))) {
      const from = join(root, folder, name)
      const to = join(folder, name.replace(/\.ts$/, '.js'))
      wanted.add(to)
      const { mtime } = statSync(from)
      if (isMade(join(directory, to), mtime)) continue
      const text = asJavaScript(readFileSync(from, 'utf8'), from)
      write(join(directory, to), text, mtime)
    }
  }
  const text = JSON.stringify(manifest)
  if (!isMade(join(directory, 'package.json'))) {
    write(join(directory, 'package.json'), text)
  }
  removeOthers(wanted)
  linkCommand()
  return directory
}

/** The program that `test/fixtures/<name>.ts` is. */
export function compiledFixture(name) {
  return join(compiledSources(), 'test/fixtures', `${name}.js`)
}

/** As an installation does: `pawl` in a folder of commands, `bin`. */
function linkCommand() {
  const main = join(directory, 'lib/cli/main.js')
  chmodSync(main, 0o755)
  mkdirSync(join(directory, 'bin'), { recursive: true })
  try {
    symlinkSync(main, join(directory, 'bin/pawl'))
  } catch (error) {
    // Another process may do the same.
    if (error.code !== 'EEXIST') throw error
  }
}

/** With the time of its source, which any change of that moves. */
function isMade(path, mtime) {
  const made = statSync(path, { throwIfNoEntry: false })
  if (made === undefined) return false
  return mtime === undefined || made.mtime.getTime() === mtime.getTime()
}

/** Whole or not at all: another process may do, or load, the same. */
function write(path, text, mtime) {
  mkdirSync(dirname(path), { recursive: true })
  const part = `${path}.${process.pid}`
  writeFileSync(part, text)
  if (mtime !== undefined) utimesSync(part, mtime, mtime)
  renameSync(part, path)
}

/** A source that is gone can be imported no more. */
function removeOthers(wanted) {
  for (const name of namesIn(directory)) {
    if (name.endsWith('.js') && !wanted.has(name)) {
      rmSync(join(directory, name), { force: true })
    }
  }
}
