/** What comes with pawl runs nothing when installed, and may be used with it. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
  productionTree,
  readManifest,
  type InstalledPackage,
} from '../support/production-tree.js'
import { costLines, dependencyCosts } from './dependency-cost.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pawl = readManifest(root)

/** Licences that ask no more of users of pawl than to keep a notice. */
const permissive = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
])

/** `prepare` runs for packages from git alone, not for those of a registry. */
const runOnInstall = ['preinstall', 'install', 'postinstall']

function installScriptsOf({ manifest, hasGyp }: InstalledPackage): string[] {
  const names = runOnInstall.filter((name) => manifest.scripts?.[name])
  return hasGyp ? [...names, 'binding.gyp'] : names
}

/** One licence, or a choice of which one is permissive. */
function isPermissive(licence: unknown): boolean {
  if (typeof licence !== 'string') return false
  const choices = licence.replace(/^\((.*)\)$/, '$1').split(' OR ')
  return choices.some((choice) => permissive.has(choice))
}

const tree = productionTree()

await t.test('every dependency is in the tree', async (t) => {
  const paths = new Set(tree.map(({ path }) => path))
  for (const name of Object.keys(pawl.dependencies ?? {})) {
    t.ok(paths.has(join('node_modules', name).replaceAll('\\', '/')), name)
  }
})

await t.test('installing runs no script', async (t) => {
  const own = { path: '.', manifest: pawl, hasGyp: false }
  for (const installed of [own, ...tree]) {
    t.same(installScriptsOf(installed), [], installed.path)
  }
})

await t.test('every licence goes with MIT', async (t) => {
  t.equal(pawl.license, 'MIT')
  for (const { path, manifest } of tree) {
    t.ok(
      isPermissive(manifest.license),
      `${path}: ${JSON.stringify(manifest.license)}`,
    )
  }
})

await t.test(
  'what is unknown, missing or not permissive is found',
  async (t) => {
    const cases: [unknown, boolean][] = [
      ['MIT', true],
      ['(MIT OR GPL-3.0-only)', true],
      ['MIT AND GPL-3.0-only', false],
      ['GPL-3.0-only', false],
      ['SEE LICENSE IN LICENSE', false],
      [undefined, false],
      [{ type: 'MIT' }, false],
    ]
    for (const [licence, expected] of cases) {
      t.equal(isPermissive(licence), expected, JSON.stringify(licence))
    }
    const manifest = { name: 'x', version: '1.0.0', scripts: { install: 'x' } }
    t.same(installScriptsOf({ path: 'x', manifest, hasGyp: true }), [
      'install',
      'binding.gyp',
    ])
  },
)

await t.test('what each dependency costs is told, with its reason', (t) => {
  const costs = dependencyCosts(root)
  t.equal(costs.together.packages, tree.length, 'each of the tree, once')
  t.strictSame(
    new Set(costs.each.map(({ name }) => name)),
    new Set(Object.keys(pawl.dependencies ?? {})),
  )
  for (const { name, packages, bytes, reason } of costs.each) {
    t.ok(packages >= 1 && bytes > 1000, name)
    t.ok(reason, `${name} has its reason in CHANGELOG.md`)
  }
  const sum = costs.each.reduce((total, { bytes }) => total + bytes, 0)
  t.ok(costs.together.bytes <= sum)

  const [heading, ...lines] = costLines(costs, new Set(['undici']))
  t.match(heading, /packages +KiB +advisories$/)
  for (const line of lines) {
    const [name = '', , , advisories = ''] = line.split(/ {2,}/)
    const isNamed = name === 'undici' || name === 'together'
    t.equal(advisories, isNamed ? '1' : '0', line)
  }
  t.match(costLines(costs).at(-1), /together +\d+ +\d+ +not checked$/)
  t.end()
})

await t.test('no dependency wants a newer Node than pawl', async (t) => {
  const least = oldestNode(pawl.engines?.['node'])
  t.same(least, [20, 18, 1])
  for (const { path, manifest } of tree) {
    const range = manifest.engines?.['node']
    if (range === undefined) continue
    t.ok(!isLater(oldestNode(range), least), `${path}: ${range}`)
  }
})

/** Of `>=x.y.z`; any other range has to be looked at by somebody. */
function oldestNode(range = ''): number[] {
  const match = /^>= ?(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range)
  if (match === null) throw new Error(`cannot read the range ${range}`)
  return match.slice(1).map((digits) => Number(digits ?? 0))
}

function isLater(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((number, at) => number !== b[at])
  return index >= 0 && (a[index] ?? 0) > (b[index] ?? 0)
}
