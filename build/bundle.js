/**
 * Makes of `lib` what is shipped: one file an entry, and what several entries need
 * in files of `dist/common`, so that all of them have one `UploadError`. A hundred
 * small files take a process half as long again to load. Packages stay packages;
 * declarations are the compiler's, a file each.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Started as a worker, so that it has to be a file of its own. */
const programs = ['./dist/hash/digest-worker.js']

const shipped = [
  ...Object.values(manifest.exports).map((target) => target.default),
  ...Object.values(manifest.bin).map((path) => `./${path}`),
  ...programs,
].filter((path) => path !== undefined)

await build({
  absWorkingDir: root,
  entryPoints: shipped.map((path) =>
    path.replace('./dist/', 'lib/').replace(/\.js$/, '.ts'),
  ),
  outbase: 'lib',
  outdir: 'dist',
  chunkNames: 'common/[name]-[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: `node${manifest.engines.node.replace('>=', '')}`,
  // V8 keeps what is all ASCII as one byte a letter, and compiles it faster.
  charset: 'ascii',
  logLevel: 'warning',
})
