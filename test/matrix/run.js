#!/usr/bin/env node
/**
 * Runs the first tier of the tests on other versions of Node: `npm run test:matrix`.
 *
 *     node test/matrix/run.js                 all of the table
 *     node test/matrix/run.js 26 20.18.1      the newest 26, and this very one
 *     node test/matrix/run.js 22 test/store/retry.test.ts
 *     node test/matrix/run.js 26 --again      options are those of test/run.js
 *
 * A version that is missing is installed from npm, where each binary is a
 * package without an install script, into `node_modules/.cache/pawl-node`. The
 * runner runs on it and has its directory first on PATH, so that the children
 * of the tests are of the same version. All versions are run, also after a
 * failure; any failure is the script's.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, 'node_modules/.cache/pawl-node')
const suite = join(root, 'test/run.js')

/** The oldest that package.json allows, and the newest of each line. */
const versions = ['20.18.1', '20.20.2', '22.23.3', '24.21.0', '26.10.0']

/** A run takes about three minutes; one that hangs must not take the night. */
const longestRun = 15 * 60_000

/** What is under way, if anything. */
let running
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    running?.kill('SIGTERM')
  })
}

const isVersion = (word) => /^\d+(\.\d+)*$/.test(word)
const words = process.argv.slice(2)
const options = words.filter((word) => word.startsWith('-'))
const files = words.filter(
  (word) => !isVersion(word) && !options.includes(word),
)
try {
  const wanted = words.filter(isVersion).map(pinned)
  const ends = []
  for (const version of wanted.length > 0 ? wanted : versions) {
    ends.push(await tryOn(version))
    if (interrupted) throw new Error('interrupted')
  }
  for (const { text } of ends) console.log(`test:matrix: ${text}`)
  if (ends.some(({ isGood }) => !isGood)) process.exitCode = 1
} catch (error) {
  console.error(`test:matrix: ${error.message}`)
  process.exitCode = 1
}

/** The newest version of the table that the word is the beginning of. */
function pinned(word) {
  const found = versions.findLast((version) =>
    `${version}.`.startsWith(`${word}.`),
  )
  if (found === undefined) {
    throw new Error(`Node ${word}: expected one of ${versions.join(', ')}`)
  }
  return found
}

/** One version, from its binary to a line that says how it went. */
async function tryOn(version) {
  let binary
  try {
    binary = (await installed(version)) ?? (await install(version))
  } catch (error) {
    return {
      isGood: false,
      text: `Node ${version} NOT RUN: ${error.message}`,
    }
  }
  console.log(`\n== Node ${version}`)
  const start = Date.now()
  const failed = await runSuite(binary)
  const time = `${Math.round((Date.now() - start) / 1000)} s`
  return failed === undefined
    ? { isGood: true, text: `Node ${version} passed in ${time}` }
    : { isGood: false, text: `Node ${version} FAILED in ${time}: ${failed}` }
}

/** Resolves to what failed. */
async function runSuite(binary) {
  const path = `${dirname(binary)}${delimiter}${process.env.PATH ?? ''}`
  const args = [suite, ...options, ...files]
  running = spawn(binary, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  })
  try {
    const failed = tell(running.stdout)
    const { code, isLate } = await endOf(running)
    if (isLate) return `not done after ${longestRun / 60_000} minutes`
    if (code === 0) return undefined
    return failed.join(', ') || `the runner exited with ${code}`
  } finally {
    running = undefined
  }
}

/** Of the runner's output a line a file, and its end. Gives what failed, in the end. */
function tell(output) {
  const failed = []
  let isEnd = false
  createInterface({ input: output }).on('line', (line) => {
    const told = /^fast: (\S+)/.exec(line)
    if (told !== null) isEnd = true
    if (told?.[1] === 'FAILED:')
      failed.push(line.slice('fast: FAILED: '.length))
    if (isEnd || /^(ok |not ok |# )/.test(line)) console.log(line)
  })
  return failed
}

async function endOf(child) {
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGTERM')
  }, longestRun)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  return { code: code ?? signal, isLate }
}

/** The binary's path, when it is there and says that it is this version. */
async function installed(version, directory = join(cache, version)) {
  const home = join(directory, 'node_modules', packageName())
  const text = await readFile(join(home, 'package.json'), 'utf8').catch(
    () => undefined,
  )
  if (text === undefined) return undefined
  const binary = join(home, JSON.parse(text).bin.node)
  const found = execFileSync(binary, ['--version'], { encoding: 'utf8' })
  return found.trim() === `v${version}` ? binary : undefined
}

/** In a directory beside, so that an interrupted installation is none. */
async function install(version) {
  const directory = join(cache, `${version}.part`)
  await rm(directory, { recursive: true, force: true })
  const name = `${packageName()}@${version}`
  console.log(`\n== installing ${name}`)
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts']
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  const where = `--prefix=${directory}`
  running = spawnNpm(['install', where, ...options, ...quiet, name])
  const [code] = await once(running, 'close')
  running = undefined
  if (code !== 0) throw new Error(`npm could not install ${name}, see above`)
  if ((await installed(version, directory)) === undefined) {
    throw new Error(`${name} does not hold Node ${version}`)
  }
  await rm(join(cache, version), { recursive: true, force: true })
  await rename(directory, join(cache, version))
  return installed(version)
}

/** npm's own name where this is run by npm: on Windows `npm` is a script. */
function spawnNpm(args) {
  const cli = process.env.npm_execpath
  const [command, ...before] =
    cli === undefined ? ['npm'] : [process.execPath, cli]
  return spawn(command, [...before, ...args], { stdio: 'inherit' })
}

/** Binaries for Apple's own processors are under a name of their own. */
function packageName() {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const target = `${platform}-${process.arch}`
  return target === 'darwin-arm64' ? `node-bin-${target}` : `node-${target}`
}
