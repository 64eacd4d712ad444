/**
 * Every TypeScript example in the README does what it says, with nothing changed in
 * it but where the server is.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { bareNode } from './support/bare-node.js'
import { compiledSources } from './support/compiled.js'
import { devStore, noise } from './support/dev-store.js'
import { examplesOf } from './support/document-examples.js'
import { asJavaScript } from './support/typescript.js'

/** Why an example cannot be run as it stands, and what is put in its place. */
const replacements: [string, (endpoint: string) => string][] = [
  [
    "ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' })",
    (endpoint) =>
      `ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket', endpoint: '${endpoint}' })`,
  ],
  [
    "s3Store({ region: 'us-east-1', bucket: 'examplebucket' })",
    (endpoint) =>
      `s3Store({ region: 'us-east-1', bucket: 'examplebucket', endpoint: '${endpoint}' })`,
  ],
]

await t.test('the examples of the README do what they say', async (t) => {
  const bytes = noise(300_000)
  /** What each leaves behind, by the line of it that says what it is about. One has
   * a server of its own, which is gone with what it held when it ends. */
  const expected: [RegExp, string | undefined, (object: Buffer) => Buffer][] = [
    [/createGzip/, 'backups/db.dump.gz', gunzipSync],
    [/uploadFile/, 'backups/db.dump', (object) => object],
    [/startDevServer/, undefined, (object) => object],
  ]
  const sources = compiledSources()
  const examples = examplesOf('README.md')
  t.equal(examples.length, expected.length)
  for (const { name, text } of examples) {
    const dev = await devStore(t)
    await writeFile(join(dev.directory, 'db.dump'), bytes)
    let runnable = text
    for (const [from, to] of replacements) {
      runnable = runnable.replaceAll(from, () => to(dev.server.endpoint))
    }
    const isLocal = runnable !== text || text.includes('await startDevServer()')
    t.ok(isLocal, 'what is run does not leave this machine')
    // As a package that is installed beside it.
    await mkdir(join(dev.directory, 'node_modules'))
    await symlink(sources, join(dev.directory, 'node_modules/pawl'))
    const path = join(dev.directory, 'example.mjs')
    await writeFile(path, asJavaScript(runnable, name))
    const { stdout } = await promisify(execFile)(...bareNode(path), {
      cwd: dev.directory,
      env: {
        ...process.env,
        OSS_ACCESS_KEY_ID: 'dev',
        OSS_ACCESS_KEY_SECRET: 'dev-secret',
        AWS_ACCESS_KEY_ID: 'dev',
        AWS_SECRET_ACCESS_KEY: 'dev-secret',
      },
    })
    const found = expected.filter(([about]) => about.test(text))
    t.equal(found.length, 1, `${name} is one of those expected`)
    const [[, key, decoded] = []] = found
    if (key === undefined) {
      t.match(stdout, /^PAWL_SUSPENDED\n[1-3] of 3 parts were stored already\n$/)
    } else t.ok(decoded?.(await dev.object(key)).equals(bytes), key)
  }
})

await t.test('the picture keeps its columns in every viewer', async (t) => {
  const picture = await readFile(
    new URL('../docs/kill-and-resume.svg', import.meta.url),
    'utf8',
  )
  const lines = picture.match(/<text [^>]*>/g) ?? []
  t.ok(lines.length > 10)
  for (const line of lines) t.match(line, /style="white-space: pre"/)
})
