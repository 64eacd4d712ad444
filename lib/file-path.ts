/** Paths of files and directories as callers give them: a text, or a `file:` URL. */
import { fileURLToPath } from 'node:url'
import { invalidOption } from './errors.js'
import { isUrl, messageOf } from './realm.js'

/** A path, or a `file:` URL such as `new URL('./log', import.meta.url)`. */
export type FilePath = string | URL

/** The path in it. Throws `PAWL_INVALID_OPTION`: `refusal` says what is asked for. */
export function filePath(given: unknown, refusal: string): string {
  const path = isUrl(given) ? pathOf(given, refusal) : given
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) {
    return path
  }
  return invalidOption(refusal)
}

function pathOf(url: URL, refusal: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    // Of another scheme, with a host, or with an encoded slash.
    return invalidOption(`${refusal} (${messageOf(error)})`)
  }
}
