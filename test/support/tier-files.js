/**
 * Which tier runs a file is in its name: `x.test.ts` is in the first, `x.more.test.ts`
 * and `x.long.test.ts` are in theirs, `x.sized.test.ts` is in all of them and does
 * as much as the tier allows (`sized` in `tier.ts`).
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

export const tiers = ['fast', 'more', 'long']

/** The tiers that run a file; none for what is no test. Throws for an unknown word. */
export function tiersOf(name) {
  const match = /([^/\\]+)\.test\.ts$/.exec(name)
  if (match === null) return []
  const [, ...words] = (match[1] ?? '').split('.')
  if (words.length === 0) return ['fast']
  const [word] = words
  if (words.length === 1 && word === 'sized') return tiers
  if (words.length === 1 && (word === 'more' || word === 'long')) return [word]
  throw new Error(
    `${name}: expected .test.ts, .sized.test.ts, .more.test.ts or .long.test.ts`,
  )
}

/**
 * Paths, relative to `root`, of the tests of a tier in these folders, and of files
 * that are named themselves whatever their tier is.
 */
export function testsOf(tier, root, places) {
  const found = new Set()
  for (const place of places) {
    const path = join(root, place)
    if (!existsSync(path)) throw new Error(`there is no ${place}`)
    const files = statSync(path).isDirectory() ? testsIn(path) : [path]
    const wanted = files.filter(
      (file) => file === path || tiersOf(file).includes(tier),
    )
    if (wanted.length === 0) throw new Error(emptyText(tier, place, files))
    for (const file of wanted) {
      found.add(relative(root, file).split(sep).join('/'))
    }
  }
  return [...found].toSorted((a, b) => (a < b ? -1 : 1))
}

function testsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => path.endsWith('.test.ts'))
}

function emptyText(tier, place, files) {
  const others = new Set(files.flatMap((file) => tiersOf(file)))
  return others.size === 0
    ? `there are no tests in ${place}`
    : `${place} has no tests of the tier ${tier}, but of ${[...others].join(', ')}`
}
