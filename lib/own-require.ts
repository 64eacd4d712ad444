/**
 * `require`, from where this package is. It forgets what it failed to load, so
 * that the next call may find it; `import()` remembers a moment without file
 * descriptors for as long as the process lives.
 */
import { systemCode } from './realm.js'

/** Throws as `require` does, also where no file says where this package is. */
export function ownRequire(name: string): unknown {
  return requireFromHere()(name)
}

/** Where a package is; undefined where there is none, as in a bundle. */
export function findOwn(name: string): string | undefined {
  try {
    return requireFromHere().resolve(name)
  } catch {
    return undefined
  }
}

function requireFromHere(): NodeJS.Require {
  // A bundle of CommonJS has no `import.meta.url`, whatever the type says.
  const place: string | undefined = import.meta.url
  // Not by an import: bundlers warn of a place that they cannot work out.
  const { createRequire } = process.getBuiltinModule('node:module')
  return createRequire(place ?? __filename)
}

/** `require` first: a package that could not be read for a moment is found later. */
export async function requireOrImport(name: string): Promise<unknown> {
  try {
    return ownRequire(name)
  } catch (error) {
    if (systemCode(error) !== 'ERR_REQUIRE_ESM') throw error
    // What may be there when this runs is no bundler's to look for.
    return import(/* webpackIgnore: true */ name)
  }
}
