/**
 * The line of the bar, for a terminal of any width: a line that is too long
 * would wrap, and leave a copy of itself at each redraw. Pure.
 */
import type { ProgressFigures } from './progress-text.js'

export interface BarFigures extends ProgressFigures {
  name: string
}

/** Characters that the figures may take. */
const figuresWidth = 66
const widestBar = 24
const narrowestBar = 6
/** Columns of a name that is still of use. */
const leastName = 8

/** What the figures are told in, and what goes first when there is no room. */
const order = ['done', 'rate', 'left', 'reused'] as const
const importance = ['left', 'done', 'rate', 'reused'] as const

/** At most `columns - 1` wide. */
export function barLine(figures: BarFigures, columns: number): string {
  const room = columns - 1
  const { name, percent } = figures
  if (percent === undefined)
    return withFigures(nameFor(name, room), figures, room)
  const share = `${percent}%`
  const barSize = Math.min(
    widestBar,
    Math.max(narrowestBar, columns - figuresWidth - widthOf(name)),
  )
  const done = Math.round((percent / 100) * barSize)
  const bar = `[${'='.repeat(done).padEnd(barSize)}] ${share}`
  for (const end of [bar, share]) {
    const shown = nameFor(name, room - end.length - 1)
    if (shown !== '') return withFigures(`${shown} ${end}`, figures, room)
  }
  return share.slice(0, Math.max(0, room))
}

/** As many of them as there is room for. */
function withFigures(start: string, figures: BarFigures, room: number): string {
  let left = room - widthOf(start)
  const shown = new Set<string>()
  for (const name of importance) {
    const needed = figures[name].length + 2
    if (figures[name] === '' || needed > left) continue
    left -= needed
    shown.add(name)
  }
  const told = order.filter((name) => shown.has(name))
  return [start, ...told.map((name) => figures[name])].join('  ')
}

/** Its end, when it is too long; empty when too little of it would be left. */
function nameFor(name: string, room: number): string {
  if (widthOf(name) <= room) return name
  if (room < leastName) return ''
  let shown = ''
  let left = room - 1
  for (const character of Array.from(name).toReversed()) {
    left -= widthOf(character)
    if (left < 0) break
    shown = character + shown
  }
  return `…${shown}`
}

/** Columns at most: what may be two columns wide is counted as two. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) {
    width += character === '…' || character < '\u1100' ? 1 : 2
  }
  return width
}
