/**
 * What a stranger gets of pawl and of packages that he may know: the first page and
 * the tarball, counted by patterns, which is a hint of where to look and no judgement.
 * Needs a registry; `npm run first-page -- NAME...` takes other packages.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const known = ['undici', 'got', 'tus-js-client', '@aws-sdk/lib-storage', 'tar']

/** A row for each thing: its name, and what there is of it. */
const rows = {
  'lines of the README': ({ lines }) => lines.length,
  'a sentence that says what it is': ({ text }) =>
    /^(?:>\s*)?[A-Z][^\n]{25,}/m.test(text.replace(/^#.*$/gm, '')),
  'contents at the top': ({ text }) =>
    [...text.slice(0, 1500).matchAll(/\]\(#/g)].length > 4,
  'how to install it': ({ text }) => /npm i(?:nstall)? /.test(text),
  examples: ({ blocks }) => blocks.length,
  'tables, rows of them': ({ lines }) => {
    const all = lines.filter((line) => line.startsWith('|')).length
    const heads = lines.filter((line) => /^\| ?:?-/.test(line)).length
    return heads === 0 ? 0 : `${heads}, ${all - 2 * heads}`
  },
  'a table of options': ({ text }) =>
    /^\| *(?:option|param)\w* *\|/im.test(text),
  'options described otherwise': ({ text }) =>
    /options?[\s\S]{0,200}^\s*[-*] `\w+`/im.test(text),
  'a table of errors': ({ text }) => /^\| *(?:error )?code *\|/im.test(text),
  'errors described otherwise': ({ text }) => /^#+.*errors?/im.test(text),
  'guarantees, each with its test': ({ text }) => /survives what/.test(text),
  'speed beside others': ({ text }) =>
    /benchmark|medians of|req\/sec/i.test(text),
  'how that was measured': ({ text }) => /medians of|Samples/.test(text),
  'another client is the better choice for': ({ text }) =>
    /other\s+clients\s+do\s+better|probably want|When to use each/i.test(text),
  'moving here': ({ text }) => /migrat|moving from/i.test(text),
  'a server to try it without an account': ({ text }) =>
    /dev server|mock/i.test(text),
  troubleshooting: ({ text }) => /troubleshoot|FAQ|workarounds/i.test(text),
  'security policy led to': ({ text }) =>
    /SECURITY|security information/i.test(text),
  licence: ({ text, has }) => /licen[cs]e/i.test(text) && has(/^licen[cs]e/i),
  'an address of the repository': ({ manifest }) =>
    manifest.repository !== undefined,
  'documents in the tarball': ({ files }) =>
    files.filter((name) => /\.md$/i.test(name)).length,
  'examples in the tarball': ({ files }) =>
    files.filter((name) => /examples\//.test(name)).length,
  'changelog in it': ({ has }) => has(/^(?:changelog|history)/i),
  'security policy in it': ({ has }) => has(/^security/i),
  'pages of an API reference in it': ({ files }) =>
    files.filter((name) => /(?:^|\/)api\/.*\.md$/.test(name)).length,
  'types for import': ({ files }) =>
    files.some((name) => /\.d\.m?ts$/.test(name)),
  'types for require': ({ files, manifest }) =>
    files.some((name) => name.endsWith('.d.cts')) ||
    (manifest.type !== 'module' &&
      files.some((name) => name.endsWith('.d.ts'))) ||
    files.some((name) => /commonjs\/.*\.d\.ts$/.test(name)),
  'a manual page, completion': ({ manifest }) => manifest.man !== undefined,
  'Node versions': ({ manifest }) => manifest.engines?.node ?? 'not said',
  'direct dependencies': ({ manifest }) =>
    Object.keys(manifest.dependencies ?? {}).length,
  'scripts run when installed': ({ manifest }) =>
    ['preinstall', 'install', 'postinstall'].filter(
      (name) => manifest.scripts?.[name],
    ).length,
  files: ({ files }) => files.length,
  'KiB packed': ({ packed }) => (packed / 1024).toFixed(0),
  'KiB unpacked': ({ unpacked }) => (unpacked / 1024).toFixed(0),
}

const temporary = mkdtempSync(join(tmpdir(), 'pawl-first-page-'))
try {
  const asked = process.argv.slice(2)
  const others = asked.length > 0 ? asked : known
  const pages = [resolve(root), ...others].map((name, at) =>
    pageOf(name, join(temporary, String(at))),
  )
  print([
    [
      '',
      ...pages.map(({ manifest }) => `${manifest.name} ${manifest.version}`),
    ],
    ...Object.entries(rows).map(([name, of]) => [
      name,
      ...pages.map((page) => textOf(of(page))),
    ]),
  ])
} finally {
  rmSync(temporary, { recursive: true, force: true })
}

/** Packs a package, of the registry or of a directory, and reads what is in it. */
function pageOf(name, directory) {
  mkdirSync(directory)
  run('npm', ['pack', name, '--silent', '--pack-destination', directory])
  const [tarball = ''] = readdirSync(directory)
  const path = join(directory, tarball)
  run('tar', ['-xzf', path, '-C', directory])
  // Some are packed in a folder of another name.
  const [folder = ''] = readdirSync(directory).filter((x) => x !== tarball)
  const inside = join(directory, folder)
  const files = readdirSync(inside, { recursive: true }).filter((file) =>
    statSync(join(inside, file)).isFile(),
  )
  const readme = files.find((file) => /^readme\.md$/i.test(file))
  const text =
    readme !== undefined && existsSync(join(inside, readme))
      ? readFileSync(join(inside, readme), 'utf8')
      : ''
  return {
    manifest: JSON.parse(readFileSync(join(inside, 'package.json'), 'utf8')),
    files,
    has: (pattern) => files.some((file) => pattern.test(file)),
    text,
    lines: text.trimEnd().split('\n'),
    blocks: [...text.matchAll(/^```.*?^```$/gms)],
    packed: statSync(path).size,
    unpacked: files.reduce(
      (sum, file) => sum + statSync(join(inside, file)).size,
      0,
    ),
  }
}

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

function textOf(found) {
  if (typeof found === 'boolean') return found ? 'yes' : '-'
  return found === 0 ? '-' : String(found)
}

function print(table) {
  const widths = table[0].map((_, at) =>
    Math.max(...table.map((row) => row[at].length)),
  )
  for (const row of table) {
    const cells = row.map((cell, at) => cell.padEnd(widths[at]))
    console.log(cells.join('  ').trimEnd())
  }
}
