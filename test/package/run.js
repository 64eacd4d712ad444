/**
 * The package as users get it: packed, looked at by publint and by
 * are-the-types-wrong, installed into an empty project, and used there from
 * TypeScript, from JavaScript, by `require` and as a command.
 *
 * Needs a build and the npm registry. `npm run test:package`
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MiB = 1024 * 1024
const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = join(root, 'test/fixtures/package')
const bin = (name) => join(root, 'node_modules/.bin', name)
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const temporary = mkdtempSync(join(tmpdir(), 'pawl-package-'))
const project = join(temporary, 'project')
let passed = 0
const failures = []

/** What a package may hold, and nothing else. */
const shipped =
  /^(?:dist\/[\w./-]+\.(?:js|d\.ts)|lib\/checkpoint\/FORMAT\.md|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/

try {
  const tarball = pack()
  await check('publint', () => run(bin('publint'), [tarball, '--strict']))
  // Node 20.18 has no `require` of ES modules without a flag: ESM only.
  await check('are the types wrong', () =>
    run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-emoji']),
  )
  install(tarball)
  await check('the README says what is installed', sameAsReadme)
  await check('TypeScript compiles and runs the first example', typescript)
  await check('JavaScript runs it', () => runExample('example.js'))
  await check('require() loads it where Node can', commonJs)
  await check('the command uploads to its own server', command)
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
for (const failure of failures) console.error(failure)
console.log(`${passed} passed, ${failures.length} failed`)
if (failures.length > 0) process.exitCode = 1

async function check(name, work) {
  try {
    await work()
    passed++
    console.log(`ok ${name}`)
  } catch (error) {
    console.log(`not ok ${name}`)
    failures.push(`${name}: ${error.stack}`)
  }
}

/** Runs to its end; what it printed is in the error when it fails. */
function run(file, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(file, args, {
    cwd: project,
    encoding: 'utf8',
    timeout: 120_000,
    ...options,
  })
  if (error !== undefined) throw error
  if (status === 0) return stdout
  throw new Error(`${file} ${args.join(' ')}: ${status}\n${stdout}${stderr}`)
}

function pack() {
  mkdirSync(project)
  const args = ['pack', '--json', '--pack-destination', temporary]
  const text = run('npm', args, { cwd: root })
  const [{ filename, files }] = JSON.parse(text.slice(text.indexOf('[')))
  const strange = files.map(({ path }) => path).filter((p) => !shipped.test(p))
  if (strange.length > 0) throw new Error(`packed too: ${strange.join(', ')}`)
  return join(temporary, filename)
}

function install(tarball) {
  const manifest = { name: 'user', private: true, type: 'module' }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  execFileSync('npm', ['install', tarball, ...quiet], {
    cwd: project,
    stdio: 'inherit',
  })
  cpSync(fixtures, project, { recursive: true })
}

/** `9 direct dependencies, 16 packages, 9.1 MiB`: within a tenth of the size. */
function sameAsReadme() {
  const { dependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const { packages } = JSON.parse(
    readFileSync(join(project, 'package-lock.json'), 'utf8'),
  )
  const installed = Object.keys(packages).filter(
    (path) => path !== '' && existsSync(join(project, path)),
  )
  const found = {
    direct: Object.keys(dependencies).length,
    packages: installed.length,
    mib: sizeOf(join(project, 'node_modules')) / MiB,
  }
  const said =
    /(\d+) direct\s+dependencies, (\d+)\s+packages,\s+([\d.]+)\s+MiB/.exec(
      readme,
    )
  const wanted = `${found.direct} direct dependencies, ${found.packages} packages, ${found.mib.toFixed(1)} MiB`
  if (said === null) throw new Error(`the README does not say: ${wanted}`)
  const [direct, count, mib] = said.slice(1).map(Number)
  const isSame = direct === found.direct && count === found.packages
  if (!isSame || Math.abs(mib / found.mib - 1) > 0.1) {
    throw new Error(`the README says ${said[0]}, found ${wanted}`)
  }
}

function sizeOf(directory) {
  let size = 0
  for (const entry of readdirSync(directory, {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile()) continue
    size += statSync(join(entry.parentPath ?? entry.path, entry.name)).size
  }
  return size
}

/** The README's first example, with the dev server as its store. */
function writeExample(name) {
  const example = /^```ts\n(.*?)^```$/ms.exec(readme)[1]
  const store = "ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket' })"
  if (!example.includes(store)) throw new Error(`no ${store} in the README`)
  const here = `ossStore({ region: 'cn-hangzhou', bucket: 'examplebucket', endpoint: server.endpoint, credentials: { accessKeyId: 'dev', accessKeySecret: 'dev-secret' } })`
  writeFileSync(
    join(project, name),
    `import { startDevServer } from 'pawl/dev-server'
const server = await startDevServer()
${example.replace(store, here)}
await server.close()
`,
  )
}

function runExample(name) {
  if (!existsSync(join(project, name))) writeExample(name)
  writeFileSync(join(project, 'db.dump'), Buffer.alloc(20 * MiB, 'pawl '))
  const printed = run(process.execPath, [name])
  if (!/verified: 'crc64'/.test(printed)) throw new Error(printed)
}

function typescript() {
  writeExample('typed.ts')
  const types = join(root, 'node_modules/@types')
  const flags =
    '--strict --skipLibCheck false --module nodenext --target es2022 --types node'
  run(bin('tsc'), [
    'typed.ts',
    'exports.ts',
    ...flags.split(' '),
    '--typeRoots',
    types,
  ])
  runExample('typed.js')
}

function commonJs() {
  // Loud where it cannot: the file says which Node it is.
  const printed = run(process.execPath, ['--no-warnings', 'required.cjs'])
  console.log(`   ${printed.trim()}`)
}

async function command() {
  const pawl = join(project, 'node_modules/.bin/pawl')
  const version = run(pawl, ['--version']).trim()
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(version)
  const server = spawn(pawl, ['serve', 'objects', '--port', '0'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const endpoint = await endpointOf(server)
    writeFileSync(join(project, 'a.bin'), Buffer.alloc(MiB, 'pawl '))
    run(pawl, ['put', 'a.bin', 'oss://examplebucket/a.bin'], {
      env: {
        ...process.env,
        OSS_ENDPOINT: endpoint,
        OSS_REGION: 'cn-hangzhou',
        OSS_ACCESS_KEY_ID: 'dev',
        OSS_ACCESS_KEY_SECRET: 'dev-secret',
      },
    })
  } finally {
    server.kill('SIGINT')
    await once(server, 'exit')
  }
}

async function endpointOf(server) {
  for await (const line of createInterface(server.stdout)) {
    const found = /http:\/\/[\w.:[\]-]+/.exec(line)
    if (found !== null) return found[0]
  }
  throw new Error('the server did not say where it listens')
}
