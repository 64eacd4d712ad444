/** Where the command keeps what it must not lose, for the user who runs it. */
import { isAbsolute, join } from 'node:path'
import { homeDirectory } from '../credentials/home-directory.js'
import { makeFolders } from '../make-folders.js'

/** Variables of a process, by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** `$XDG_STATE_HOME/pawl`, as the XDG base directory specification has it. */
export function stateDirectory(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { XDG_STATE_HOME: given = '', LOCALAPPDATA: local = '' } = environment
  if (isAbsolute(given)) return join(given, 'pawl')
  if (platform === 'win32' && local !== '') return join(local, 'pawl', 'state')
  return join(homeDirectory(environment['HOME']), '.local', 'state', 'pawl')
}

/** The same, made where it is missing, for its owner alone. */
export async function makeStateDirectory(
  environment: Environment = process.env,
): Promise<string> {
  const directory = stateDirectory(environment)
  makeFolders(directory, 0o700)
  return directory
}
