/**
 * What `package.json` promises of the modules: `import` and `require` both load
 * them, loading has no effect, and the declarations need nothing that is not
 * shipped.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
interface Entry {
  types: Record<string, string>
  default: string
}

const manifest: {
  main: string
  types: string
  exports: Record<string, string | Entry>
  typesVersions: Record<string, Record<string, string[]>>
  bin: Record<string, string>
  sideEffects: boolean
  type: string
} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Run, never imported: as the command, and as a worker. */
const programs = new Set(['cli/main.ts', 'hash/digest-worker.ts'])

const sources = readdirSync(join(root, 'lib'), { recursive: true })
  .map((name) => String(name).replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))

function parse(name: string): ts.SourceFile {
  const text = readFileSync(join(root, 'lib', name), 'utf8')
  return ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true)
}

/** An `await` outside of every function: `require` refuses such a module. */
function topLevelAwaits(node: ts.Node): string[] {
  if (ts.isFunctionLike(node)) return []
  const isAwait =
    ts.isAwaitExpression(node) ||
    (ts.isForOfStatement(node) && node.awaitModifier !== undefined)
  const inside: string[] = []
  ts.forEachChild(node, (child) => {
    inside.push(...topLevelAwaits(child))
  })
  return isAwait ? [node.getText(), ...inside] : inside
}

/** Statements of a module that do more than declare. */
function effects(file: ts.SourceFile): string[] {
  return file.statements
    .filter(
      (statement) =>
        !ts.isImportDeclaration(statement) &&
        !ts.isExportDeclaration(statement) &&
        !ts.isVariableStatement(statement) &&
        !ts.isFunctionDeclaration(statement) &&
        !ts.isClassDeclaration(statement) &&
        !ts.isInterfaceDeclaration(statement) &&
        !ts.isTypeAliasDeclaration(statement),
    )
    .map((statement) => statement.getText(file))
}

await t.test('no module that can be imported awaits at its top', async (t) => {
  t.ok(sources.length > 50, 'the sources were found')
  for (const name of sources.filter((source) => !programs.has(source))) {
    t.same(topLevelAwaits(parse(name)), [], name)
  }
})

await t.test('loading a module has no effect', async (t) => {
  t.equal(manifest.sideEffects, false)
  for (const name of sources.filter((source) => !programs.has(source))) {
    t.same(effects(parse(name)), [], name)
  }
})

await t.test('what these look for is found where it is', async (t) => {
  const main = parse('cli/main.ts')
  t.equal(topLevelAwaits(main).length, 1)
  t.ok(effects(main).length > 0)
})

await t.test('every export and command is made from a source', async (t) => {
  const sourceOf = (path: string) =>
    path
      .replace(/^(?:\.\/)?dist\//, 'lib/')
      .replace(/(?:\.d\.c?ts|\.js)$/, '.ts')
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') {
      t.ok(existsSync(join(root, target)), name)
      continue
    }
    t.same(Object.keys(target), ['types', 'default'], `${name}: types first`)
    // CommonJS has declarations of its own: see `build/commonjs-types.js`.
    t.same(Object.keys(target.types), ['require', 'default'], name)
    for (const path of [...Object.values(target.types), target.default]) {
      t.ok(existsSync(join(root, sourceOf(path))), `${name}: ${path}`)
    }
  }
  // For resolvers that read no `exports`.
  const { '.': main, ...others } = manifest.exports
  const entry = (of: string | Entry | undefined) =>
    typeof of === 'object' ? of : t.fail('an entry')
  t.match(entry(main), {
    types: { default: manifest.types },
    default: manifest.main,
  })
  const older = Object.entries(others).flatMap(([name, of]) =>
    typeof of === 'string' ? [] : [[name.slice(2), [of.types['default']]]],
  )
  t.strictSame(manifest.typesVersions, { '*': Object.fromEntries(older) })
  for (const [name, path] of Object.entries(manifest.bin)) {
    const text = readFileSync(join(root, sourceOf(path)), 'utf8')
    t.match(text, /^#!\/usr\/bin\/env node\n/, name)
  }
})

/** Values, and not types, of that name inside of a node. */
function usesOf(node: ts.Node, name: string): string[] {
  if (ts.isTypeNode(node)) return []
  const inside: string[] = []
  ts.forEachChild(node, (child) => {
    inside.push(...usesOf(child, name))
  })
  const isUse = ts.isIdentifier(node) && node.text === name
  return isUse ? [node.parent.getText(), ...inside] : inside
}

await t.test('an error keeps the name of its class when bundled', async (t) => {
  let count = 0
  for (const name of sources) {
    for (const statement of parse(name).statements) {
      if (!ts.isClassDeclaration(statement)) continue
      const own = statement.name?.text
      if (own === undefined || !own.endsWith('Error')) continue
      count += 1
      for (const member of statement.members) {
        t.same(usesOf(member, own), [], `${name}: ${own} names itself`)
      }
    }
  }
  t.ok(count >= 3, `${count} errors were found`)
})

await t.test('no module brings a package with it that may be missing', (t) => {
  const engines = new Set([
    'bullmq',
    'csv-parse',
    'ioredis',
    'iovalkey',
    'pg',
    'redis',
  ])
  // What `pawl/bullmq` is for. No other module names it, but for the command,
  // which looks for it when it is asked to.
  const isOwn = (name: string, engine: string): boolean =>
    engine === 'bullmq' && name.startsWith('fleet/')
  for (const name of sources) {
    for (const statement of parse(name).statements) {
      const isFrom =
        ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)
      const from = isFrom ? statement.moduleSpecifier : undefined
      if (from === undefined || !ts.isStringLiteral(from)) continue
      if (statement.getText().startsWith('import type')) continue
      const isBrought = engines.has(from.text) && !isOwn(name, from.text)
      t.notOk(isBrought, `${name} imports ${from.text}`)
      const isFleet = from.text.includes('../fleet/')
      t.notOk(isFleet, `${name} imports ${from.text}`)
    }
  }
  t.end()
})

await t.test('what takes long to load is loaded when it is needed', (t) => {
  const late = new Set(['fast-xml-parser', 'stream-chopper'])
  const found = new Set<string>()
  for (const name of sources.filter((one) => !one.startsWith('dev-server/'))) {
    const file = parse(name)
    for (const statement of file.statements) {
      if (!ts.isImportDeclaration(statement)) continue
      const { moduleSpecifier: from, importClause } = statement
      if (!ts.isStringLiteral(from) || !late.has(from.text)) continue
      const isType = importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      t.ok(isType, `${name} loads ${from.text}`)
      const isLate = file.text.includes(`import(/* webpackMode: "eager" */ '`)
      t.ok(isLate, `${name} has ${from.text} bundled into one file`)
      found.add(from.text)
    }
  }
  t.same(found, late)
  t.end()
})
