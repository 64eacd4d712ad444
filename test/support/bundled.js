/**
 * Tests, and the programs that they start, as one file each: a hundred small modules
 * and the packages that they load take longer than most tests. Of the compiled files
 * (`compiled.js`), kept below `node_modules/.cache` while none of them changes.
 *
 * A module still finds what lies beside its source or beside the compiled file. The
 * runner is a file for all tests, in a folder of its own name: frames that lie there
 * are left out of stacks.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { compiledSources } from './compiled.js'
import { entries } from './entries.js'
import { namesIn } from './typescript.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const kept = join(root, 'node_modules/.cache/pawl-bundled')
const command = 'lib/cli/main.js'
const runner = 'node_modules/@tapjs/tap.mjs'

/** ms; what was made for an earlier state of the sources, and may be in use yet. */
const longestRun = 3_600_000

/** What many tests load and is many modules: a file each, for all tests. */
const packages = ['undici', 'fast-xml-parser', 'commander', 'stream-chopper']

/** These ask a stack which module a call comes from, and stay compiled files. */
const asked = new Set(['test/upload/environment.test.ts'])

/**
 * Makes them, and resolves to the directory of the programs, and to the path of a
 * test by that of its source.
 */
export async function bundledTests(tests) {
  const sources = compiledSources()
  const names = [
    ...tests.filter((test) => !asked.has(test)).map(asJavaScriptName),
    ...namesIn(join(sources, 'test/fixtures'))
      .filter((name) => name.endsWith('.js'))
      .map((name) => join('test/fixtures', name)),
  ]
  const place = join(kept, digestOf(sources, names))
  removeOld(place)
  if (existsSync(place)) utimesSync(place, new Date(), new Date())
  else await make(sources, names, place)
  const pathOf = (test) =>
    join(asked.has(test) ? sources : place, asJavaScriptName(test))
  return { programs: place, pathOf }
}

function asJavaScriptName(name) {
  return name.replace(/\.ts$/, '.js')
}

function digestOf(sources, names) {
  const digest = createHash('sha256')
  digest.update(readFileSync(fileURLToPath(import.meta.url)))
  for (const name of ['package-lock.json', '.taprc']) {
    digest.update(readFileSync(join(root, name)))
  }
  digest.update(JSON.stringify([process.version, names]))
  for (const name of namesIn(sources).toSorted()) {
    if (!name.endsWith('.js')) continue
    digest.update(`${name} ${statSync(join(sources, name)).mtimeMs}\n`)
  }
  return digest.digest('hex').slice(0, 16)
}

/** Another run may be using what it made. */
function removeOld(place) {
  mkdirSync(kept, { recursive: true })
  for (const name of readdirSync(kept)) {
    const path = join(kept, name)
    const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (path === place || Date.now() - made < longestRun) continue
    rmSync(path, { recursive: true, force: true })
  }
}

/** Whole or not at all: another run may make the same. */
async function make(sources, names, place) {
  const part = `${place}.${process.pid}`
  await Promise.all([
    bundle(sources, names, { part, place }),
    // As it is shipped: what only some commands need is loaded by these alone.
    bundle(sources, [command], { part, place, splitting: true }),
    bundleRunner(part),
    bundlePackages(part),
  ])
  chmodSync(join(part, command), 0o755)
  mkdirSync(join(part, 'bin'))
  // As an installation does: `pawl` in a folder of commands.
  symlinkSync(join(place, command), join(part, 'bin/pawl'))
  // The oldest Node that is supported does not find out from the text.
  writeFileSync(join(part, 'package.json'), '{ "type": "module" }\n')
  try {
    renameSync(part, place)
  } catch (error) {
    if (!existsSync(place)) throw error
    rmSync(part, { recursive: true })
  }
}

const shared = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'es2023',
  charset: 'utf8',
  logLevel: 'error',
  banner: {
    js: `import { createRequire as requireFrom } from 'node:module'
const require = requireFrom(${JSON.stringify(pathToFileURL(kept).href)})`,
  },
}

async function bundle(sources, names, { part, place, splitting = false }) {
  await build({
    ...shared,
    splitting,
    absWorkingDir: sources,
    entryPoints: names,
    outbase: sources,
    outdir: part,
    plugins: [modules(sources, place)],
  })
}

/** Where imports lead, and what a module takes for its own place. */
function modules(sources, place) {
  return {
    name: 'modules',
    setup(esbuild) {
      esbuild.onResolve({ filter: /^[^./]/ }, ({ path }) => {
        const entry = entries.get(path)
        if (entry !== undefined) {
          return { path: join(sources, `lib/${entry}.js`) }
        }
        if (path === 'tap') return { path: join(place, runner), external: true }
        return packages.includes(path)
          ? { path: join(place, 'node_modules', `${path}.mjs`), external: true }
          : { path, external: true }
      })
      esbuild.onLoad({ filter: /pawl-compiled.*\.js$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8')
        const url = JSON.stringify(pathToFileURL(path).href)
        return {
          contents: text.replaceAll('import.meta.url', () => url),
          loader: 'js',
        }
      })
    },
  }
}

/** With the names that Node finds in them, also where they are CommonJS. */
async function bundlePackages(part) {
  for (const name of packages) {
    const names = Object.keys(await import(name)).filter((one) =>
      // Of CommonJS newer versions of Node add one that is no identifier.
      /^(?!default$)\w+$/.test(one),
    )
    const contents = `import * as all from '${name}'
export default all.default
export const { ${names.join(', ')} } = all
`
    await build({
      ...shared,
      stdin: { contents, resolveDir: root },
      outfile: join(part, 'node_modules', `${name}.mjs`),
    })
  }
}

async function bundleRunner(part) {
  const contents = `export * from 'tap'\nexport { default } from 'tap'\n`
  await build({
    ...shared,
    stdin: { contents, resolveDir: root },
    outfile: join(part, runner),
  })
}
