/**
 * Every TypeScript example in the README compiles against the sources, and does
 * what it says, with nothing changed in it but where the server is.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import ts from 'typescript'
import { bareNode } from './support/bare-node.js'
import { compiledSources } from './support/compiled.js'
import { devStore, noise } from './support/dev-store.js'
import { asJavaScript } from './support/typescript.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The fenced `ts` blocks of a document, by the line they begin at. */
function examplesOf(document: string): { name: string; text: string }[] {
  const text = readFileSync(join(root, document), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length
    const body = match[1] ?? ''
    return {
      name: join(root, `${document}.line-${line}.ts`),
      // An example is a module even when it imports nothing.
      text: `${body}\nexport {}\n`,
    }
  })
}

function problemsOf(examples: { name: string; text: string }[]): string[] {
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
    paths: {
      pawl: [join(root, 'lib/index.ts')],
      'pawl/dev-server': [join(root, 'lib/dev-server/index.ts')],
    },
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
  const examples = examplesOf('docs/observability.md')
  t.ok(examples.length >= 1)
  t.same(problemsOf(examples), [])
})

await t.test('an example that is wrong would be found', async (t) => {
  const name = join(root, 'wrong.ts')
  const text = "import { noSuchName } from 'pawl'\nconsole.log(noSuchName)\n"
  t.match(problemsOf([{ name, text }]), [/noSuchName/])
})

/** Why an example cannot be run as it stands, and what is put in its place. */
const replacements: [string, (endpoint: string) => string][] = [
  [
    "ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' })",
    (endpoint) =>
      `ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket', endpoint: '${endpoint}' })`,
  ],
  // A port that others may have.
  ['startDevServer({ port: 9000 })', () => 'startDevServer({ port: 0 })'],
]

/** Stands in for `pg_dump`, which prints a file and must be called so. */
const pgDump = `#!/bin/sh
[ "$*" = "--format=custom shop" ] && exec cat db.dump
exit 2
`

await t.test('the examples of the README do what they say', async (t) => {
  const bytes = noise(300_000)
  /** What each leaves behind, by the line of it that says what it is about. */
  const expected: [RegExp, string | undefined, (object: Buffer) => Buffer][] = [
    [/createGzip/, 'backups/db.dump.gz', gunzipSync],
    [/pg_dump/, 'backups/shop.dump', (object) => object],
    [/uploadFile/, 'backups/db.dump', (object) => object],
    [/startDevServer/, undefined, (object) => object],
  ]
  const sources = compiledSources()
  const examples = examplesOf('README.md')
  t.equal(examples.length, expected.length)
  for (const { name, text } of examples) {
    const dev = await devStore(t)
    const bin = join(dev.directory, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'pg_dump'), pgDump)
    await chmod(join(bin, 'pg_dump'), 0o755)
    await writeFile(join(dev.directory, 'db.dump'), bytes)
    let runnable = text
    for (const [from, to] of replacements) {
      runnable = runnable.replaceAll(from, () => to(dev.server.endpoint))
    }
    t.not(runnable, text, 'what is run does not leave this machine')
    // As a package that is installed beside it.
    await mkdir(join(dev.directory, 'node_modules'))
    await symlink(sources, join(dev.directory, 'node_modules/pawl'))
    const path = join(dev.directory, 'example.mjs')
    await writeFile(path, asJavaScript(runnable, name))
    const { stdout } = await promisify(execFile)(...bareNode(path), {
      cwd: dev.directory,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        OSS_ACCESS_KEY_ID: 'dev',
        OSS_ACCESS_KEY_SECRET: 'dev-secret',
      },
    })
    const found = expected.filter(([about]) => about.test(text))
    t.equal(found.length, 1, `${name} is one of those expected`)
    const [[, key, decoded] = []] = found
    if (key === undefined) t.match(stdout, /^http:\/\/127\.0\.0\.1:\d+$/m)
    else t.ok(decoded?.(await dev.object(key)).equals(bytes), key)
  }
})
