#!/usr/bin/env node
/**
 * Plants faults in a copy of the sources, one at a time, and says which tier of the
 * tests finds each: `node test/mutants/run.js`, or with numbers from 1, those alone.
 * The copy must pass as it is. A fault that no tier finds is a failure; so is a
 * first tier that misses more than two.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mutants, mutated } from './mutants.js'
import { copyTo, libFiles } from './sources.js'

/** Of the faults, that the first tier may leave to the second. */
const mostMissed = 2

let running
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    running?.kill(signal)
    process.exitCode = 1
  })
}

const wanted = process.argv.slice(2).map(Number)
const directory = mkdtempSync(join(tmpdir(), 'pawl-mutants-'))
try {
  const files = libFiles()
  const planted = mutants
    .map((mutant, index) => ({ number: index + 1, mutant }))
    .filter(({ number }) => wanted.length === 0 || wanted.includes(number))
    .map(({ number, mutant }) => ({
      number,
      name: mutant.name,
      file: mutated(mutant, files),
    }))
  copyTo(directory)
  if ((await finder(['fast'])) !== undefined) {
    throw new Error('the tests fail without any fault: nothing can be said')
  }
  const missed = { fast: 0, all: 0 }
  for (const { number, name, file } of planted) {
    const path = join(directory, file.name)
    writeFileSync(path, file.text)
    const found = await finder(['fast', 'more'])
    writeFileSync(path, files.find((one) => one.name === file.name).text)
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

/** The first tier that fails, and by which file; undefined when all pass. */
async function finder(tiers) {
  for (const tier of tiers) {
    const args = [join(directory, 'test/run.js'), `--tier=${tier}`, '--bail']
    running = spawn(process.execPath, args, {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    running.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    const [code, signal] = await once(running, 'close')
    if (signal !== null || process.exitCode === 1)
      throw new Error('interrupted')
    if (code === 0) continue
    const failed = /^not ok \d+ - (\S+)/m.exec(output)?.[1]
    const last = [...output.matchAll(/^# Subtest: (\S+)/gm)].at(-1)?.[1]
    return { tier, by: failed ?? last ?? 'the run itself' }
  }
  return undefined
}
