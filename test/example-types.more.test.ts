/**
 * The TypeScript examples in documents compile against the sources. Those that are
 * files of `docs/examples` are compiled by `npm run lint`.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { examplesOf, type Example } from './support/document-examples.js'
import { entries } from './support/entries.js'

const root = fileURLToPath(new URL('..', import.meta.url))

function problemsOf(examples: readonly Example[]): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: [
      'lib.es2023.d.ts',
      'lib.es2024.string.d.ts',
      'lib.esnext.disposable.d.ts',
    ],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    paths: Object.fromEntries(
      [...entries].map(([name, path]) => [
        name,
        [join(root, 'lib', `${path}.ts`)],
      ]),
    ),
  }
  const host = ts.createCompilerHost(options)
  const texts = new Map(examples.map(({ name, text }) => [name, text]))
  const files = ts.createCompilerHost(options)
  host.fileExists = (name) => texts.has(name) || files.fileExists(name)
  host.readFile = (name) => texts.get(name) ?? files.readFile(name)
  host.getSourceFile = (name, ...rest) => {
    const text = texts.get(name)
    return text === undefined
      ? files.getSourceFile(name, ...rest)
      : ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true)
  }
  const ambient = [
    'lib/types/stream-chopper.d.ts',
    'lib/types/fs-native-extensions.d.ts',
    'lib/types/hash-wasm-crc64.d.ts',
  ]
  const program = ts.createProgram(
    [...texts.keys(), ...ambient.map((name) => join(root, name))],
    options,
    host,
  )
  return ts.getPreEmitDiagnostics(program).map((problem) => {
    const text = ts.flattenDiagnosticMessageText(problem.messageText, '\n')
    return `${problem.file?.fileName ?? ''}: ${text}`
  })
}

await t.test('the examples of the README compile', async (t) => {
  const examples = examplesOf('README.md')
  t.ok(examples.length >= 3, `${examples.length} examples`)
  t.same(problemsOf(examples), [])
})

await t.test('and those of the other documents', async (t) => {
  const pages = readdirSync(join(root, 'docs'), { encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => examplesOf(`docs/${name}`))
  t.ok(pages.filter((examples) => examples.length > 0).length >= 3)
  t.same(problemsOf(pages.flat()), [])
})

await t.test('an example that is wrong would be found', async (t) => {
  const name = join(root, 'wrong.ts')
  const text = "import { noSuchName } from 'pawl'\nconsole.log(noSuchName)\n"
  t.match(problemsOf([{ name, text }]), [/noSuchName/])
})
