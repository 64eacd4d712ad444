/** Numbers into tables. */
const MiB = 1024 * 1024

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
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

/** A summary of `compare` as cells. */
export function row(name, found, more = {}) {
  return {
    '': name,
    'CPU s/GiB': found.cpu.toFixed(2),
    'wall s': found.wall.toFixed(2),
    'MiB/s': (found.rate / MiB).toFixed(0),
    'peak MiB': (found.peakRss / MiB).toFixed(0),
    'CPU spread': found.cpuSpread,
    ...more,
  }
}

export function table(title, rows) {
  const columns = Object.keys(rows[0] ?? {})
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    `\n${title}\n`,
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((cells) => line(columns.map((c) => String(cells[c] ?? '')))),
  ].join('\n')
}
