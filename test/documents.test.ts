/**
 * The cookbook shows its examples as they are, and all of them; the tables of options
 * have all of them; what the benchmarks import is there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { anchorsOf, linksOf } from './support/links.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'docs/examples')
const cookbook = readFileSync(join(root, 'docs/cookbook.md'), 'utf8')

/** A file, or its shown region as it would stand by itself. */
function shownOf(file: string): string {
  const text = readFileSync(join(folder, file), 'utf8')
  const marked = /^ *\/\/ #region shown\n(.*?)^ *\/\/ #endregion\n/ms.exec(text)
  if (marked === null) return text
  const [, region = ''] = marked
  const indent = /^ */.exec(region)?.[0] ?? ''
  return region.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
}

/** Code blocks, which say the file they are from. */
const blocks = [...cookbook.matchAll(/^```ts (\S+)\n(.*?)^```$/gms)].map(
  ([, file = '', code = '']) => ({ file, code }),
)

await t.test('the code in the cookbook is that of its files', async (t) => {
  for (const { file, code } of blocks) t.equal(code, shownOf(file), file)
  t.ok(blocks.length > 10)
  const all = [...cookbook.matchAll(/^```/gm)].length / 2
  t.equal(blocks.length, all, 'every block says where it is from')
})

await t.test('what the cookbook shows can be copied whole', (t) => {
  // Of a store only the calls that are not obvious; its heading leads to the rest.
  const excerpts = new Set(['directory-store.ts'])
  for (const { file, code } of blocks) {
    const whole = readFileSync(join(folder, file), 'utf8')
    t.equal(code !== whole, excerpts.has(file), file)
  }
  t.end()
})

await t.test('every recipe is in the contents of the cookbook', (t) => {
  const [contents = ''] = cookbook.split(/^## /m)
  const headings = [...cookbook.matchAll(/^## (?:\[([^\]]+)\].*|(.+))$/gm)]
  t.ok(headings.length > 10)
  for (const [, linked, plain] of headings) {
    const heading = linked ?? plain ?? ''
    t.ok(contents.includes(`[${heading}](#`), heading)
  }
  t.end()
})

await t.test('every example is in a document', async (t) => {
  const documents = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => readFileSync(join(root, 'docs', name), 'utf8'))
  const files = readdirSync(folder).filter((name) => /(?<!\.d)\.ts$/.test(name))
  t.ok(files.length > 10)
  for (const file of files) {
    const isShown = blocks.some((block) => block.file === file)
    const isLinked = documents.some((text) => text.includes(`examples/${file}`))
    t.ok(isShown || isLinked, file)
  }
})

/** What a recipe is about, besides pawl. */
const writtenFor: Record<string, readonly string[]> = {
  'express-upload.ts': ['express'],
  'form-busboy.ts': ['busboy'],
  'form-fastify.ts': ['@fastify/multipart', 'fastify'],
  'pino-log.ts': ['pino'],
}

await t.test('what the cookbook shows imports nothing but pawl', async (t) => {
  for (const { file } of blocks) {
    // What is left behind needs what it was written for.
    if (file.endsWith('-before.ts')) continue
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, from = ''] of text.matchAll(/ from '(.+)'$/gm)) {
      const isOurs = /^(node:|pawl$|pawl\/(dev-server|shared)$|\.\/)/.test(from)
      t.ok(isOurs || writtenFor[file]?.includes(from), `${file}: ${from}`)
    }
  }
})

await t.test('what the benchmarks and the scripts load is there', async (t) => {
  let count = 0
  for (const folder of ['bench', 'test', 'docs']) {
    const names = readdirSync(join(root, folder), {
      encoding: 'utf8',
      recursive: true,
    })
    for (const name of names) {
      const path = join(root, folder, name)
      if (!path.endsWith('.js') || path.includes('node_modules')) continue
      const text = readFileSync(path, 'utf8')
      for (const [, to = ''] of text.matchAll(
        /(?:from|import\() ?'(\.[^']*\.js)'/g,
      )) {
        count += 1
        const built = join(dirname(path), to)
        const source = built
          .replace(join(root, 'dist/'), join(root, 'lib/'))
          .replace(join(root, 'bench/modules/'), join(root, 'lib/'))
          .replace(/\.js$/, '.ts')
        t.ok(existsSync(source) || existsSync(built), `${name}: ${to}`)
      }
    }
  }
  t.ok(count > 50)
})

await t.test('every link leads to a file, and to a heading of it', (t) => {
  const folders = ['', 'docs', 'bench', 'lib', 'test', '.github']
  const pages = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== '' })
      .map((name) => join(folder, String(name)))
      .filter((name) => name.endsWith('.md'))
      // Made, and looked through, by `npm run docs:check`.
      .filter((name) => !/^docs.api|node_modules/.test(name)),
  )
  let count = 0
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const { path, anchor } of linksOf(page, text)) {
      count += 1
      const isThere = existsSync(join(root, path))
      const isFound =
        anchor === '' ||
        (isThere &&
          anchorsOf(readFileSync(join(root, path), 'utf8')).has(anchor))
      t.ok(isThere && isFound, `${page}: ${path}#${anchor}`)
    }
  }
  t.ok(pages.length > 10 && count > 50, `${count} links`)
  t.end()
})

/** What an interface declares, by its source. */
function membersOf(path: string, name: string): string[] {
  const text = readFileSync(join(root, 'lib', path), 'utf8')
  const start = text.indexOf(`interface ${name} `)
  const body = text.slice(start, text.indexOf('\n}\n', start))
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member = '']) => member)
}

await t.test('every option and every event is in its tables', (t) => {
  const page = readFileSync(join(root, 'docs/options.md'), 'utf8')
  const listed = new Set(
    [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) +\|/gm)].flatMap(
      ([, names = '']) => names.replaceAll('`', '').split(', '),
    ),
  )
  const declared = [
    ...[
      'UploadOptions',
      'UploadStreamOptions',
      'UploadFileOptions',
      'UploadBytesOptions',
      'ListenerOptions',
    ].flatMap((name) => membersOf('upload/options/options.ts', name)),
    ...membersOf('upload/options/events.ts', 'UploadEvents'),
    ...membersOf('store/oss/store.ts', 'OssStoreOptions'),
    ...membersOf('store/s3/store.ts', 'S3StoreOptions'),
  ]
  t.ok(declared.length > 60, `${declared.length} names`)
  t.strictSame(listed, new Set(declared))
  t.end()
})

await t.test('the words of the spell checker are sorted, and needed', (t) => {
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  const words = read('.cspell-words.txt').trimEnd().split('\n')
  t.strictSame(words, [...new Set(words)].toSorted())
  const pages = ['', 'docs', 'docs/examples', 'bench', 'test/simulation']
  const names = [
    ...pages.flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(folder, name)),
    ),
    ...readdirSync(join(root, 'lib'), { recursive: true }).map((name) =>
      join('lib', String(name)),
    ),
  ].filter((name) => /\.(md|ts)$/.test(name))
  const text = names.map(read).join('\n').toLowerCase()
  for (const word of words) t.ok(text.includes(word.toLowerCase()), word)
  t.end()
})
