/** Folders that are missing, made one after the other from the first that is there. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { systemCode } from './realm.js'

/**
 * Makes a folder and those above it; throws what the system said. Node's own
 * `recursive` never ends in a file system that answers ENOENT to every new name
 * (`/proc`, `/sys`): there it begins anew for ever.
 */
export function makeFolders(path: string, mode = 0o777): void {
  const missing: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    const failure = failureOf(at, mode)
    if (failure === undefined) break
    const isTop = dirname(at) === at
    if (failure.code !== 'ENOENT' || isTop) throw failure.error
    missing.push(at)
  }
  for (const folder of missing.toReversed()) {
    const failure = failureOf(folder, mode)
    if (failure !== undefined) throw failure.error
  }
}

/** Why it is not there; undefined when it is, whoever has made it. */
function failureOf(
  path: string,
  mode: number,
): { code: string; error: unknown } | undefined {
  try {
    mkdirSync(path, { mode })
    return undefined
  } catch (error) {
    // Of one that is there the system may as well say that it cannot be written to.
    return isFolder(path) ? undefined : { code: systemCode(error), error }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
