/**
 * The structure of `lib/upload` as its imports have it, types included: rooms,
 * what each may use, levels, circles. `npm run house` prints it, a test holds it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const lib = fileURLToPath(new URL('../../lib', import.meta.url))

/** By code units: the same everywhere. */
function byText(a, b) {
  return a < b ? -1 : 1
}

/** Every source below a folder of `lib`, with its lines and its imports. */
export function sourcesOf(folder) {
  return readdirSync(join(lib, folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .toSorted(byText)
    .map((name) => {
      const text = readFileSync(join(lib, name), 'utf8')
      const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
      return {
        name,
        tree,
        lines: text.split('\n').length - 1,
        imports: importsOf(name, tree),
      }
    })
}

function importsOf(name, tree) {
  return tree.statements
    .filter(
      (statement) =>
        (ts.isImportDeclaration(statement) ||
          ts.isExportDeclaration(statement)) &&
        statement.moduleSpecifier !== undefined,
    )
    .map((statement) => statement.moduleSpecifier.text)
    .filter((path) => path.startsWith('.'))
    .map((path) =>
      relative(lib, join(lib, dirname(name), path)).replace(/\.js$/, '.ts'),
    )
}

/** The room of a file of `upload`; the folder itself is what callers call. */
export function roomOf(name) {
  const [layer, room, file] = name.split('/')
  if (layer !== 'upload') return layer.replace(/\.ts$/, '')
  return file === undefined ? 'upload' : room
}

/** Arrows between rooms, as `from → to`, in alphabetical order. */
export function arrowsOf(sources) {
  const arrows = new Set()
  for (const { name, imports } of sources) {
    for (const target of imports) {
      const [from, to] = [roomOf(name), roomOf(target)]
      if (from !== to) arrows.add(`${from} → ${to}`)
    }
  }
  return [...arrows].toSorted(byText)
}

/** Levels of a graph of imports, the lowest first; a circle is left over. */
export function levelsOf(graph) {
  const left = new Map(graph)
  const levels = []
  while (left.size > 0) {
    const level = [...left]
      .filter(([, uses]) => uses.every((use) => !left.has(use)))
      .map(([name]) => name)
    if (level.length === 0) return { levels, circle: [...left.keys()] }
    for (const name of level) left.delete(name)
    levels.push(level.toSorted(byText))
  }
  return { levels, circle: [] }
}

/** The graph of rooms, with the layers of `lib` that they use. */
export function roomsOf(sources) {
  const graph = new Map()
  for (const { name, imports } of sources) {
    const from = roomOf(name)
    const uses = graph.get(from) ?? graph.set(from, new Set()).get(from)
    for (const target of imports) {
      const to = roomOf(target)
      if (to !== from) uses.add(to)
      if (!graph.has(to)) graph.set(to, new Set())
    }
  }
  return new Map([...graph].map(([room, uses]) => [room, [...uses]]))
}

/** The graph of files. */
export function filesOf(sources) {
  return new Map(sources.map(({ name, imports }) => [name, imports]))
}
