/**
 * Which files below a directory are meant. A pattern without `/` is compared with
 * the name alone, one with it with the whole path below the directory. Pure.
 */
import picomatch from 'picomatch'

export interface Selection {
  /** A file, by its path below the directory, with `/`. */
  hasFile(path: string): boolean
  /** Whether anything in a directory may be meant. */
  entersDirectory(path: string): boolean
}

/** Without `include` everything is; what `exclude` names never is. */
export function selectionOf({
  include = [],
  exclude = [],
}: {
  include?: readonly string[]
  exclude?: readonly string[]
}): Selection {
  const isIncluded = matcherOf(include)
  const isExcluded = matcherOf(exclude)
  return {
    hasFile: (path) =>
      (include.length === 0 || isIncluded(path)) && !isExcluded(path),
    entersDirectory: (path) => !isExcluded(path) && !isExcluded(`${path}/`),
  }
}

function matcherOf(patterns: readonly string[]): (path: string) => boolean {
  const whole = { dot: true }
  const matchers = patterns.map((pattern) => {
    // `dir/` is the directory, and so all that is in it.
    const plain = pattern.replace(/\/+$/, '').replace(/^\.?\//, '')
    return picomatch(plain, { ...whole, basename: !plain.includes('/') })
  })
  return (path) => matchers.some((matches) => matches(path))
}
