/**
 * Makes of `lib` what is shipped: what `pawl` itself needs in one file, all else in one
 * file an entry, and what several entries need in files of `dist/common`, so that all
 * of them have one `UploadError`. Each file takes a process half a millisecond to load.
 * Packages stay packages; declarations are the compiler's, a file each.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Started as a worker, so that it has to be a file of its own. */
const worker = 'lib/hash/digest-worker.ts'
/** Starts at once, and loads what it needs. */
const command = sourceOf(manifest.bin.pawl)
const program = 'lib/cli/program.ts'
const main = sourceOf(manifest.exports['.'].default)

const others = Object.values(manifest.exports)
  .flatMap((target) => target.default ?? [])
  .map(sourceOf)
  .filter((entry) => entry !== main)

function sourceOf(path) {
  return path.replace(/^(\.\/)?dist\//, 'lib/').replace(/\.js$/, '.ts')
}

/**
 * What several entries need is cut into a file for each set of entries that needs the
 * same. Entries that need some of the main one are said to need all of it, which is one
 * set then. Nothing of what they do not use is run for it.
 */
const mainInOneFile = {
  name: 'main-in-one-file',
  setup({ onLoad, onResolve }) {
    const wanting = new Set(
      [...others, program].map((path) => join(root, path)),
    )
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      wanting.has(path)
        ? {
            contents: `${readFileSync(path, 'utf8')}\nimport '#main'\n`,
            loader: 'ts',
          }
        : undefined,
    )
    onResolve({ filter: /^#main$/ }, () => ({ path: join(root, main) }))
  },
}

const options = {
  absWorkingDir: root,
  outbase: 'lib',
  outdir: 'dist',
  chunkNames: 'common/[name]-[hash]',
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: `node${manifest.engines.node.replace('>=', '')}`,
  // V8 keeps what is all ASCII as one byte a letter, and compiles it faster.
  charset: 'ascii',
  logLevel: 'warning',
}

const { metafile } = await build({
  ...options,
  entryPoints: [main, ...others, command],
  splitting: true,
  plugins: [mainInOneFile],
  // The import of the main entry is for the cut alone.
  logOverride: { 'ignored-bare-import': 'silent' },
  metafile: true,
})
// In a thread of its own, where it shares nothing with the others.
await build({ ...options, entryPoints: [worker] })

mustBeInOneFile(metafile)

/** Throws when the main entry loads more than itself, its code, and what the command has. */
function mustBeInOneFile({ outputs }) {
  const { imports } = outputs['dist/index.js']
  const files = imports.filter(({ external }) => external !== true)
  if (files.length > 2) {
    const paths = files.map(({ path }) => path).join(', ')
    throw new Error(`the main entry is in several files: ${paths}`)
  }
}
