/**
 * Every example of the README does what it says, with nothing changed in it but
 * where the server is.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { bareNode } from './support/bare-node.js'
import { compiledSources } from './support/compiled.js'
import { devStore, noise, type DevStore } from './support/dev-store.js'
import { pathWithDump } from './support/path-with-dump.js'
import { tsBlocksOf } from './support/ts-blocks.js'
import { asJavaScript } from './support/typescript.js'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
const bytes = noise(300_000)
const keys = {
  OSS_ACCESS_KEY_ID: 'dev',
  OSS_ACCESS_KEY_SECRET: 'dev-secret',
  AWS_ACCESS_KEY_ID: 'dev',
  AWS_SECRET_ACCESS_KEY: 'dev-secret',
}

/** What stands in an example, and what is put in its place. */
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
  [
    "accessKeyId: 'me', secretAccessKey: 'secret'",
    () => "accessKeyId: 'dev', secretAccessKey: 'dev-secret'",
  ],
  ["'https://minio.example.com'", (endpoint) => `'${endpoint}'`],
]

/** A program in a directory in which pawl is installed, and a file to be sent. */
async function run(t: Test, text: string) {
  const dev = await devStore(t)
  const { directory, server } = dev
  for (const name of ['db.dump', 'monday.log', 'tuesday.log']) {
    await writeFile(join(directory, name), bytes)
  }
  let runnable = text
  for (const [from, to] of replacements) {
    runnable = runnable.replaceAll(from, () => to(server.endpoint))
  }
  const isLocal = runnable !== text || text.includes('await startDevServer()')
  t.ok(isLocal, 'what is run does not leave this machine')
  await mkdir(join(directory, 'node_modules'))
  await symlink(compiledSources(), join(directory, 'node_modules/pawl'))
  const path = join(directory, 'example.mjs')
  await writeFile(path, asJavaScript(runnable, join(directory, 'example.ts')))
  const { stdout, stderr } = await promisify(execFile)(...bareNode(path), {
    cwd: directory,
    env: { ...process.env, ...keys, PATH: await pathWithDump(directory) },
  })
  t.equal(stderr, '')
  return { dev, stdout }
}

const blocks = tsBlocksOf(readme)

await t.test('the examples of the README do what they say', async (t) => {
  /** What each leaves behind, by the line of it that says what it is about. One has
   * a server of its own, which is gone with what it held when it ends. */
  const expected: [RegExp, string | undefined, (object: Buffer) => Buffer][] = [
    [/createGzip/, 'backups/db.dump.gz', gunzipSync],
    [/await uploadFile/, 'backups/db.dump', (object) => object],
    [/startDevServer/, undefined, (object) => object],
  ]
  // What the short ones go on from does nothing by itself.
  const whole = blocks.filter(({ isWhole, isLead }) => isWhole && !isLead)
  t.equal(whole.length, expected.length)
  for (const { line, text } of whole) {
    const { dev, stdout } = await run(t, text)
    const found = expected.filter(([about]) => about.test(text))
    t.equal(found.length, 1, `that of line ${line} is one of those expected`)
    const [[, key, decoded] = []] = found
    if (key === undefined) {
      t.match(
        stdout,
        /^PAWL_SUSPENDED\n[1-3] of 3 parts were stored already\n$/,
      )
    } else t.ok(decoded?.(await dev.object(key)).equals(bytes), key)
  }
})

interface Short {
  /** Run before it, so that there is something to tell of. */
  before?: string
  puts?: [string, number][]
  prints?: RegExp
}

/** An upload that ends before its object is made. */
const unfinished = `await pawl.uploadFile('db.dump', {
  ...options,
  multipartThreshold: 0,
  beforeComplete: () => Promise.reject(new Error('not yet')),
}).catch(({ code }) => console.log(code))`

/** What each short one sends or prints, by its first line. */
const short: [RegExp, Short][] = [
  [
    /progress/,
    { puts: [['backups/db.dump', bytes.length]], prints: /^300000$/m },
  ],
  [/ends as if it were whole/, { puts: [['backups/db.dump', 11]] }],
  [/can seek/, { puts: [['backups/db.dump', bytes.length]] }],
  [/Stop/, { puts: [['backups/db.dump', bytes.length]] }],
  [
    /log of an unfinished/,
    {
      before: unfinished,
      prints: /PAWL_BEFORE_COMPLETE[^]*state: 'uploading'[^]*parts: 1/,
    },
  ],
  [/Give up/, {}],
  [/went wrong/, { puts: [['backups/db.dump', bytes.length]] }],
  [/Bytes in memory/, { puts: [['settings.json', 2]] }],
  [
    /Several files/,
    {
      puts: [
        ['monday.log', bytes.length],
        ['tuesday.log', bytes.length],
      ],
    },
  ],
  [/to be like/, { puts: [['new.sql', bytes.length]] }],
  [/cost money/, {}],
  [/Another server/, { puts: [['db.dump', bytes.length]] }],
  [/profiles and roles/, {}],
]

await t.test('and so do the short ones, one after the other', async (t) => {
  const parts = blocks.filter(({ isWhole }) => !isWhole)
  t.equal(parts.length, short.length)
  const lead = blocks.find(({ isLead }) => isLead)?.body ?? ''
  const all = parts.map(
    ({ body }, at) =>
      `${short[at]?.[1].before ?? ''}\n{\n${body}}\nconsole.log('next')\n`,
  )
  const { dev, stdout } = await run(t, `${lead}\n${all.join('')}`)
  const printed = stdout.split('next\n')
  for (const [at, [about, { prints }]] of short.entries()) {
    const [first = ''] = parts[at]?.body.split('\n') ?? []
    t.match(first, about)
    if (prints !== undefined) t.match(printed[at], prints, first)
  }
  const byKey = ([one]: [string, number], [other]: [string, number]) =>
    one.localeCompare(other)
  t.strictSame(
    putsOf(dev).toSorted(byKey),
    short.flatMap(([, { puts = [] }]) => puts).toSorted(byKey),
  )
  t.ok(dev.seen('AbortMultipartUpload').length > 0, 'one was given up')
  t.same(dev.server.openUploads(), [])
})

function putsOf(dev: DevStore): [string, number][] {
  return dev.seen('PutObject').map(({ key = '', bytes }) => [key, bytes])
}

await t.test('the picture keeps its columns in every viewer', async (t) => {
  const picture = await readFile(
    new URL('../docs/kill-and-resume.svg', import.meta.url),
    'utf8',
  )
  const lines = picture.match(/<text [^>]*>/g) ?? []
  t.ok(lines.length > 10)
  for (const line of lines) t.match(line, /style="white-space: pre"/)
})
