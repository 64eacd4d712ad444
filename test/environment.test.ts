/** The outside is handed in: what reaches for it by itself is listed here. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { delay, realEnvironment } from '../lib/environment.js'

const lib = fileURLToPath(new URL('../lib', import.meta.url))
const layers = ['upload', 'store', 'checkpoint', 'lease']
const sources = layers.flatMap((layer) =>
  readdirSync(join(lib, layer), { recursive: true })
    .map((name) => `${layer}/${String(name)}`)
    .filter((name) => name.endsWith('.ts')),
)

/** The modules that are the outside, or that a caller reaches it by. */
const real = new Set([
  'checkpoint/file-system.ts',
  'upload/source/source-files.ts',
])

const clocks = new Set(['Date.now', 'performance.now', 'Math.random'])
const timers = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'randomBytes',
  'randomUUID',
])
const modules = /^node:(fs|timers)(\/promises)?$/

/** What of the outside a module names, as written. */
function reachesOf(name: string): string[] {
  const text = readFileSync(join(lib, name), 'utf8')
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const from = (node.moduleSpecifier as ts.StringLiteral).text
      const isType = node.importClause?.isTypeOnly === true
      if (modules.test(from) && !isType) found.push(from)
    }
    if (ts.isPropertyAccessExpression(node) && clocks.has(node.getText())) {
      found.push(node.getText())
    }
    if (ts.isNewExpression(node) && node.getText() === 'new Date()') {
      found.push(node.getText())
    }
    if (ts.isCallExpression(node) && timers.has(node.expression.getText())) {
      found.push(node.expression.getText())
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

await t.test('no module reaches the outside by itself', async (t) => {
  for (const name of sources) {
    if (real.has(name)) continue
    t.same(reachesOf(name), [], name)
  }
  for (const name of real) t.not(reachesOf(name).length, 0, name)
})

/** Things made once that hold nothing of a run. */
const stateless = new Set(['Set', 'Tracer', 'StoreError', 'LatePackage'])

/** What a module keeps between two uploads, as written. */
function stateOf(name: string): string[] {
  const text = readFileSync(join(lib, name), 'utf8')
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
  return file.statements.filter(ts.isVariableStatement).flatMap((statement) => {
    const { declarations, flags } = statement.declarationList
    const isConstant = (flags & ts.NodeFlags.Const) !== 0
    return declarations
      .filter(({ initializer }) => !isConstant || isState(initializer))
      .map(({ name }) => name.getText())
  })
}

function isState(value: ts.Expression | undefined): boolean {
  if (value === undefined) return false
  if (ts.isArrayLiteralExpression(value)) return value.elements.length === 0
  if (ts.isObjectLiteralExpression(value)) {
    return (
      value.properties.length === 0 ||
      value.properties.some(
        (property) =>
          ts.isPropertyAssignment(property) && isState(property.initializer),
      )
    )
  }
  if (!ts.isNewExpression(value)) return false
  // A set without members is there to be filled.
  const isFilled = (value.arguments?.length ?? 0) > 0
  return !stateless.has(value.expression.getText()) || !isFilled
}

const kept: Record<string, string[]> = {
  'upload/options/environment.ts': ['realUploadEnvironment'],
}

await t.test('no module of an upload keeps anything for the next', (t) => {
  const uploads = sources.filter((name) => name.startsWith('upload/'))
  for (const name of uploads) t.same(stateOf(name), kept[name] ?? [], name)
  t.ok(uploads.length > 30)
  // That it sees what is there: a socket in use, and who is asked next.
  t.same(stateOf('store/attempt.ts'), ['used'])
  t.same(stateOf('store/request-socket.ts').includes('claim'), true)
  t.end()
})

await t.test('a delay ends with its time or with the signal', async (t) => {
  const stop = new AbortController()
  await delay(realEnvironment, 1, stop.signal)
  const long = delay(realEnvironment, 1e9, stop.signal)
  stop.abort(new Error('enough'))
  await t.rejects(long, { message: 'enough' })
  await t.rejects(delay(realEnvironment, 1, stop.signal), {
    message: 'enough',
  })
})

await t.test(
  'a time that no timer of Node’s can wait for is long',
  async (t) => {
    const stop = new AbortController()
    for (const ms of [2 ** 31, Number.MAX_SAFE_INTEGER]) {
      const long = delay(realEnvironment, ms, stop.signal)
      // Node would ring a timer that is too long after 1 ms, before this one.
      const short = delay(realEnvironment, 20, new AbortController().signal)
      const first = long.then(
        () => 'rang',
        () => 'stopped',
      )
      t.equal(await Promise.race([first, short]), undefined, `${ms}`)
    }
    stop.abort()
  },
)
