/**
 * `require`, from where this package is. It forgets what it failed to load, so
 * that the next call may find it; `import()` remembers a moment without file
 * descriptors for as long as the process lives.
 */
import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemCode } from './realm.js'

/** A bundle of CommonJS has no `import.meta.url`, whatever the type says. */
const place: string | undefined = import.meta.url

/** Throws as `require` does, also where no file says where this package is. */
export function ownRequire(name: string): unknown {
  return requireFromHere()(name)
}

/**
 * Where a package that this one depends on is; undefined where there is none, and in a
 * bundle: what lies beside that may be another release than the one that is in it.
 */
export function findOwn(name: string): string | undefined {
  // Also there Node keeps what was read to find it.
  const path = resolved(name)
  return isInstalled ? path : undefined
}

/** A file of the package finds the package around itself, by its name. */
const isInstalled = isAround(resolved('pawl'))

function isAround(main: string | undefined): boolean {
  if (main === undefined || place === undefined) return false
  return fileURLToPath(place).startsWith(dirname(main) + sep)
}

function resolved(name: string): string | undefined {
  try {
    return requireFromHere().resolve(name)
  } catch {
    return undefined
  }
}

function requireFromHere(): NodeJS.Require {
  // Not by an import: bundlers warn of a place that they cannot work out.
  const { createRequire } = process.getBuiltinModule('node:module')
  return createRequire(place ?? __filename)
}

/** `require` first: a package that could not be read for a moment is found later. */
export async function requireOrImport(
  name: string,
  // What may be there when this runs is no bundler's to look for.
  load = async (): Promise<unknown> => import(/* webpackIgnore: true */ name),
  require = ownRequire,
): Promise<unknown> {
  try {
    return require(name)
  } catch (error) {
    if (systemCode(error) !== 'ERR_REQUIRE_ESM') throw error
    return load()
  }
}
