/**
 * The API reference in `docs/api`, made from the doc comments. With `--check` it
 * is made in a temporary directory, and fails unless it is what is there, every
 * export is documented, and every link leads somewhere.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { anchorsOf } from '../test/support/links.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const committed = join(root, 'docs/api')
const isCheck = process.argv.includes('--check')
const temporary = mkdtempSync(join(tmpdir(), 'pawl-docs-'))
try {
  const made = generate(join(temporary, 'api'))
  const problems = [...deadLinks(made)]
  if (isCheck) problems.push(...differences(readPages(committed), made))
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  else if (isCheck) console.log(`docs/api is up to date: ${made.size} pages`)
  else replace(join(temporary, 'api'))
} finally {
  rmSync(temporary, { recursive: true, force: true })
}

/** Ends the process when an export is not documented, among other warnings. */
function generate(out) {
  const typedoc = join(root, 'node_modules/typedoc/bin/typedoc')
  const options = join(root, 'docs/typedoc.json')
  const { status, error } = spawnSync(
    process.execPath,
    [typedoc, '--options', options, '--out', out, '--logLevel', 'Warn'],
    { cwd: root, stdio: 'inherit' },
  )
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`typedoc ended with ${status}`)
  return readPages(out)
}

/** Texts by path, with `/` on every platform. */
function readPages(directory) {
  const names = readdirSync(directory, { recursive: true })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.md'))
  const read = (name) => readFileSync(join(directory, name), 'utf8')
  return new Map(names.map((name) => [name, read(name)]))
}

function* differences(there, made) {
  for (const name of new Set([...there.keys(), ...made.keys()])) {
    if (there.get(name) === made.get(name)) continue
    yield `docs/api/${name} is not what the sources say: run npm run docs`
  }
}

/** Links to pages and anchors that do not exist, as a code host reads them. */
function* deadLinks(pages) {
  for (const [name, text] of pages) {
    const page = new URL(name, 'file:///')
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue
      const { pathname, hash } = new URL(link, page)
      const target = pages.get(pathname.slice(1))
      const isThere =
        target !== undefined &&
        (hash === '' || anchorsOf(target).has(hash.slice(1)))
      if (!isThere) yield `docs/api/${name}: ${link} leads nowhere`
    }
  }
}

function replace(directory) {
  rmSync(committed, { recursive: true, force: true })
  cpSync(directory, committed, { recursive: true })
}
