#!/usr/bin/env node
/**
 * Runs the tests of a tier with tap: `npm test`, `npm run test:more`, `test:long`.
 *
 *     node test/run.js                    the first tier, three minutes
 *     node test/run.js --tier=more        what takes a quarter of an hour
 *     node test/run.js test/cli           its files in a folder
 *     node test/run.js test/cli/put.test.ts --bail     options are tap's
 *
 * Which file is in which tier is in its name, see `support/tier-files.js`. The last
 * line counts. tap's own way to a file, `npx tap run test/cli/put.test.ts`, works as
 * well; of a folder it finds nothing, since it does not look for TypeScript.
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
import { testsOf, tiers } from './support/tier-files.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
const built = join(root, 'node_modules/.cache/pawl-tap-built')

/** Seconds for one file; tests of the last tier have hours, and say so. */
const timeouts = { fast: [], more: ['--timeout=840'], long: ['--timeout=0'] }

/** What is under way, which a signal ends with its own. */
let running
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => running?.kill(signal))
}

try {
  const { tier, places, options } = wordsOf(process.argv.slice(2))
  const files = testsOf(tier, root, places)
  await buildTap()
  process.exitCode = await runTests(tier, files, options)
} catch (error) {
  console.error(`test/run.js: ${error.message}`)
  process.exitCode = 2
}

function wordsOf(words) {
  let tier = 'fast'
  const places = []
  const options = []
  for (const word of words) {
    const given = /^--tier=(.*)$/.exec(word)?.[1]
    if (given !== undefined) tier = given
    else if (word.startsWith('-')) options.push(word)
    else places.push(relative(root, word))
  }
  if (!tiers.includes(tier)) {
    throw new Error(`--tier=${tier}: expected ${tiers.join(', ')}`)
  }
  return { tier, places: places.length > 0 ? places : ['test'], options }
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
  const [code] = await start(['build'], { stdio: ['ignore', 'ignore', 2] })
  if (code !== 0) throw new Error('tap could not be built, see above')
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  writeFileSync(built, made)
}

/** Resolves to the exit code. */
async function runTests(tier, files, options) {
  const begin = performance.now()
  const jobs = `--jobs=${availableParallelism()}`
  const args = ['run', jobs, ...timeouts[tier], ...options, ...files]
  const env = { ...process.env, PAWL_TIER: tier }
  const { code, output } = process.stdout.isTTY
    ? await inTerminal(args, env)
    : await inPipe(args, env)
  const counts = countsIn(output)
  if (counts === undefined) {
    console.log(`\n${tier}: the run did not come to its end`)
    return code || 1
  }
  const { passed, failed, skipped } = counts
  const rest = skipped > 0 ? `, ${skipped} skipped` : ''
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(
    `\n${tier}: ${passed} passed, ${failed} failed${rest}, in ${seconds} s`,
  )
  return code
}

/** tap draws; what it says is in a file as well. */
async function inTerminal(args, env) {
  const directory = mkdtempSync(join(tmpdir(), 'pawl-run-'))
  const file = join(directory, 'output.tap')
  try {
    const given = [...args, `--output-file=${file}`]
    const [code] = await start(given, { stdio: 'inherit', env })
    return { code: code ?? 1, output: readFileSync(file, 'utf8') }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function inPipe(args, env) {
  const ended = start(args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  let output = ''
  running.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    process.stdout.write(text)
  })
  const [code] = await ended
  return { code: code ?? 1, output }
}

function start(args, options) {
  running = spawn(process.execPath, [tap, ...args], { cwd: root, ...options })
  return once(running, 'close')
}
