/**
 * Runs subjects, prints their tables, keeps what was found.
 *
 *     npm run bench -- [--quick] [--runs N] [--size MIB] [subject ...]
 *
 * `lines/far` is one of the parts that a subject has. A subject, or such a part,
 * that is run again on one day replaces what its earlier run found.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chart } from './support/chart.js'
import { createInput } from './support/input.js'
import { compare } from './support/measure.js'
import { table } from './support/report.js'
import { startServer } from './support/start-server.js'

const MiB = 1024 * 1024
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const all = [
  'start',
  'part-pipeline',
  'stream-upload',
  'upload-file',
  'peers',
  'whole',
  'tls',
  'small-files',
  'replay',
  'compress',
  'log',
  'scale',
  'join',
  'lines',
  'pace',
  'commands',
  'memory',
]
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    size: { type: 'string' },
  },
})
const { quick } = flags
const runs = Number(flags.runs ?? (quick ? 1 : 5))
const size = Number(flags.size ?? (quick ? 256 : 1024)) * MiB
const chosen = positionals.length > 0 ? positionals : all
const subjects = chosen.map((choice) => choice.split('/')[0])
for (const name of subjects) {
  if (!all.includes(name)) {
    throw new Error(`no subject ${name}; there are ${all.join(', ')}`)
  }
}

const withPeers = ['peers', 'start', 'whole', 'tls', 'small-files', 'lines']
const needsPeers = subjects.some((name) => withPeers.includes(name))
if (needsPeers && !existsSync(here('node_modules'))) {
  console.error('installing the clients to compare with')
  execFileSync('npm', ['ci', '--prefix', here('.')], { stdio: 'inherit' })
}

const environment = {
  date: new Date().toISOString(),
  command: `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
  commit: commit(),
  node: process.version,
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, ${process.platform} ${process.arch}`,
  runs,
  size,
}
const input = await createInput()
const partSizes = [1, 8, 64].map((mib) => mib * MiB)
const server = await startServer(await input.crc64Table(partSizes))
const defaults = {
  job: await input.file(size),
  warmUp: await input.file(Math.min(size, 128 * MiB)),
}
const context = {
  runs,
  quick,
  size,
  input,
  server,
  compare: (contenders, options) =>
    compare(contenders, { ...defaults, ...options }),
}
const results = {}
try {
  for (const choice of chosen) {
    const [name, only] = choice.split('/')
    const { run, choices = [] } = await import(`./${name}.js`)
    if (only !== undefined && !choices.includes(only)) {
      throw new Error(`no ${choice}; ${name} has ${choices.join(', ')}`)
    }
    process.stderr.write(`${choice} `)
    const found = await run({ ...context, only })
    for (const { title, rows } of found.tables) console.log(table(title, rows))
    results[choice] = { ...environment, ...found }
  }
} finally {
  server.stop()
  await input.remove()
}
console.log(table('goals', goalsOf(results)))
await keep(results)

async function keep(found) {
  const day = environment.date.slice(0, 10)
  const name = here(`results/${day}${quick ? '-quick' : ''}`)
  await mkdir(here('results'), { recursive: true })
  const before = existsSync(`${name}.json`)
    ? JSON.parse(await readFile(`${name}.json`, 'utf8'))
    : {}
  const whole = { ...before, ...found }
  await writeFile(`${name}.json`, `${JSON.stringify(whole, undefined, 2)}\n`)
  // What a reader may use now, and nothing else: floors are in the tables.
  const lines = ['lines', 'lines/loopback', 'lines/far']
  const charts = lines.map((subject) => whole[subject]?.charts ?? {})
  const { loopback, far } = Object.assign({}, ...charts)
  if (loopback === undefined || far === undefined) return
  const { machine, node } = environment
  const caption = `${machine}; Node ${node}; ${environment.commit}; ${day}`
  await writeFile(`${name}.svg`, chart({ loopback, far }, caption))
}

function goalsOf(found) {
  return Object.values(found).flatMap(({ goals }) =>
    goals.map(({ goal, atLeast, atMost, measured }) => ({
      goal,
      measured: measured.toFixed(2),
      'at least': atLeast?.toFixed(2) ?? '',
      'at most': atMost?.toFixed(2) ?? '',
      met: isMet({ atLeast, atMost, measured }),
    })),
  )
}

function isMet({ atLeast, atMost, measured }) {
  if (atLeast !== undefined) return measured >= atLeast ? 'yes' : 'no'
  if (atMost !== undefined) return measured <= atMost ? 'yes' : 'no'
  return ''
}

/** `-dirty` when something was changed after it. */
function commit() {
  try {
    const args = ['--no-optional-locks', 'describe', '--always', '--dirty']
    return execFileSync('git', args, {
      cwd: here('.'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
