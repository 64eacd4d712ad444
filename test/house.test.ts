/** How `lib/upload` is built, held: `npm run house` prints it. */
import t from 'tap'
import ts from 'typescript'
import {
  arrowsOf,
  filesOf,
  levelsOf,
  roomOf,
  sourcesOf,
  type Source,
} from './support/house.js'

const sources = sourcesOf('upload')
const rooms = ['upload', 'run', 'calls', 'rules', 'options', 'source']

await t.test('rooms use those below them, and no others', async (t) => {
  for (const arrow of arrowsOf(sources)) {
    const [from = '', to = ''] = arrow.split(' → ')
    if (!rooms.includes(to)) continue
    t.ok(rooms.indexOf(from) < rooms.indexOf(to), arrow)
  }
  const found = new Set(sources.map(({ name }) => roomOf(name)))
  t.same([...found].toSorted(), [...rooms].toSorted())
})

await t.test('there are no circles, types included', async (t) => {
  const all = ['upload', 'store', 'checkpoint', 'hash'].flatMap(sourcesOf)
  t.same(levelsOf(filesOf(all)).circle, [])
})

await t.test('rules are pure', async (t) => {
  const outside =
    /^(node:(fs|timers|net|child_process|worker_threads)|undici)(\/|$)/
  for (const { name, tree } of sources) {
    if (roomOf(name) !== 'rules') continue
    const found: string[] = []
    visit(tree, (node) => {
      const isAsync =
        node.kind === ts.SyntaxKind.AsyncKeyword ||
        node.kind === ts.SyntaxKind.AwaitKeyword ||
        ts.isAwaitExpression(node)
      const isPromise = ts.isIdentifier(node) && node.text === 'Promise'
      const isOutside =
        ts.isImportDeclaration(node) &&
        ts.isStringLiteral(node.moduleSpecifier) &&
        outside.test(node.moduleSpecifier.text)
      if (isAsync || isPromise || isOutside) found.push(node.getText())
    })
    t.same(found, [], name)
  }
})

await t.test('files have one subject', async (t) => {
  const importers = new Map<string, number>()
  for (const { imports } of sources) {
    for (const target of new Set(imports)) {
      importers.set(target, (importers.get(target) ?? 0) + 1)
    }
  }
  for (const { name, lines, imports } of sources) {
    t.ok(lines <= 500, `${name} has ${lines} lines`)
    const own = new Set(imports.filter((path) => path.startsWith('upload/')))
    // A stream brings the rooms together.
    const most = name === 'upload/stream.ts' ? 13 : 12
    t.ok(own.size <= most, `${name} uses ${own.size} files of its layer`)
    const isScrap = lines < 30 && importers.get(name) === 1
    t.notOk(isScrap, `${name} belongs to the one file that uses it`)
  }
})

await t.test('decisions are made on the kind of a failure', async (t) => {
  const compared = new Set([
    ts.SyntaxKind.EqualsEqualsEqualsToken,
    ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ])
  for (const { name, tree } of sources) {
    if (roomOf(name) === 'calls') continue
    visit(tree, (node) => {
      if (!ts.isBinaryExpression(node)) return
      if (!compared.has(node.operatorToken.kind)) return
      for (const side of [node.left, node.right]) {
        const isField =
          ts.isPropertyAccessExpression(side) &&
          /^(code|status|serverCode)$/.test(side.name.text)
        t.notOk(isField, `${name}: ${node.getText()}`)
      }
    })
  }
})

await t.test('no type is declared twice', async (t) => {
  const declared = new Map<string, string>()
  for (const source of ['upload', 'store', 'checkpoint'].flatMap(sourcesOf)) {
    for (const type of exportedTypes(source)) {
      const other = declared.get(type)
      t.equal(other, undefined, `${type} in ${source.name}`)
      declared.set(type, source.name)
    }
  }
})

function exportedTypes({ tree }: Source): string[] {
  return tree.statements
    .filter(
      (node) =>
        (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) &&
        node.modifiers?.some(
          ({ kind }) => kind === ts.SyntaxKind.ExportKeyword,
        ) === true,
    )
    .map((node) =>
      ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)
        ? node.name.text
        : '',
    )
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node)
  ts.forEachChild(node, (child) => visit(child, see))
}
