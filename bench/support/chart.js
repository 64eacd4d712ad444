/** Throughput and CPU as bars, in SVG. */
const MiB = 1024 * 1024
const [left, width, line, top] = [280, 330, 26, 78]

/** `bars`: `{ name, rate, cpu }`, rate in bytes a second, CPU in s/GiB. */
export function chart(bars, caption) {
  const height = top + bars.length * line + 40
  const right = left + width + 40
  const widest = (key) => Math.max(...bars.map((bar) => bar[key]))
  const panel = (x, key, text) =>
    bars.map((bar, i) => {
      const value = bar[key]
      const length = (value / widest(key)) * (width - 70)
      const y = top + i * line
      return `<rect x="${x}" y="${y}" width="${length.toFixed(1)}" height="18" fill="${colourOf(bar.name)}"/><text x="${(x + length + 6).toFixed(1)}" y="${y + 14}">${text(value)}</text>`
    })
  const names = bars.map(
    ({ name }, i) =>
      `<text x="${left - 10}" y="${top + i * line + 14}" text-anchor="end">${escape(name)}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${right + width}" height="${height}" font-family="sans-serif" font-size="13" fill="#222">
<style>@media (prefers-color-scheme: dark) { svg { fill: #e6edf3 } .page { fill: #0d1117 } .note { fill: #8b949e } }</style>
<rect class="page" width="100%" height="100%" fill="#fff"/>
<text x="20" y="28" font-size="16" font-weight="bold">Uploading 1 GiB over loopback</text>
<text x="${left}" y="62" font-weight="bold">MiB a second (more is better)</text>
<text x="${right}" y="62" font-weight="bold">CPU seconds a GiB (less is better)</text>
${names.join('\n')}
${panel(left, 'rate', (value) => (value / MiB).toFixed(0)).join('\n')}
${panel(right, 'cpu', (value) => value.toFixed(2)).join('\n')}
<text x="20" y="${height - 14}" font-size="11" fill="#666" class="note">${escape(caption)}</text>
</svg>
`
}

function colourOf(name) {
  return name.includes('pawl') ? '#1f77b4' : '#d98c4a'
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
