/** What is installed with pawl, as the lock file and the packages say it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: unknown
  readonly engines?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

export interface InstalledPackage {
  /** Relative to the root, such as `node_modules/undici`. */
  readonly path: string
  readonly manifest: Manifest
  /** npm would run `node-gyp rebuild` for it, without any script. */
  readonly hasGyp: boolean
}

/** Throws when a package of the lock file is not installed. */
export function productionTree(): InstalledPackage[] {
  const lock: { packages: Record<string, { dev?: boolean }> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  )
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => ({
      path,
      manifest: readManifest(join(root, path)),
      hasGyp: existsSync(join(root, path, 'binding.gyp')),
    }))
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
}
