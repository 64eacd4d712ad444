/**
 * Declarations for CommonJS sources: `import pawl = require('pawl')` under
 * `module: node16` takes no declarations of ESM. For each entry of the package a
 * `.d.cts` names what the `.d.ts` beside it exports, so that a type is the same one
 * either way.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const entries = Object.values(manifest.exports)
  .map(({ types }) => types?.require)
  .filter((path) => path !== undefined)
  .map((path) => path.slice('./dist/'.length, -'.d.cts'.length))

const program = ts.createProgram(
  entries.map((entry) => join(dist, `${entry}.d.ts`)),
  {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    types: ['node'],
    skipLibCheck: true,
  },
)
const checker = program.getTypeChecker()

for (const entry of entries) {
  const source = program.getSourceFile(join(dist, `${entry}.d.ts`))
  const names = checker
    .getExportsOfModule(checker.getSymbolAtLocation(source))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
  const lines = names.flatMap(declarationsOf)
  const beside = `./${basename(entry)}.js`
  const from = `import type * as esm from '${beside}' with { 'resolution-mode': 'import' }`
  writeFileSync(
    join(dist, `${entry}.d.cts`),
    `${[from, ...lines].join('\n')}\n`,
  )
}

/** A value, a type, or a class, which is both. */
function declarationsOf(exported) {
  const { name } = exported
  const symbol =
    exported.flags & ts.SymbolFlags.Alias
      ? checker.getAliasedSymbol(exported)
      : exported
  const lines = []
  if (symbol.flags & ts.SymbolFlags.Value) {
    lines.push(`export declare const ${name}: typeof esm.${name}`)
  }
  if (symbol.flags & ts.SymbolFlags.Type) {
    const parameters = parametersOf(symbol)
    const names = parameters.map(({ name: { text } }) => text)
    const declared = list(parameters.map((node) => node.getText()))
    lines.push(`export type ${name}${declared} = esm.${name}${list(names)}`)
  }
  if (lines.length === 0) throw new Error(`${name} is neither value nor type`)
  return lines
}

/** Of a generic type. What it refers to has to be in scope: so far nothing does. */
function parametersOf(symbol) {
  const [declaration] = symbol.declarations
  return [...(declaration.typeParameters ?? [])]
}

function list(names) {
  return names.length === 0 ? '' : `<${names.join(', ')}>`
}
