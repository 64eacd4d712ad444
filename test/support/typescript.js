/**
 * TypeScript for Node: with `--import` of this, `.ts` files load, and an import of
 * `./x.js` finds `./x.ts`. Types are taken away; `npm run lint` checks them.
 *
 * What was made of a text is kept below `node_modules/.cache`: without it each
 * test file would load the compiler, which takes longer than most tests.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { createRequire, register } from 'node:module'
import { basename, dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const kept = new URL('../../node_modules/.cache/pawl-sources/', import.meta.url)
const require = createRequire(import.meta.url)
const { version } = require('esbuild/package.json')

// Node loads module hooks in a thread of their own, from this very file; every
// other thread, a worker's too, has them registered.
if (new URL(import.meta.url).search !== '?hooks') {
  register(new URL('?hooks', import.meta.url))
}

/** Names of all that is below a folder. */
export function namesIn(folder) {
  return readdirSync(folder, { encoding: 'utf8', recursive: true })
}

/** Names of the files of TypeScript below a folder, declarations left out. */
export function sourcesIn(folder) {
  return namesIn(folder).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.d.ts'),
  )
}

/**
 * What a text of TypeScript is in JavaScript, with its source map, which names the
 * file wherever the JavaScript is.
 */
export function asJavaScript(source, fileName) {
  const digest = createHash('sha256')
    .update(JSON.stringify([version, wayOf(fileName), fileName, source]))
    .digest('hex')
  const place = new URL(`${digest}.js`, kept)
  if (existsSync(place)) return readFileSync(place, 'utf8')
  const text = transpile(source, fileName)
  mkdirSync(kept, { recursive: true })
  // Processes that do it at the same time do the same.
  const part = new URL(`${digest}.${process.pid}`, kept)
  writeFileSync(part, text)
  renameSync(part, place)
  return text
}

function transpile(source, fileName) {
  return require('esbuild').transformSync(source, wayOf(fileName)).code
}

/** esbuild's options; the map has the source's name by its directory. */
function wayOf(fileName) {
  return {
    loader: 'ts',
    target: 'es2023',
    charset: 'utf8',
    sourcemap: 'inline',
    sourcesContent: false,
    sourcefile: basename(fileName),
    sourceRoot: pathToFileURL(`${dirname(fileName)}/`).href,
    // An import of a type alone loads nothing; every other one is kept.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  }
}

export function resolve(specifier, context, next) {
  const { parentURL = '' } = context
  if (parentURL.startsWith('file:') && /^\.\.?\/.*\.js$/.test(specifier)) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), parentURL)
    if (existsSync(source)) return next(source.href, context)
  }
  return next(specifier, context)
}

export function load(url, context, next) {
  if (!/^file:.*\.ts$/.test(url)) return next(url, context)
  const path = fileURLToPath(url)
  const source = asJavaScript(readFileSync(path, 'utf8'), path)
  return { format: 'module', source, shortCircuit: true }
}
