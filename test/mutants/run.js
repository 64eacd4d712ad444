#!/usr/bin/env node
/**
 * Plants faults in a copy of the sources, one at a time, and says which tier of the
 * tests finds each: `node test/mutants/run.js`, or with numbers from 1, those alone.
 * `--near` tries the likely tests alone, in a few minutes. What finds a fault must
 * pass without it. A fault that no tier finds is a failure; so is a first tier that
 * misses more than two.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { mutants, mutated } from './mutants.js'
import { copyTo, libFiles } from './sources.js'

/** Of the faults, that the first tier may leave to the second. */
const mostMissed = 2

let running
let isInterrupted = false
/** Tiers, and places in the first, that pass without a fault. */
const passed = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isInterrupted = true
    running?.kill(signal)
  })
}

const { values, positionals } = parseArgs({
  options: { near: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const wanted = positionals.map(Number)
const directory = mkdtempSync(join(tmpdir(), 'pawl-mutants-'))
try {
  const files = libFiles()
  const planted = mutants
    .map((mutant, index) => ({ number: index + 1, mutant }))
    .filter(({ number }) => wanted.length === 0 || wanted.includes(number))
    .map(({ number, mutant }) => ({
      number,
      name: mutant.name,
      near: mutant.near,
      file: mutated(mutant, files),
    }))
  copyTo(directory)
  await mustPass('fast', [...new Set(planted.flatMap(({ near }) => near))])
  const missed = { fast: 0, all: 0 }
  for (const { number, name, near, file } of planted) {
    const original = files.find((one) => one.name === file.name)
    let found = await finder('fast', near, file, original)
    if (!values.near) {
      found ??= await finder('fast', [], file, original)
      found ??= await finder('more', [], file, original)
    }
    if (found?.tier !== 'fast') missed.fast++
    if (found === undefined) missed.all++
    const by = found === undefined ? 'NOBODY' : `${found.tier}, ${found.by}`
    console.log(`${number}. ${name} (${file.name}): ${by}`)
  }
  console.log(
    `mutants: ${planted.length}, found by fast: ${planted.length - missed.fast}, by none: ${missed.all}`,
  )
  if (missed.all > 0 || missed.fast > mostMissed) process.exitCode = 1
} catch (error) {
  console.error(`mutants: ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** The tier, and the file of it that fails with a fault; undefined when all pass. */
async function finder(tier, places, fault, original) {
  await mustPass(tier, places)
  writeFileSync(join(directory, fault.name), fault.text)
  const by = await failing(tier, places)
  writeFileSync(join(directory, original.name), original.text)
  return by === undefined ? undefined : { tier, by }
}

/** What fails without any fault says nothing of one. */
async function mustPass(tier, places) {
  const what = [tier, ...places].join(' ')
  const isKnown = places.length > 0 && places.every((one) => passed.has(one))
  if (isKnown || passed.has(what)) return
  const by = await failing(tier, places)
  if (by !== undefined) throw new Error(`${by} fails without any fault`)
  for (const one of [what, ...places]) passed.add(one)
}

/** The file that fails, if one does. */
async function failing(tier, places) {
  const suite = join(directory, 'test/run.js')
  // Which file it was is not said by a run that is ended at the first failure.
  const bail = places.length > 0 ? [] : ['--bail']
  const args = [suite, `--tier=${tier}`, ...bail, ...places]
  running = spawn(process.execPath, args, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  running.stdout.setEncoding('utf8').on('data', (text) => (output += text))
  const [code, signal] = await once(running, 'close')
  if (signal !== null || isInterrupted) throw new Error('interrupted')
  if (code === 0) return undefined
  return failedIn(output) ?? 'any of its files'
}

/** The first file with a failure of its own. */
function failedIn(output) {
  let file
  for (const line of output.split('\n')) {
    file = /^# Subtest: (\S+)/.exec(line)?.[1] ?? file
    if (/^ +not ok /.test(line)) return file
  }
  return undefined
}
