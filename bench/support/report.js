/** Numbers into tables. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Slowest over fastest, as `1.08`. */
export function spread(values) {
  return (Math.max(...values) / Math.min(...values)).toFixed(2)
}

export function gigabytesPerSecond(bytes, seconds) {
  return bytes / seconds / 1e9
}

export function printTable(title, rows) {
  const columns = Object.keys(rows[0] ?? {})
  const line = (cells) => `| ${cells.join(' | ')} |`
  console.log(`\n${title}\n`)
  console.log(line(columns))
  console.log(line(columns.map(() => '---:')))
  for (const row of rows) console.log(line(columns.map((c) => String(row[c]))))
}
