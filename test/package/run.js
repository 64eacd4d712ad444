/**
 * The package as users get it: packed, installed from the tarball into an empty
 * project with no script run, compiled against, bundled and used, also in tests of
 * users. Needs a build and a registry; ends with 1 at the first thing that is not
 * as it says.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { publint } from 'publint'
import { runConsumers, tools } from './consumers.js'
import { deadLinks, strangers } from './contents.js'
import { figureIn, figureText, isClose, measure } from './install-size.js'
import { bin, npm, root, run } from './run-command.js'
import { tsBlocksOf } from '../support/ts-blocks.js'

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const readme = await readFile(join(root, 'README.md'), 'utf8')
const keys = {
  OSS_ACCESS_KEY_ID: 'dev',
  OSS_ACCESS_KEY_SECRET: 'dev-secret',
  AWS_ACCESS_KEY_ID: 'dev',
  AWS_SECRET_ACCESS_KEY: 'dev-secret',
}
/** What examples of the README leave behind, or print with a server of their own. */
const expected = {
  'example-stream': { key: 'backups/db.dump.gz', decoded: gunzipSync },
  'example-file': { key: 'backups/db.dump', decoded: (bytes) => bytes },
  'example-resumed': {
    prints: /^PAWL_SUSPENDED\n[1-3] of 3 parts were stored already\n$/,
  },
}
/** More than one part, and nothing that gzip could make smaller. */
const dump = randomBytes(9 * 1024 * 1024)

const temporary = await mkdtemp(join(tmpdir(), 'pawl-package-'))
const project = join(temporary, 'project')
const tarball = join(temporary, `pawl-${manifest.version}.tgz`)
try {
  await step('what is packed', pack)
  await step('how it is resolved', resolution)
  await step('installed into an empty project', install)
  await step('compiled strictly, libraries included', compile)
  await step('the examples of the README', runExamples)
  await step('require', requireIt)
  await step('the command', command)
  await step('killed and run again, by programs of users', consumers)
  console.log('\nThe package is as it should be.')
} finally {
  await rm(temporary, { recursive: true, force: true, maxRetries: 5 })
}

async function step(name, work) {
  console.log(`\n== ${name}`)
  await work()
}

async function pack() {
  const args = ['pack', '--json', '--pack-destination', temporary]
  const [{ files, size }] = JSON.parse(await npm(args, { cwd: root }))
  const paths = files.map(({ path }) => path)
  assert.deepEqual(strangers(paths), [], 'files that are not for users')
  const read = (path) => readFileSync(join(root, path), 'utf8')
  assert.deepEqual(deadLinks(paths, read), [], 'links to what is not packed')
  console.log(`${paths.length} files, ${(size / 1024).toFixed(0)} KiB packed`)
}

async function resolution() {
  const { buffer, byteOffset, byteLength } = await readFile(tarball)
  const packed = buffer.slice(byteOffset, byteOffset + byteLength)
  const { messages } = await publint({
    pack: { tarball: packed },
    strict: true,
  })
  // On purpose: see `build/commonjs-types.js`.
  const found = messages.filter(
    ({ code, path }) =>
      code !== 'EXPORTS_TYPES_INVALID_FORMAT' ||
      path.slice(-2).join('.') !== 'types.require',
  )
  assert.deepEqual(found, [], 'what publint finds')
  // Only ESM is shipped: what `require` makes of it is tried below.
  const onPurpose = ['--ignore-rules', 'false-cjs']
  await run(bin('attw'), [tarball, '--profile', 'esm-only', ...onPurpose])
  console.log('publint and attw found nothing')
}

async function install() {
  await mkdir(project)
  const json = { name: 'project', private: true, type: 'module' }
  await writeFile(join(project, 'package.json'), JSON.stringify(json))
  await npmInstall('--engine-strict', tarball)
  const found = await measure(join(project, 'node_modules'))
  const direct = Object.keys(manifest.dependencies).length
  const text = figureText({ ...found, direct })
  console.log(text)
  const said = figureIn(readme)
  assert.ok(said, `the README does not say how much is installed: ${text}`)
  assert.equal(said.direct, direct, text)
  assert.ok(isClose(said, found), `the README says otherwise: ${text}`)
}

function npmInstall(...packages) {
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts']
  const args = ['install', ...quiet, ...packages]
  return npm(args, { cwd: project })
}

