/**
 * The declarations as users compile them: strictly, libraries included, and
 * without the types that are written here for packages that have none.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { entries } from '../support/entries.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Under the root, so that packages are found; nothing is written. */
const place = join(root, 'declarations-in-memory')
const slashed = (path: string) => path.replaceAll('\\', '/')

/** The declaration files of the sources, as a build would write them. */
function emitDeclarations(): Map<string, string> {
  const config = join(root, 'tsconfig.build.json')
  const parsed = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
    { emitDeclarationOnly: true, outDir: place },
    config,
  )
  const files = new Map<string, string>()
  const program = ts.createProgram(parsed.fileNames, parsed.options)
  program.emit(undefined, (path, text) => files.set(slashed(path), text))
  return files
}

function problemsOf(files: ReadonlyMap<string, string>): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  const directories = new Set<string>()
  for (const path of files.keys()) {
    const steps = path.split('/')
    while (steps.pop() !== undefined) directories.add(steps.join('/'))
  }
  host.fileExists = (path) => files.has(path) || disk.fileExists(path)
  host.directoryExists = (path) =>
    directories.has(path) || ts.sys.directoryExists(path)
  host.readFile = (path) => files.get(path) ?? disk.readFile(path)
  host.getSourceFile = (path, ...rest) => {
    const text = files.get(path)
    return text === undefined
      ? disk.getSourceFile(path, ...rest)
      : ts.createSourceFile(path, text, rest[0], true)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  // Ours alone: what a library does wrong by itself is no business of this test.
  return [...files.keys()]
    .flatMap((path) => {
      const file = program.getSourceFile(path)
      if (file === undefined) throw new Error(`${path} was not compiled`)
      return [
        ...program.getSyntacticDiagnostics(file),
        ...program.getSemanticDiagnostics(file),
      ]
    })
    .map(({ file, messageText }) => {
      const text = ts.flattenDiagnosticMessageText(messageText, '\n')
      return `${file?.fileName ?? ''}: ${text}`
    })
}

/** Those that users get by importing what the package exports. */
function reachable(all: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>()
  const queue = [...entries.values()].map((name) => `${name}.d.ts`)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const path = slashed(join(place, name))
    const text = all.get(path)
    if (text === undefined) throw new Error(`${name} was not emitted`)
    if (found.has(path)) continue
    found.set(path, text)
    for (const [, other = ''] of text.matchAll(/from '(\.[^']+)\.js'/g)) {
      queue.push(slashed(join(name, '..', `${other}.d.ts`)))
    }
  }
  return found
}

await t.test('the declarations compile without skipLibCheck', async (t) => {
  const files = reachable(emitDeclarations())
  t.ok(files.size > 10, `${files.size} files`)
  // What would be found, besides what there is: nothing.
  const wrong = slashed(join(place, 'wrong.d.ts'))
  files.set(wrong, "export type { tryLock } from 'fs-native-extensions'\n")
  const problems = problemsOf(files)
  t.match(problems, [/wrong\.d\.ts.*fs-native-extensions/])
  t.equal(problems.length, 1, problems.join('\n'))
})
