/** Examples of the documents: checked against the sources, and loaded. */
import { readFileSync } from 'node:fs'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'
import { temporaryDirectory } from './dev-store.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the compiler says of a file in `docs/examples`. */
export function problemsOfExample(name: string): string[] {
  const program = ts.createProgram(
    [
      join(root, 'docs/examples', name),
      ...['stream-chopper', 'fs-native-extensions', 'hash-wasm-crc64'].map(
        (types) => join(root, `lib/types/${types}.d.ts`),
      ),
    ],
    {
      ...baseOptions(),
      noEmit: true,
      paths: {
        pawl: [join(root, 'lib/index.ts')],
        'pawl/dev-server': [join(root, 'lib/dev-server/index.ts')],
      },
    },
  )
  return ts.getPreEmitDiagnostics(program).map((problem) => {
    const text = ts.flattenDiagnosticMessageText(problem.messageText, '\n')
    return `${problem.file?.fileName ?? ''}: ${text}`
  })
}

/** A file of `docs/examples` that takes nothing but types from `pawl`. */
export async function loadExample(t: Test, name: string): Promise<unknown> {
  const directory = await temporaryDirectory(t)
  const source = await readFile(join(root, 'docs/examples', name), 'utf8')
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
    },
    fileName: name,
  })
  const path = join(directory, 'example.mjs')
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  await writeFile(path, outputText)
  return import(pathToFileURL(path).href)
}

/** Those of the project itself. */
function baseOptions(): ts.CompilerOptions {
  const path = join(root, 'tsconfig.json')
  const { config } = ts.readConfigFile(path, (name) =>
    readFileSync(name, 'utf8'),
  ) as { config: object }
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options
}
