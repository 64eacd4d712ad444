/** Where the files of a user are. */
import { homedir } from 'node:os'
import { parse } from 'node:path'

/**
 * `HOME`, or what the system says. Containers run as users whom it does not know,
 * and asking it then throws: those have the root directory, as containers that
 * set `HOME` for them have it.
 */
export function homeDirectory(
  home: string | undefined,
  ask: () => string = homedir,
): string {
  if (home) return home
  try {
    return ask() || root()
  } catch {
    return root()
  }
}

function root(): string {
  return parse(process.cwd()).root
}
