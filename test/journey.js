/**
 * Prints which files of `lib` a journey of an upload passes, in the order in which
 * the control comes to them: `npm run journey`, with `-- --path` each stay.
 *
 * The sources are run as they are, but that each function says when it is entered,
 * and each call, `new` and `await` when the control is back from it. A *stay* is an
 * unbroken time in one file, a *return* a stay in a file that was left before. Three
 * journeys are made, of a stream of three parts on a store in memory, on a clock
 * that is turned by hand:
 *
 * - a part: from the write of its bytes, the upload being begun, to its record, in
 *   `lib/upload`;
 * - the object: from the end of the source, all parts being stored, to the result,
 *   in `lib/upload`;
 * - a failure: from a PUT that is refused to the stream's error, in all of `lib`.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const directory = join(root, 'node_modules/.cache/pawl-journey')

/** Files in the order in which the control is in them, while it is followed. */
let stays
/** Functions, as `file name`, between whose entries that is. */
let bounds = {}
globalThis.pawlAt = (file, value) => {
  if (stays !== undefined && stays.at(-1) !== file) stays.push(file)
  return value
}
globalThis.pawlEnters = (file, name) => {
  const entered = `${file} ${name}`
  if (entered === bounds.from) stays = []
  if (entered === bounds.to) {
    bounds = { path: stays }
    stays = undefined
  }
  globalThis.pawlAt(file)
}

const sources = readdirSync(join(root, 'lib'), { recursive: true })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .map((name) => join('lib', name))
for (const name of [
  ...sources,
  'test/support/hand-upload.ts',
  'test/support/hand-clock.ts',
]) {
  const target = join(directory, name.replace(/\.ts$/, '.js'))
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, followed(name))
}
writeFileSync(join(directory, 'package.json'), '{"type":"module"}')

const of = (name) => import(pathToFileURL(join(directory, name)).href)
const { memoryCheckpoint, StoreError } = await of('lib/index.js')
const { ResumableUploadStream } = await of('lib/upload/stream.js')
const { handClock } = await of('test/support/hand-clock.js')
const { environmentOn, storeInMemory, turning } = await of(
  'test/support/hand-upload.js',
)

print('a part', await partJourney(), 'lib/upload/')
print('the object', await objectJourney(), 'lib/upload/')
print('a failure', await failureJourney(), 'lib/')

async function partJourney() {
  const { clock, upload } = begin(storeInMemory())
  const stored = () => new Promise((resolve) => upload.once('part', resolve))
  upload.write(Buffer.alloc(10, 1))
  await turning(clock, stored())
  bounds = {
    from: 'lib/upload/stream.ts _write',
    to: 'lib/upload/run/stages.ts #record',
  }
  const { path } = await wholeOf(clock, stored(), () =>
    upload.write(Buffer.alloc(10, 1)),
  )
  upload.on('error', () => undefined).destroy()
  await turning(
    clock,
    upload.result.catch(() => undefined),
  )
  return path
}

/** The bounds, once what was begun has come to its end. */
async function wholeOf(clock, end, begun) {
  begun()
  await turning(clock, end)
  if (bounds.path === undefined) throw new Error('the end is elsewhere now')
  return bounds
}

async function objectJourney() {
  const { clock, upload } = begin(storeInMemory())
  let parts = 0
  const stored = new Promise((resolve) => {
    upload.on('part', () => void (++parts === 3 && resolve()))
  })
  upload.write(Buffer.alloc(30, 1))
  await turning(clock, stored)
  bounds = {
    from: 'lib/upload/run/open-run.ts finish',
    to: 'lib/upload/run/run.ts #done',
  }
  const { path } = await wholeOf(clock, upload.result, () => upload.end())
  return path
}

async function failureJourney() {
  const memory = storeInMemory()
  const { clock, upload } = begin(memory)
  memory.before = ({ call }) => {
    if (call !== 'uploadPart') return
    stays = []
    throw new StoreError('403 AccessDenied', { kind: 'denied', status: 403 })
  }
  const failed = new Promise((resolve) => upload.once('error', resolve))
  upload.result.catch(() => undefined)
  upload.write(Buffer.alloc(30, 1))
  await turning(clock, failed)
  return stays
}

function begin({ store }) {
  const clock = handClock()
  const upload = new ResumableUploadStream(
    {
      store,
      key: 'k',
      partSize: 10,
      concurrency: 1,
      checkpoint: memoryCheckpoint(),
    },
    environmentOn(clock),
  )
  return { clock, upload }
}

function print(what, all, under) {
  const path = all
    .filter((file) => file.startsWith(under))
    .filter((file, index, files) => file !== files[index - 1])
  stays = undefined
  const files = new Set(path)
  console.log(
    `${what}: ${path.length} stays in ${files.size} files of ${under}, ${path.length - files.size} returns`,
  )
  const names = process.argv.includes('--path') ? path : [...files]
  for (const name of names) console.log(`  ${name.slice(under.length, -3)}`)
}

/** A source as JavaScript that says where the control is. */
function followed(name) {
  const text = readFileSync(join(root, name), 'utf8')
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
    },
    fileName: name,
    transformers: { before: [following(name)] },
  })
  return outputText
}

function following(name) {
  if (!name.startsWith('lib')) return () => (file) => file
  return (context) => (file) => {
    const { factory } = context
    const call = (what, ...more) =>
      factory.createCallExpression(factory.createIdentifier(what), undefined, [
        factory.createStringLiteral(name),
        ...more,
      ])
    const at = (value) => call('pawlAt', value)
    const enters = (node) => {
      const named = ts.isConstructorDeclaration(node) ? undefined : node.name
      const text = named === undefined ? '' : named.getText(file)
      return call('pawlEnters', factory.createStringLiteral(text))
    }
    const visit = (node) => {
      const seen = ts.visitEachChild(node, visit, context)
      if (ts.isFunctionLike(node) && node.body !== undefined) {
        return entered(seen, enters(node), context)
      }
      return comesBack(node) ? at(seen) : seen
    }
    return ts.visitNode(file, visit)
  }
}

/** Whether the control may have been elsewhere when the expression has its value. */
function comesBack(node) {
  if (ts.isAwaitExpression(node) || ts.isNewExpression(node)) return true
  if (!ts.isCallExpression(node)) return false
  const { expression, parent } = node
  const isOwn =
    expression.kind === ts.SyntaxKind.SuperKeyword ||
    expression.kind === ts.SyntaxKind.ImportKeyword
  // Of `a?.b().c()` only the whole: what is within is left out with it.
  const isWithin = ts.isOptionalChain(node) && ts.isOptionalChain(parent)
  return !isOwn && !(isWithin && parent.expression === node)
}

function entered(node, mark, context) {
  const { factory } = context
  const { body } = node
  const marked = ts.isBlock(body)
    ? factory.updateBlock(body, [
        factory.createExpressionStatement(mark),
        ...body.statements,
      ])
    : factory.createParenthesizedExpression(factory.createComma(mark, body))
  // Whatever sort of function it is, its body is replaced.
  return ts.visitEachChild(
    node,
    (child) => (child === body ? marked : child),
    context,
  )
}
