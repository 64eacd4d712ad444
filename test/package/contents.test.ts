/** The checks of `run.js` find what they are there for. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { temporaryDirectory } from '../support/dev-store.js'
import { linksOf } from '../support/links.js'
import { deadLinks, strangers } from './contents.js'
import { figureIn, figureText, isClose, measure } from './install-size.js'

const whole = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'bench/README.md',
  'dist/cli/main.js',
  'dist/dev-server/index.d.cts',
  'dist/dev-server/index.d.ts',
  'dist/dev-server/index.js',
  'dist/fleet/index.d.cts',
  'dist/fleet/index.d.ts',
  'dist/fleet/index.js',
  'dist/hash/digest-worker.js',
  'dist/index.d.cts',
  'dist/index.d.ts',
  'dist/index.js',
  'dist/lease/postgres.d.cts',
  'dist/lease/postgres.d.ts',
  'dist/lease/postgres.js',
  'dist/lease/redis.d.cts',
  'dist/lease/redis.d.ts',
  'dist/lease/redis.js',
  'dist/share/_pawl',
  'dist/share/pawl.1',
  'dist/share/pawl.bash',
  'dist/share/pawl.fish',
  'dist/common/chunk-6BMTZZ65.js',
  'dist/shared/index.d.cts',
  'dist/shared/index.d.ts',
  'dist/shared/index.js',
  'dist/testing/index.d.cts',
  'dist/testing/index.d.ts',
  'dist/testing/index.js',
  'docs/api/README.md',
  'docs/cookbook.md',
  'docs/examples/database-dump.ts',
  'lib/checkpoint/FORMAT.md',
  'lib/store/s3/SERVERS.md',
  'package.json',
]

await t.test('a package holds all of it and nothing else', async (t) => {
  t.same(strangers(whole), [])
  t.same(strangers(whole.slice(1)), ['missing: CHANGELOG.md'])
  const pages = ['docs/api/pawl/functions/uploadFile.md', 'docs/a.svg']
  t.same(strangers([...whole, ...pages]), [])
  for (const path of [
    'dist/index.js.map',
    'dist/types/x.ts',
    'dist/hash/chunk-6BMTZZ65.js',
    'lib/index.ts',
    'docs/build.js',
    'docs/examples/tsconfig.json',
    'bench/results/2026-11-24.json',
    'test/x.test.js',
    '.npmrc',
  ]) {
    t.same(strangers([...whole, path]), [path])
  }
})

await t.test('links of packed documents lead to what is packed', async (t) => {
  const texts: Record<string, string> = {
    'README.md':
      '[a](docs/a.md) [b](docs/a.md#b) ![p](p.svg) [x](https://x.y) `[c](d)`',
    'docs/a.md': '[up](../README.md) [e](examples) [gone](b.md#at)',
  }
  const paths = [...Object.keys(texts), 'docs/examples/e.ts']
  const read = (path: string) => texts[path] ?? ''
  t.same(deadLinks(paths, read), ['README.md: p.svg', 'docs/a.md: docs/b.md'])
  t.same(linksOf('docs/a.md', texts['docs/a.md'] ?? '').at(-1), {
    path: 'docs/b.md',
    anchor: 'at',
  })
})

await t.test('every package of an installation is counted once', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const path of [
    'a/package.json',
    'a/lib/package.json',
    'a/node_modules/c/package.json',
    'a/node_modules/@s/d/package.json',
    '@s/b/package.json',
    '.package-lock.json',
  ]) {
    await mkdir(join(directory, dirname(path)), { recursive: true })
    await writeFile(join(directory, path), Buffer.alloc(1024))
  }
  t.same(await measure(directory), { packages: 4, size: 6 / 1024 })
})

await t.test('the figure is read from the README, and compared', async (t) => {
  const figure = { direct: 9, packages: 32, size: 8.3 }
  t.same(figureIn(`That is ${figureText(figure)}; no more.`), figure)
  t.equal(figureIn('It is small.'), undefined)
  t.equal(isClose(figure, { packages: 34, size: 9 }), true)
  t.equal(isClose(figure, { packages: 36, size: 8.3 }), false)
  t.equal(isClose(figure, { packages: 32, size: 10 }), false)
})
