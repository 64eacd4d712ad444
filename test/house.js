/** Prints how `lib/upload` is built: rooms, files, lines, levels, arrows. */
import {
  arrowsOf,
  filesOf,
  levelsOf,
  roomOf,
  roomsOf,
  sourcesOf,
} from './support/house.js'

const sources = sourcesOf('upload')
const rooms = new Map()
for (const { name, lines } of sources) {
  const room = roomOf(name)
  const known = rooms.get(room) ?? { files: 0, lines: 0 }
  rooms.set(room, { files: known.files + 1, lines: known.lines + lines })
}

console.log('room       files  lines')
for (const [room, { files, lines }] of [...rooms].toSorted(([a], [b]) =>
  a < b ? -1 : 1,
)) {
  console.log(
    `${room.padEnd(9)} ${String(files).padStart(6)} ${String(lines).padStart(6)}`,
  )
}
const lines = sources.reduce((sum, source) => sum + source.lines, 0)
const sizes = sources.map((source) => source.lines).toSorted((a, b) => a - b)
console.log(
  `all       ${String(sources.length).padStart(6)} ${String(lines).padStart(6)}, median ${sizes[sizes.length >> 1]} lines\n`,
)

const byRoom = levelsOf(roomsOf(sources))
console.log(`rooms on ${byRoom.levels.length} levels, the lowest first:`)
for (const level of byRoom.levels) console.log(`  ${level.join(', ')}`)
const arrows = arrowsOf(sources)
console.log(`\n${arrows.length} arrows:`)
for (const arrow of arrows) console.log(`  ${arrow}`)

const byFile = levelsOf(filesOf(sources))
console.log(`\nfiles on ${byFile.levels.length} levels`)
const circle = [...byRoom.circle, ...byFile.circle]
console.log(
  circle.length === 0 ? 'no circles' : `a circle: ${circle.join(', ')}`,
)
process.exitCode = circle.length === 0 ? 0 : 1
