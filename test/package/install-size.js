/** How much an installation is, and what the README says of it. */
import { readdir, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'

const MiB = 1024 * 1024

/** Packages and bytes of files in a `node_modules` folder. */
export async function measure(directory) {
  let [packages, bytes] = [0, 0]
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name)
    const found = await stat(path)
    if (!found.isFile()) continue
    bytes += found.size
    if (isManifest(name.split(sep))) packages += 1
  }
  return { packages, size: bytes / MiB }
}

/** `undici/package.json`, `@scope/name/package.json`, and nested ones. */
function isManifest(steps) {
  const inner = steps.slice(steps.lastIndexOf('node_modules') + 1)
  const depth = inner[0]?.startsWith('@') ? 3 : 2
  return inner.length === depth && inner.at(-1) === 'package.json'
}

export function figureText({ direct, packages, size }) {
  return `${direct} direct dependencies, ${packages} packages, ${size.toFixed(1)} MiB`
}

/** What the README says; undefined when it says nothing. */
export function figureIn(readme) {
  const match =
    /(\d+) direct\s+dependencies,\s+(\d+)\s+packages,\s+([\d.]+)\s+MiB/.exec(
      readme,
    )
  if (match === null) return undefined
  const [direct, packages, size] = match.slice(1).map(Number)
  return { direct, packages, size }
}

/** Dependencies move on between two releases; a doubling has to be seen. */
export function isClose(said, found) {
  return (
    Math.abs(said.packages - found.packages) <= 3 &&
    Math.abs(said.size - found.size) <= said.size * 0.15
  )
}
