#!/usr/bin/env node
/**
 * Plants faults in a copy of the sources, one at a time, and says after how many
 * schedules the simulator finds each: `npm run test:mutants:simulation`, or with
 * numbers from 1, those alone. One that 5,000 schedules do not find is a failure.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mutated } from './mutants.js'
import { simulationMutants } from './simulation-mutants.js'
import { copyTo, libFiles } from './sources.js'

const schedules = 5000
const seed = 15

const wanted = process.argv.slice(2).map(Number)
const directory = mkdtempSync(join(tmpdir(), 'pawl-simulation-'))
try {
  const files = libFiles()
  copyTo(directory)
  let missed = 0
  for (const [index, mutant] of simulationMutants.entries()) {
    const number = index + 1
    if (wanted.length > 0 && !wanted.includes(number)) continue
    const fault = mutated(mutant, files)
    const original = files.find((one) => one.name === fault.name)
    writeFileSync(join(directory, fault.name), fault.text)
    const found = await firstFinding(mutant)
    writeFileSync(join(directory, original.name), original.text)
    if (found !== undefined) await mustHold(found.seed, mutant)
    if (found === undefined) missed++
    const by =
      found === undefined
        ? `NOT in ${schedules}`
        : `${found.number}, “${found.violation.invariant}”`
    console.log(`${number}. ${mutant.name} (${mutant.profile}): ${by}`)
  }
  console.log(`not found: ${missed}`)
  if (missed > 0) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** What breaks an invariant without any fault says nothing of one. */
async function mustHold(seed, { profile, leaning }) {
  const found = await firstIn({ schedules: 1, seed, profile, leaning })
  if (found === undefined) return
  throw new Error(
    `seed ${seed} of ${profile} breaks “${found.violation.invariant}” without any fault`,
  )
}

function firstFinding({ profile, leaning }) {
  return firstIn({ schedules, seed, profile, leaning })
}

/** The first invariant that does not hold; undefined when all do. */
function firstIn({ schedules, seed, profile, leaning }) {
  const args = [
    '--import',
    './test/support/typescript.js',
    '--disable-warning=DEP0205',
    'test/simulation/main.ts',
    `--schedules=${schedules}`,
    `--seed=${seed}`,
    `--profile=${profile}`,
    ...(leaning === undefined ? [] : [`--leaning=${leaning}`]),
    '--processes=1',
    '--one',
    '--json',
  ]
  const options = { cwd: directory, maxBuffer: 2 ** 24 }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout)[0])
      } catch {
        reject(new Error(`the simulator failed: ${error?.message}\n${stderr}`))
      }
    })
  })
}
