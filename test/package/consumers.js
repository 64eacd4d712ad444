/**
 * Programs of users, each with an upload that is killed half way and run again:
 * as JavaScript, TypeScript and CommonJS, bundled, and where a host takes the
 * worker, the addons or the binary of the lock away; and tests of users.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root, run } from './run-command.js'

/** Beside pawl, in the majors that these programs are written for. */
export const tools = ['esbuild@0.25', 'jest@30', 'vitest@3', 'webpack@5']

/** Copied into the project. */
const sources = [
  'jest.test.mjs',
  'loaded.js',
  'runner.mjs',
  'upload.cjs',
  'upload.js',
  'vitest.test.mjs',
  'webpack.cjs',
]

const known = process.allowedNodeEnvironmentFlags

/** What Node is told to grant a program that may do no more than it needs. */
function permissionsFor(directory) {
  return [
    known.has('--permission') ? '--permission' : '--experimental-permission',
    '--no-warnings',
    '--allow-fs-read=*',
    `--allow-fs-write=${directory}/`,
    ...(known.has('--allow-net') ? ['--allow-net'] : []),
  ]
}

/**
 * `project`: where pawl and the tools are installed and TypeScript was compiled;
 * `file`: what is uploaded, of more than three parts of 1 MiB.
 */
export async function runConsumers({ project, file, startDevServer }) {
  for (const name of sources) {
    await copyFile(
      join(root, 'test/package/consumer', name),
      join(project, name),
    )
  }
  await bundle(project)
  const means = { project, file, startDevServer }
  const programs = {
    JavaScript: ['upload.js'],
    TypeScript: ['out/upload.js'],
    CommonJS: ['upload.cjs'],
    'no addons': ['--no-addons', 'upload.js'],
    'the permission model': [...permissionsFor(project), 'upload.js'],
    'esbuild, CommonJS': ['alone/esbuild.cjs'],
    'esbuild, ESM': ['alone/esbuild.mjs'],
    webpack: ['alone/webpack.cjs'],
  }
  for (const [name, args] of Object.entries(programs)) {
    await killAndResume(name, args, means)
  }
  await loadsByRequire(means)
  await runTests(project)
  // As on musl, for which there is none.
  const binaries = 'node_modules/fs-native-extensions/prebuilds'
  await rm(join(project, binaries), { recursive: true })
  await rm(join(project, 'node_modules/pawl/dist/hash/digest-worker.js'))
  await killAndResume('neither binary nor worker', ['upload.js'], means)
}

/** Into a folder where nothing else is: a bundle is deployed by itself. */
async function bundle(cwd) {
  const esbuild = (...args) =>
    run(
      process.execPath,
      [
        'node_modules/esbuild/bin/esbuild',
        'upload.js',
        '--bundle',
        '--platform=node',
        '--log-level=error',
        ...args,
      ],
      { cwd },
    )
  await esbuild('--format=cjs', '--outfile=alone/esbuild.cjs')
  // What esbuild's documentation says for packages that call `require`.
  const banner =
    "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)"
  const file = '--outfile=alone/esbuild.mjs'
  await esbuild('--format=esm', `--banner:js=${banner}`, file)
  const said = await run(process.execPath, ['webpack.cjs'], { cwd })
  assert.equal(said.trim(), '', 'webpack has nothing to warn of')
  await mkdir(join(cwd, 'alone'), { recursive: true })
  await copyFile(
    join(cwd, 'webpack/upload.cjs'),
    join(cwd, 'alone/webpack.cjs'),
  )
}

/** What is loaded late is required where it is installed: that is a seventh of the work. */
async function loadsByRequire({ project, file, startDevServer }) {
  const server = await startDevServer()
  try {
    const log = join(project, 'log.pawl')
    const program = ['--import', './loaded.js', 'upload.js']
    const args = [...program, server.endpoint, file, log]
    const said = await run(process.execPath, args, { cwd: project })
    const paths = JSON.parse(said.trim().split('\n').at(-1))
    for (const name of ['fast-xml-parser', 'stream-chopper']) {
      const place = join('node_modules', name)
      assert.ok(
        paths.some((path) => path.includes(place)),
        `${name} was not required`,
      )
    }
  } finally {
    await server.close()
  }
}

/** Killed when two of its parts are stored; run again, it sends the others. */
async function killAndResume(name, args, { project, file, startDevServer }) {
  const server = await startDevServer()
  try {
    const log = join(project, 'log.pawl')
    const start = () =>
      spawn(process.execPath, [...args, server.endpoint, file, log], {
        cwd: project,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_OPTIONS: '' },
      })
    server.setFault(({ partNumber }) =>
      partNumber === 3 ? { kind: 'silence' } : undefined,
    )
    const killed = start()
    const [, signal] = await endOf(killed, (line) => {
      if (line === '2') killed.kill('SIGKILL')
    })
    assert.equal(signal, 'SIGKILL', `${name} was not killed half way`)
    server.setFault(undefined)
    let last = ''
    const resumed = start()
    const [code] = await endOf(resumed, (line) => (last = line))
    assert.equal(code, 0, name)
    const { partsReused, parts, verified } = JSON.parse(last)
    assert.equal(partsReused, 2, name)
    assert.equal(verified, 'crc64', name)
    const object = server.objectPath('examplebucket', 'db.dump')
    const [stored, source] = await Promise.all([object, file].map(readWhole))
    assert.ok(stored.equals(source), `${name}: another object`)
    console.log(`${name}: 2 of ${parts} parts reused`)
  } finally {
    await server.close()
  }
}

function readWhole(path) {
  return readFile(path)
}

async function endOf(child, hear) {
  const ended = once(child, 'close')
  createInterface({ input: child.stdout }).on('line', hear)
  return ended
}

/** In contexts of their own, with other classes of error and signal. */
async function runTests(cwd) {
  const node = (...args) => run(process.execPath, args, { cwd })
  const jest = 'node_modules/jest/bin/jest.js'
  const testMatch = ['--testMatch', '**/jest.test.mjs']
  await node('--experimental-vm-modules', jest, ...testMatch)
  console.log('jest: suspended and gone on with')
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'vitest.test.mjs']
  for (const pool of ['vmThreads', 'forks']) {
    await node(...vitest, `--pool=${pool}`)
    console.log(`vitest, ${pool}: suspended and gone on with`)
  }
}
