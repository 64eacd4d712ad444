/** Time and CPU of one GiB as bars, in SVG: on the loopback and on a far line. */
const [left, width, line, head] = [250, 300, 24, 66]
const top = 48
const right = left + width + 40

const titles = {
  loopback: 'On one machine, over loopback',
  far: 'On a far line: 100 MB/s, 10 MB/s a connection, 50 ms away',
}

/** `lines`: by line, `{ name, wall, cpu }` in seconds. */
export function chart(lines, caption) {
  let y = top
  const blocks = Object.entries(titles).map(([name, title]) => {
    const bars = lines[name]
    const text = block(title, bars, y)
    y += head + bars.length * line
    return text
  })
  const height = y + 36
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${right + width}" height="${height}" font-family="sans-serif" font-size="13" fill="#222">
<style>@media (prefers-color-scheme: dark) { svg { fill: #e6edf3 } .page { fill: #0d1117 } .note { fill: #8b949e } }</style>
<rect class="page" width="100%" height="100%" fill="#fff"/>
<text x="20" y="28" font-size="16" font-weight="bold">Uploading 1 GiB (shorter is better)</text>
${blocks.join('\n')}
<text x="20" y="${height - 14}" font-size="11" fill="#666" class="note">${escape(caption)}</text>
</svg>
`
}

function block(title, bars, y) {
  const first = y + head - 14
  const panel = (x, key) => {
    const widest = Math.max(...bars.map((bar) => bar[key]))
    return bars.map((bar, i) => {
      const length = (bar[key] / widest) * (width - 60)
      const at = first + i * line
      return `<rect x="${x}" y="${at}" width="${length.toFixed(1)}" height="17" fill="${colourOf(bar.name)}"/><text x="${(x + length + 6).toFixed(1)}" y="${at + 13}">${bar[key].toFixed(1)}</text>`
    })
  }
  const names = bars.map(
    ({ name }, i) =>
      `<text x="${left - 10}" y="${first + i * line + 13}" text-anchor="end">${escape(name)}</text>`,
  )
  return [
    `<text x="20" y="${y + 22}" font-size="14" font-weight="bold">${escape(title)}</text>`,
    `<text x="${left}" y="${y + 44}">seconds</text>`,
    `<text x="${right}" y="${y + 44}">CPU seconds</text>`,
    ...names,
    ...panel(left, 'wall'),
    ...panel(right, 'cpu'),
  ].join('\n')
}

function colourOf(name) {
  return name.startsWith('pawl') ? '#1f77b4' : '#d98c4a'
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
