#!/usr/bin/env node
/**
 * Runs the tests of a tier with tap: `npm test`, `npm run test:more`, `test:long`.
 *
 *     node test/run.js                    the first tier, three minutes
 *     node test/run.js --tier=more        what takes a quarter of an hour
 *     node test/run.js test/cli           its files in a folder
 *     node test/run.js --again            failures are played once more, see below
 *     node test/run.js test/cli/put.test.ts --bail     other options are tap's
 *
 * Which file is in which tier is in its name, see `support/tier-files.js`. What
 * failed is said again at the end; the last line counts. With `--again`, as in CI, up
 * to three files that failed are run once more, alone: a failure that does not repeat
 * is said as unsteady, and does not fail the run. What is run are the compiled files (`support/compiled.js`); with an
 * option it is `tap run`, which takes half as long again. tap's own way to a file,
 * `npx tap run test/cli/put.test.ts`, works as well; of a folder it finds nothing,
 * since it does not look for TypeScript.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { countsIn } from './support/tap-counts.js'
import { failuresIn } from './support/tap-failures.js'
import { testsOf, tiers } from './support/tier-files.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
const tapFiles = join(root, 'test/support/tap-files.js')
const prepare = join(root, 'test/support/prepare.js')
const built = join(root, 'node_modules/.cache/pawl-tap-built')

/** Seconds for one file; tests of the last tier have hours, and say so: 0 is no limit. */
const timeouts = { fast: 400, more: 840, long: 0 }

/** More files that fail are no accident of the machine. */
const mostUnsteady = 3

/** What is under way, which a signal ends with its own. */
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal)
  })
}

try {
  const { tier, places, options, isAgain } = wordsOf(process.argv.slice(2))
  const files = testsOf(tier, root, places)
  await Promise.all([buildTap(), compile()])
  process.exitCode = await runTests(tier, files, options, isAgain)
} catch (error) {
  console.error(`test/run.js: ${error.message}`)
  process.exitCode = 2
}

function wordsOf(words) {
  let tier = 'fast'
  let isAgain = false
  const places = []
  const options = []
  for (const word of words) {
    const given = /^--tier=(.*)$/.exec(word)?.[1]
    if (given !== undefined) tier = given
    else if (word === '--again') isAgain = true
    else if (word.startsWith('-')) options.push(word)
    else places.push(relative(root, word))
  }
  if (!tiers.includes(tier)) {
    throw new Error(`--tier=${tier}: expected ${tiers.join(', ')}`)
  }
  const all = places.length > 0 ? places : ['test']
  return { tier, places: all, options, isAgain }
}

/**
 * tap comes with plugins that `.taprc` leaves out, and would load them into every
 * process of a first run.
 */
async function buildTap() {
  const made = createHash('sha256')
    .update(readFileSync(join(root, '.taprc')))
    .update(readFileSync(join(root, 'node_modules/tap/package.json')))
    .digest('hex')
  if (existsSync(built) && readFileSync(built, 'utf8') === made) return
  console.log('# first run: building tap with the plugins of .taprc')
  const [code] = await ended(
    start([tap, 'build'], { stdio: ['ignore', 'ignore', 2] }),
  )
  if (code !== 0) throw new Error('tap could not be built, see above')
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  writeFileSync(built, made)
}

/** In a process of its own, beside tap's building: neither uses more than one core. */
async function compile() {
  const [code] = await ended(start([prepare], { stdio: 'inherit' }))
  if (code !== 0) throw new Error('the tests could not be compiled, see above')
}

/** Resolves to the exit code. */
async function runTests(tier, files, options, isAgain) {
  const begin = performance.now()
  const env = { ...process.env, PAWL_TIER: tier }
  const first = await runFiles(tier, files, options, env)
  const { output } = first
  let { code } = first
  const counts = countsIn(output)
  if (counts === undefined) {
    console.log(`\n${tier}: the run did not come to its end`)
    return code || 1
  }
  const failures = failuresIn(output)
  if (
    isAgain &&
    code !== 0 &&
    (await passAgain(tier, failures, options, env))
  ) {
    code = 0
  }
  tell(tier, failures, code === 0 ? 'unsteady, passed alone' : 'FAILED')
  const { passed, failed, skipped } = counts
  const rest = skipped > 0 ? `, ${skipped} skipped` : ''
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(
    `\n${tier}: ${passed} passed, ${failed} failed${rest}, in ${seconds} s`,
  )
  return code
}

/** One file after the other, with the machine to itself. */
async function passAgain(tier, failures, options, env) {
  if (failures.length === 0 || failures.length > mostUnsteady) return false
  for (const { file } of failures) {
    console.log(`\n# once more: ${file}`)
    const { code } = await runFiles(tier, [file], options, env)
    if (code !== 0) return false
  }
  return true
}

function tell(tier, failures, how) {
  for (const { file, text } of failures) {
    console.log(`\n${tier}: ${how}: ${file}\n${text}`)
  }
}

async function runFiles(tier, files, options, env) {
  // Tests wait, for servers and children: one more than can run at a time.
  const jobs = availableParallelism() + 1
  const seconds = timeouts[tier]
  if (options.length > 0) {
    const limits = [`--jobs=${jobs}`, `--timeout=${seconds}`]
    const args = [tap, 'run', ...limits, ...options, ...files]
    return process.stdout.isTTY
      ? inTerminal(args, env)
      : inPipe(start(args, { stdio: ['ignore', 'pipe', 'inherit'], env }))
  }
  const wanted = JSON.stringify({ jobs, seconds, files, tier })
  const tests = start([tapFiles, wanted], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  if (!process.stdout.isTTY) return inPipe(tests)
  const drawn = start([tap, 'run', '-'], { stdio: ['pipe', 'inherit', 2] })
  const { code, output } = await inPipe(tests, drawn.stdin)
  drawn.stdin.end()
  await ended(drawn)
  return { code, output }
}

/** tap draws; what it says is in a file as well. */
async function inTerminal(args, env) {
  const directory = mkdtempSync(join(tmpdir(), 'pawl-run-'))
  const file = join(directory, 'output.tap')
  try {
    const given = [...args, `--output-file=${file}`]
    const [code] = await ended(start(given, { stdio: 'inherit', env }))
    return { code: code ?? 1, output: readFileSync(file, 'utf8') }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function inPipe(child, to = process.stdout) {
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    to.write(text)
  })
  const [code] = await ended(child)
  return { code: code ?? 1, output }
}

function start(args, options) {
  const child = spawn(process.execPath, args, { cwd: root, ...options })
  running.add(child)
  return child
}

async function ended(child) {
  try {
    return await once(child, 'close')
  } finally {
    running.delete(child)
  }
}
