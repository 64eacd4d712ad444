/** The files of a directory, for a plan. */
import { relative, sep } from 'node:path'
import { selectionOf } from '../job/selection.js'
import { walk } from '../job/walk.js'
import type { PlannedFile } from './plan-fleet.js'

/** Which files `walkFiles` gives. */
export interface WalkFilesOptions {
  /**
   * Only these files; a pattern with `/` is of the whole path below the
   * directory.
   */
  include?: readonly string[]
  /** Not these files and directories. */
  exclude?: readonly string[]
  /** Links lead to what they name. Default: they are passed over. */
  followLinks?: boolean
  /** Hears of what is passed over, and why. */
  onSkipped?: (path: string, why: string) => void
}

/**
 * The files below a directory, each time in the same order, with their paths below
 * it. What cannot be looked at ends it with `PAWL_SOURCE_IO`: a plan without it
 * would pass for whole.
 *
 * @example
 * for await (const { path, size } of walkFiles('/data')) console.log(path, size)
 */
export async function* walkFiles(
  root: string,
  options: WalkFilesOptions = {},
): AsyncGenerator<PlannedFile, void, undefined> {
  const { include, exclude, followLinks = false, onSkipped } = options
  const found = walk(root, {
    selection: selectionOf({
      ...(include === undefined ? {} : { include }),
      ...(exclude === undefined ? {} : { exclude }),
    }),
    followLinks,
    keyOf: (path) => path,
  })
  for await (const one of found) {
    if ('error' in one) throw one.error
    if ('skipped' in one) {
      onSkipped?.(one.path, one.skipped)
      continue
    }
    const { path, size, identity } = one.file
    const below = relative(root, path).split(sep).join('/')
    yield { path: below, size, mtime: identity.mtime }
  }
}
