/**
 * The sources and the tests as plain JavaScript: without a loader a test file is up
 * in half the time, and a child of one in a fifth of a second. They are kept below
 * `node_modules/.cache`; what has not changed is not made again.
 *
 * To the tests and the examples `import.meta.url` is where their source is, so that
 * they find what lies beside it.
 *
 * The directory is a package named `pawl` whose exports are the sources, so that
 * what imports `pawl` by its name, as the examples do, gets them. What the sources
 * import is found in the `node_modules` that it is in.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
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
import { fileURLToPath, pathToFileURL } from 'node:url'
import { entries } from './entries.js'
import { asJavaScript, namesIn } from './typescript.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const directory = join(root, 'node_modules/.cache/pawl-compiled')

const manifest = {
  name: 'pawl',
  // What was made in another way is made again.
  madeBy: wayDigest(),
  type: 'module',
  exports: Object.fromEntries(
    [...entries].map(([name, path]) => [
      name.replace('pawl', '.'),
      `./lib/${path}.js`,
    ]),
  ),
}
const folders = ['lib', 'docs/examples', 'test']

/** Once a process, or a run: to look takes as long as a child. */
let isMadeHere = process.env.PAWL_COMPILED === directory

/** The directory; a file of it has the name of its source, ending in `.js`. */
export function compiledSources() {
  if (!isMadeHere) make()
  isMadeHere = true
  return directory
}

function make() {
  const text = JSON.stringify(manifest)
  const isCurrent = textOf(join(directory, 'package.json')) === text
  const wanted = new Set(['package.json'])
  for (const folder of folders) {
    for (const name of namesIn(join(root, folder))) {
      if (!isCompiled(folder, name)) continue
      const from = join(root, folder, name)
      const to = join(folder, name.replace(/\.ts$/, '.js'))
      wanted.add(to)
      const { mtime } = statSync(from)
      if (isCurrent && isMade(join(directory, to), mtime)) continue
      write(join(directory, to), compiled(folder, from), mtime)
    }
  }
  removeOthers(wanted)
  linkCommand()
  if (!isCurrent) write(join(directory, 'package.json'), text)
}

function isCompiled(folder, name) {
  if (name.endsWith('.ts')) return !name.endsWith('.d.ts')
  return folder === 'test' && name.endsWith('.js')
}

function compiled(folder, from) {
  const source = readFileSync(from, 'utf8')
  const text = from.endsWith('.ts') ? asJavaScript(source, from) : source
  return folder === 'lib' ? text : atHome(text, from)
}

/** The program that `test/fixtures/<name>.ts` is. */
export function compiledFixture(name) {
  return join(compiledPrograms(), 'test/fixtures', `${name}.js`)
}

/** The directory of what tests start: the compiled files, or bundles of them. */
export function compiledPrograms() {
  return process.env.PAWL_PROGRAMS ?? compiledSources()
}

/** The JavaScript of the test of that path, relative to the root. */
export function compiledTest(path) {
  return join(directory, path.replace(/\.ts$/, '.js'))
}

function atHome(text, from) {
  const url = JSON.stringify(pathToFileURL(from).href)
  return text.replaceAll(/\bimport\.meta\.url\b/g, () => url)
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
  return made?.mtime.getTime() === mtime.getTime()
}

function textOf(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function wayDigest() {
  const digest = createHash('sha256')
  for (const name of ['compiled.js', 'typescript.js']) {
    digest.update(readFileSync(join(root, 'test/support', name)))
  }
  return digest.digest('hex')
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
