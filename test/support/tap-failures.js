/** What failed, taken out of tap's output: thousands of lines that say what passed. */

/** The longest text of one file, in lines: a loop that fails says the same often. */
const longest = 60

/**
 * The files with a failure, each with the lines about it: of each assertion that
 * failed the subtests it lies in, and what tap says of it.
 *
 * @param {string} output
 * @returns {{ file: string, text: string }[]}
 */
export function failuresIn(output) {
  const failures = []
  let lines = []
  for (const line of output.split('\n')) {
    lines.push(line)
    const end = /^(not )?ok \d+ - (\S+)/.exec(line)
    if (end === null) continue
    // A file that was ended, or ended itself, has no assertion that failed.
    if (end[1] !== undefined) {
      failures.push({ file: end[2], text: assertionsOf(lines) ?? line })
    }
    lines = []
  }
  return failures
}

function assertionsOf(lines) {
  const told = []
  /** Of the subtests that are open, by their depth. */
  const names = []
  let diagnostics
  for (const line of lines) {
    const depth = line.search(/\S/)
    const name = /^# Subtest: (.*)/.exec(line.trim())?.[1]
    const end = /^(not )?ok \d+ - (.*?)(?: # time=.*)?$/.exec(line.trim())
    if (diagnostics !== undefined) {
      if (depth > diagnostics) told.push(line)
      else if (depth !== -1) diagnostics = undefined
      if (diagnostics !== undefined) continue
    }
    if (name !== undefined) names.splice(depth / 4, names.length, name)
    if (end === null) continue
    const isSubtest = names[depth / 4] === end[2]
    if (isSubtest) names.length = depth / 4
    else if (end[1] !== undefined && depth > 0) {
      const within = names.slice(1, depth / 4)
      if (within.length > 0) told.push(within.join(' > '))
      told.push(line)
      diagnostics = depth
    }
  }
  if (told.length === 0) return undefined
  const rest = told.length - longest
  const more = rest > 0 ? [`… and ${rest} lines more`] : []
  return [...told.slice(0, longest), ...more].join('\n')
}
