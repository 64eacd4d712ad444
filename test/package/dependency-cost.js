/**
 * What each direct dependency brings: packages and bytes, by the lock file and what
 * is installed, and the reason for it, by CHANGELOG.md.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** By size, the largest first; then all together, where none counts twice. */
export function dependencyCosts(root) {
  const read = (name) => readFileSync(join(root, name), 'utf8')
  const { packages } = JSON.parse(read('package-lock.json'))
  const reasons = reasonsIn(read('CHANGELOG.md'))
  const sizes = new Map()
  const costOf = (name, paths) => {
    for (const path of paths) {
      if (!sizes.has(path)) sizes.set(path, ownSize(join(root, path)))
    }
    const bytes = [...paths].reduce((sum, path) => sum + sizes.get(path), 0)
    return { name, paths, packages: paths.size, bytes }
  }
  const names = Object.keys(packages[''].dependencies)
  const each = names
    .map((name) => ({
      ...costOf(name, broughtBy(packages, name)),
      reason: reasons.get(name),
    }))
    .toSorted((a, b) => b.bytes - a.bytes)
  const all = new Set(each.flatMap(({ paths }) => [...paths]))
  return { each, together: costOf('together', all) }
}

/** Paths in the lock file: the package, and all that it needs. */
function broughtBy(packages, name) {
  const found = new Set()
  const follow = (from, wanted) => {
    const path = resolve(packages, from, wanted)
    if (path === undefined) throw new Error(`${from} needs ${wanted}`)
    if (found.has(path)) return
    found.add(path)
    const { dependencies = {} } = packages[path]
    for (const next of Object.keys(dependencies)) follow(path, next)
  }
  follow('', name)
  return found
}

/** As Node looks for it: beside the package, then further out. */
function resolve(packages, from, name) {
  const steps = from === '' ? [] : from.split(/\/(?=node_modules\/)/)
  for (let depth = steps.length; depth >= 0; depth -= 1) {
    const path = [...steps.slice(0, depth), `node_modules/${name}`].join('/')
    if (packages[path] !== undefined) return path
  }
  return undefined
}

/** Bytes of its files, without the packages that lie in it. */
function ownSize(directory) {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isFile()) bytes += statSync(path).size
    else if (entry.isDirectory() && entry.name !== 'node_modules') {
      bytes += ownSize(path)
    }
  }
  return bytes
}

/** The rows of its tables of dependencies, by the name in the first column. */
function reasonsIn(changelog) {
  const rows = changelog.matchAll(/^\| ([\w@/.-]+) +\| (.+?) +\|$/gm)
  return new Map([...rows].map(([, name, reason]) => [name, reason]))
}

/** Lines for people; `advisories` by the name of the package, when they are known. */
export function costLines({ each, together }, advisories) {
  const cells = [...each, together].map(({ name, packages, bytes, paths }) => [
    name,
    String(packages),
    (bytes / 1024).toFixed(0),
    advisories === undefined
      ? 'not checked'
      : String(
          [...paths].filter((path) => advisories.has(nameOf(path))).length,
        ),
  ])
  const rows = [['', 'packages', 'KiB', 'advisories'], ...cells]
  const widths = rows[0].map((_, at) =>
    Math.max(...rows.map((r) => r[at].length)),
  )
  return rows.map((row, at) => {
    const [name, ...figures] = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
    )
    return [name, ...figures, each[at - 1]?.reason ?? ''].join('  ').trimEnd()
  })
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
