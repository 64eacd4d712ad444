/**
 * `npm run simulate -- --help`: plays schedules, and tells of what was found as stories,
 * each with the command that tells it again.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { byKind, playAll, type Campaign, type Finding } from './campaign.js'
import { leanings } from './leanings.js'
import { planOf } from './plan.js'
import { playSchedule } from './scene.js'
import { shrink } from './shrink.js'
import { storyOf } from './story.js'
import { profileNames } from './store/profiles.js'

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    profile: { type: 'string' },
    leaning: { type: 'string' },
    processes: { type: 'string', default: `${availableParallelism()}` },
    stories: { type: 'string', default: '5' },
    except: { type: 'string', multiple: true, default: [] },
    whole: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    one: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const profile = profileNames.find((name) => name === values.profile)
if (values.profile !== undefined && profile === undefined) {
  throw new Error(`--profile is one of ${profileNames.join(', ')}`)
}
const { leaning } = values
if (leaning !== undefined && !leanings.some(({ name }) => name === leaning)) {
  const names = leanings.map(({ name }) => name).join(', ')
  throw new Error(`--leaning is one of: ${names}`)
}
const base: Omit<Campaign, 'first' | 'step'> = {
  seed: Number(values.seed),
  schedules: Number(values.schedules),
  except: values.except,
  isOneEnough: values.one,
  ...(profile === undefined ? {} : { profile }),
  ...(leaning === undefined ? {} : { leaning }),
}

const usage = `Usage: npm run simulate -- [options]

  --schedules N    how many are played (default 1000); 1: the one that SEED names
  --seed S         the same seed plays the same schedules (default: by the clock)
  --profile P      one sort of store: ${profileNames.join(', ')}
  --leaning L      what all of them lean to:
${leanings.map(({ name }) => `                     '${name}'`).join('\n')}
  --except I       an invariant that is not looked at; may be given again
  --processes N    (default: one for each core)
  --stories N      how many kinds of violations are told (default 5)
  --whole          tells a schedule as it is, not made small
  --one            ends with the first violation
  --json           prints what was found as JSON
  --help

The exit code is 1 when an invariant did not hold.`

if (values.help) {
  console.log(usage)
} else if (
  process.send !== undefined &&
  process.env['PAWL_SIMULATION'] !== undefined
) {
  const part = JSON.parse(process.env['PAWL_SIMULATION']) as Campaign
  const found = await playAll(part)
  process.send(found, () => process.disconnect())
} else {
  process.exitCode = await simulate()
}

async function simulate(): Promise<number> {
  const { seed, schedules } = base
  const processes = Math.min(Number(values.processes), schedules)
  const began = performance.now()
  const found = (
    await Promise.all(
      Array.from({ length: processes }, (_, first) =>
        inAProcess({ ...base, first, step: processes }),
      ),
    )
  ).flat()
  const minutes = (performance.now() - began) / 60_000
  if (values.json) {
    console.log(JSON.stringify(found))
    return found.length > 0 ? 1 : 0
  }
  const kinds = byKind(found)
  for (const [index, findings] of kinds.entries()) {
    const [first] = findings
    if (first === undefined) continue
    console.log(
      `\n${findings.length} × “${first.violation.invariant}”: ${first.violation.text}`,
    )
    const isTold = index < Number(values.stories)
    console.log(isTold ? await tell(first) : `\n${again(first)}\n`)
  }
  console.log(
    `\n${schedules} schedules with seed ${seed}: ${found.length} violations of ${kinds.length} kinds, ${Math.round(schedules / minutes)} schedules a minute with ${processes} processes`,
  )
  return found.length > 0 ? 1 : 0
}

function inAProcess(part: Campaign): Promise<Finding[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
      env: { ...process.env, PAWL_SIMULATION: JSON.stringify(part) },
    })
    child.once('message', (message) => resolve(message as Finding[]))
    child.once('error', reject)
    child.once('close', (code) =>
      // When it has been heard, this is too late to matter.
      reject(new Error(`a process of the simulation ended with ${code}`)),
    )
  })
}

async function tell({ seed }: Finding): Promise<string> {
  const { except } = base
  const played = await playSchedule(seed, planOf(seed, profile, leaning), {
    except,
  })
  const small = values.whole ? played : await shrink(played, except)
  return `${storyOf(small)}\n\n${again({ seed })}\n`
}

/** The command that tells of it again. */
function again({ seed }: Pick<Finding, 'seed'>): string {
  const options = [
    profile === undefined ? '' : ` --profile ${profile}`,
    leaning === undefined ? '' : ` --leaning '${leaning}'`,
  ].join('')
  return `  npm run simulate -- --schedules 1 --seed ${seed}${options}`
}
