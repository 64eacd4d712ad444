/** What ARCHITECTURE.md says of imports and names, held. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { errorCodes } from '../lib/errors.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = readdirSync(join(root, 'lib'), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))

/** Which layers each layer may import from, besides itself. */
const allowed: Record<string, readonly string[]> = {
  errors: ['upload-result'],
  'upload-result': [],
  environment: [],
  'known-options': ['errors'],
  'own-require': [],
  'late-package': ['own-require'],
  'file-path': ['errors'],
  'fixed-chunk-stream': ['errors'],
  'make-folders': [],
  /** Which every layer may use. */
  realm: [],
  signals: [],
  diagnostics: ['errors'],
  hash: ['errors', 'late-package'],
  store: [
    'diagnostics',
    'environment',
    'errors',
    'hash',
    'known-options',
    'late-package',
    'signals',
  ],
  checkpoint: [
    'file-path',
    'environment',
    'errors',
    'hash',
    'known-options',
    'own-require',
  ],
  upload: [
    'upload-result',
    'file-path',
    'checkpoint',
    'store',
    'hash',
    'diagnostics',
    'environment',
    'errors',
    'known-options',
    'late-package',
    'signals',
  ],
  fleet: [
    'file-path',
    'own-require',
    'shared',
    'lease',
    'job',
    'upload',
    'checkpoint',
    'store',
    'hash',
    'environment',
    'errors',
    'known-options',
  ],
  shared: [
    'upload',
    'upload-result',
    'checkpoint',
    'store',
    'hash',
    'errors',
    'known-options',
    'signals',
  ],
  credentials: ['store', 'errors', 'known-options', 'own-require'],
  lease: [
    'checkpoint',
    'store',
    'hash',
    'environment',
    'errors',
    'known-options',
  ],
  job: ['upload', 'upload-result', 'checkpoint', 'store', 'hash', 'errors'],
  index: [
    'file-path',
    'fixed-chunk-stream',
    'upload',
    'upload-result',
    'lease',
    'credentials',
    'checkpoint',
    'store',
    'hash',
    'errors',
  ],
  /** The store is for `own-store` alone: see below. */
  'dev-server': [
    'file-path',
    'make-folders',
    'errors',
    'known-options',
    'store',
  ],
  testing: ['index', 'dev-server'],
  cli: [
    'index',
    'lease',
    'credentials',
    'job',
    'fleet',
    'dev-server',
    'checkpoint',
    'hash',
    'errors',
    'own-require',
    'make-folders',
    'signals',
  ],
}

function layerOf(path: string): string {
  const [first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

function importsOf(name: string): string[] {
  const text = readFileSync(join(root, 'lib', name), 'utf8')
  return [...text.matchAll(/^(?:import|export)[^'"]*?from '(\.[^']+)'/gm)].map(
    ([, path = '']) => {
      const target = join(root, 'lib', dirname(name), path)
      return relative(join(root, 'lib'), target)
    },
  )
}

await t.test('imports point one way', async (t) => {
  for (const name of sources) {
    const layer = layerOf(name)
    for (const target of importsOf(name)) {
      const other = layerOf(target.replace(/\.js$/, '.ts'))
      t.ok(
        other === layer || other === 'realm' || allowed[layer]?.includes(other),
        `${name} imports ${target}`,
      )
    }
  }
  t.ok(sources.length > 50, 'the sources were found')
})

await t.test(
  'the dev server judges the library without its help',
  async (t) => {
    const users = sources
      .filter((name) => layerOf(name) === 'dev-server')
      .filter((name) =>
        importsOf(name).some((path) => layerOf(path) === 'store'),
      )
    // `options` has the type of a store.
    t.same(users.toSorted(), [
      'dev-server/options.ts',
      'dev-server/own-store.ts',
    ])
  },
)

await t.test('the README lists every error code, and no other', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const listed = [...readme.matchAll(/^\| `(PAWL_[A-Z_]+)` +\|/gm)].map(
    ([, code]) => code,
  )
  t.same(new Set(listed), new Set(errorCodes))
  t.equal(listed.length, errorCodes.length)
  for (const [row] of readme.matchAll(/^\| `PAWL_.*$/gm)) {
    const [, code = '', what, kept, again, action] = row
      .split('|')
      .map((cell) => cell.trim())
    t.ok(what, `${code}: what happened`)
    t.match(kept, /^(?:log|yes|no|some)$/, `${code}: what is kept`)
    t.match(again, /^(?:yes|no|some)$/, `${code}: whether again`)
    t.ok(action, `${code}: what to do`)
  }
})

await t.test('the tests that the README names are there', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, table = ''] = /## What survives what\n(.*?)\n## /s.exec(readme) ?? []
  const rows = table.split('\n').filter((line) => line.startsWith('| '))
  const files = readdirSync(join(root, 'test'), { recursive: true })
    .map(String)
    .map((name) => name.replace(/(\.(sized|more|long))?(\.test)?\.ts$/, ''))
  const known = new Set(files)
  for (const row of rows.slice(2)) {
    const cell = row.split(' | ').at(-1) ?? ''
    const named = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
    t.ok(named.length > 0, row)
    for (const name of named) t.ok(known.has(name), name)
  }
  t.ok(rows.length > 15)
})

await t.test('the README is short', (t) => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n')
  t.ok(lines.length <= 301, `${lines.length} lines`)
  t.end()
})

await t.test('every document is led to', (t) => {
  const texts = ['README.md', 'CONTRIBUTING.md'].map((name) =>
    readFileSync(join(root, name), 'utf8'),
  )
  const names = readdirSync(join(root, 'docs'))
  for (const name of names.filter((name) => name.endsWith('.md'))) {
    t.ok(
      texts.some((text) => text.includes(`docs/${name}`)),
      name,
    )
  }
  t.end()
})

await t.test('files are small', async (t) => {
  for (const name of sources) {
    const lines = readFileSync(join(root, 'lib', name), 'utf8').split('\n')
    t.ok(lines.length <= 501, `${name} has ${lines.length} lines`)
  }
})

await t.test('stores need no MD5, which FIPS does not have', async (t) => {
  for (const name of sources.filter((name) => name.startsWith('store'))) {
    const text = readFileSync(join(root, 'lib', name), 'utf8')
    t.notMatch(text, /createHash\(['"](md5|sha1)/, name)
  }
})

await t.test(
  'what every realm has of its own is not asked for by class',
  (t) => {
    const classes =
      /instanceof (\w*Error|Date|\w*Array\w*|\w*Signal|EventTarget)\b/g
    const own = new Set(['realm.ts'])
    for (const name of sources.filter((name) => !own.has(name))) {
      const text = readFileSync(join(root, 'lib', name), 'utf8')
      for (const [found, made = ''] of text.matchAll(classes)) {
        // Of this package, which has them once, or knows them by a brand.
        const isOurs = new RegExp(`(?:class|import \\{[^}]*) ?${made}\\b`).test(
          text,
        )
        t.ok(isOurs, `${name}: ${found}`)
      }
    }
    t.end()
  },
)
