/** The checks of `run.js` find what they are there for. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { temporaryDirectory } from '../support/dev-store.js'
import { strangers } from './contents.js'
import { figureIn, figureText, isClose, measure } from './install-size.js'

const whole = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'dist/cli/main.js',
  'dist/dev-server/index.d.ts',
  'dist/dev-server/index.js',
  'dist/fleet/index.d.ts',
  'dist/fleet/index.js',
  'dist/hash/digest-worker.js',
  'dist/index.d.ts',
  'dist/index.js',
  'dist/share/_pawl',
  'dist/share/pawl.1',
  'dist/share/pawl.bash',
  'dist/share/pawl.fish',
  'dist/shared/index.d.ts',
  'dist/shared/index.js',
  'lib/checkpoint/FORMAT.md',
  'package.json',
]

await t.test('a package holds all of it and nothing else', async (t) => {
  t.same(strangers(whole), [])
  t.same(strangers(whole.slice(1)), ['missing: CHANGELOG.md'])
  for (const path of [
    'dist/index.js.map',
    'dist/types/x.ts',
    'lib/index.ts',
    'test/x.test.js',
    '.npmrc',
  ]) {
    t.same(strangers([...whole, path]), [path])
  }
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
