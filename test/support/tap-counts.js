/** How many assertions the last line of tap's output says there were. */

/** Undefined when there is no such line: the run did not come to its end. */
export function countsIn(output) {
  const lines = [...output.matchAll(/^# (\{ total: .*\})$/gm)]
  const text = lines.at(-1)?.[1]
  if (text === undefined) return undefined
  const count = (name) =>
    Number(new RegExp(`\\b${name}: (\\d+)`).exec(text)?.[1] ?? 0)
  return {
    passed: count('pass'),
    failed: count('fail'),
    skipped: count('skip') + count('todo'),
  }
}