async function compile() {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json')))
  const version = (name) => lock.packages[`node_modules/${name}`].version
  const names = ['typescript', '@types/node']
  const compilers = names.map((name) => `${name}@${version(name)}`)
  // At once: an installation takes longer than most of the rest.
  await npmInstall(...compilers, ...tools)
  const own = ['types.ts', 'upload.ts', 'require.cts', 'require.cjs']
  for (const name of own) {
    await copyFile(
      join(root, 'test/package/consumer', name),
      join(project, name),
    )
  }
  const examples = readmeExamples()
  for (const { name, text } of examples) {
    await writeFile(join(project, `${name}.mjs`), text)
    await writeFile(join(project, `${name}.ts`), text)
  }
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  const common = '--strict --exactOptionalPropertyTypes --skipLibCheck false'
  const target = '--target es2022 --types node --module'
  const modules = [
    'types.ts',
    'upload.ts',
    ...examples.map(({ name }) => `${name}.ts`),
  ]
  const ways = {
    'nodenext --outDir out': [...modules, 'require.cts'],
    'node16 --noEmit': [...modules, 'require.cts'],
    'preserve --noEmit': modules,
    // Reads no `exports`, and knows no `await` outside of functions.
    'commonjs --moduleResolution node10 --ignoreDeprecations 6.0 --noEmit': [
      'types.ts',
    ],
  }
  for (const [how, files] of Object.entries(ways)) {
    const args = `${common} ${target} ${how}`.split(' ')
    await run(process.execPath, [tsc, ...args, ...files], { cwd: project })
    console.log(`--module ${how.split(' ')[0]}: ${files.length} files`)
  }
}

/** As they are in the README, but for the server; short ones with what they go on from. */
function readmeExamples() {
  const blocks = tsBlocksOf(readme)
  const whole = blocks.filter(({ isWhole, isLead }) => isWhole && !isLead)
  const names = ['stream', 'file', 'resumed']
  assert.equal(whole.length, names.length, 'examples of the README')
  const endpoint = 'endpoint: process.env["ENDPOINT"] ?? "",'
  return blocks.map((block) => {
    const at = whole.indexOf(block)
    const isRun = at >= 0
    const name = `example-${isRun ? names[at] : `line-${block.line}`}`
    const text = block.text.replace(/(ossStore|s3Store)\(\{/, `$&${endpoint}`)
    const isChanged = text !== block.text || text.includes('startDevServer()')
    assert.ok(isChanged, `${name} has a store, or a server`)
    return { name, text, isRun }
  })
}

function devServer() {
  const entry = join(project, 'node_modules/pawl/dist/dev-server/index.js')
  return import(pathToFileURL(entry).href)
}

async function consumers() {
  const { startDevServer } = await devServer()
  const file = join(project, 'db.dump')
  await runConsumers({ project, file, startDevServer })
}

/** Compiled from TypeScript, and as JavaScript; against the package's own server. */
async function runExamples() {
  const { startDevServer } = await devServer()
  await writeFile(join(project, 'db.dump'), dump)
  for (const { name, isRun } of readmeExamples()) {
    // The others are run by `test/readme.test.ts`.
    if (!isRun) continue
    const { key, decoded, prints } = expected[name]
    for (const script of [`out/${name}.js`, `${name}.mjs`]) {
      const server = await startDevServer()
      try {
        const env = { ...process.env, ...keys, ENDPOINT: server.endpoint }
        const output = await run(process.execPath, [script], {
          cwd: project,
          env,
        })
        if (prints !== undefined) {
          assert.match(output, prints, script)
        } else {
          const path = server.objectPath('examplebucket', key)
          assert.ok(path, `${script} made no object`)
          const stored = decoded(await readFile(path))
          assert.ok(stored.equals(dump), `${script}: the object is another`)
        }
        console.log(`${script}: does what the README says`)
      } finally {
        await server.close()
      }
    }
  }
}

async function requireIt() {
  for (const script of ['require.cjs', 'out/require.cjs']) {
    const output = await run(process.execPath, [script], { cwd: project })
    console.log(`${script}: ${output.trim()}`)
  }
}

async function command() {
  const npx = ['exec', '--offline', '--', 'pawl', '--version']
  const version = await npm(npx, { cwd: project })
  assert.equal(version.trim(), manifest.version)

  const main = join(project, 'node_modules/pawl', manifest.bin.pawl)
  const server = spawn(process.execPath, [main, 'serve', 'objects'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(server, 'close')
  try {
    const lines = createInterface({ input: server.stdout })
    const first = await Promise.race([once(lines, 'line'), closed])
    const [endpoint] = /http:\/\/[^,\s]+/.exec(String(first[0])) ?? []
    assert.ok(endpoint, `pawl serve said ${first[0]}`)
    const url = 'oss://examplebucket/backups/db.dump'
    const where = ['--endpoint', endpoint, '--region', 'cn-hangzhou']
    const output = await run(
      process.execPath,
      [main, 'put', 'db.dump', url, ...where, '--json'],
      { cwd: project, env: { ...process.env, ...keys } },
    )
    const events = output.trim().split('\n')
    const result = events
      .map((line) => JSON.parse(line))
      .find(({ event }) => event === 'result')
    assert.equal(result?.size, dump.length)
    assert.equal(result.verified, 'crc64')
    console.log(`pawl ${manifest.version}: put ${result.parts} parts`)
  } finally {
    server.kill('SIGTERM')
    await closed
  }
}
