/**
 * Killed with SIGKILL at a step: a run in this process tells the steps, and for
 * each of them a process of its own dies there. Then the same call is made again:
 * the object is the source, and nothing that was stored is sent again.
 *
 * The first tier kills at the first of each step that a scenario names, the others
 * at every one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { bareNode } from '../support/bare-node.js'
import { compiledFixture } from '../support/compiled.js'
import { runJob, type CrashJob } from '../support/crash-job.js'
import {
  key,
  part,
  smallUploads,
  type SmallUploads,
} from '../support/small-upload.js'
import { sized } from '../support/tier.js'
import { goOn, mustBe } from './next-run.js'

export interface CrashScenario {
  bytes: Buffer
  concurrency: number
  discard?: boolean
  /** Before the process that is killed. */
  before?: (dev: SmallUploads, bytes: Buffer) => Promise<void>
  /** Steps that must be among those it was killed at. */
  steps: readonly string[]
}

export const createSteps = ['before createUpload', 'after createUpload']
export const logSteps = ['before datasync', 'after datasync']
export const partSteps = ['before uploadPart', 'after uploadPart']
export const completeSteps = ['before completeUpload', 'after completeUpload']
export const removeSteps = ['before unlink', 'after unlink']

/** Nothing has happened since the step before them, or will until the next. */
const sameAsNeighbour = new Set([
  'before open existing',
  'before open new',
  'after write',
  'before syncDirectory',
])

/** How many records go in one write is a matter of time, and so how many writes. */
const mayNotCome = /^(before|after) (write|datasync)$/

const onlyNamed = sized({ fast: true, more: false, long: false })

/** Processes at once. */
const lanes = 2

export async function killAtSteps(
  t: Test,
  scenario: CrashScenario,
): Promise<void> {
  const steps = (await stepsOf(t, scenario)).filter(({ kill, occurrence }) =>
    onlyNamed
      ? scenario.steps.includes(kill) && occurrence === 1
      : !sameAsNeighbour.has(kill),
  )
  const died = new Set<string>()
  const survived: Step[] = []
  const path = compiledFixture('crash-child')
  const lane = async (): Promise<void> => {
    for (let step = steps.shift(); step; step = steps.shift()) {
      if (await killOnce(t, path, scenario, step)) died.add(step.kill)
      else survived.push(step)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  for (const step of scenario.steps) t.ok(died.has(step), `killed ${step}`)
  t.same(
    survived.filter(({ kill }) => !mayNotCome.test(kill)),
    [],
    'every step came, but for writes that were made together',
  )
}

interface Step {
  kill: string
  occurrence: number
}

async function stepsOf(t: Test, scenario: CrashScenario): Promise<Step[]> {
  const { dev, job } = await begin(t, scenario)
  const steps: Step[] = []
  const seen = new Map<string, number>()
  await runJob(job, (kill) => {
    const occurrence = (seen.get(kill) ?? 0) + 1
    seen.set(kill, occurrence)
    steps.push({ kill, occurrence })
  })
  await dev.server.close()
  return steps
}

async function begin(
  t: Test,
  { bytes, concurrency, discard = false, before }: CrashScenario,
): Promise<{ dev: SmallUploads; job: CrashJob }> {
  const dev = await smallUploads(t)
  await before?.(dev, bytes)
  const file = join(dev.directory, 'source')
  await writeFile(file, bytes)
  const job: CrashJob = {
    endpoint: dev.server.endpoint,
    key,
    checkpoint: dev.log,
    file,
    partSize: part,
    concurrency,
    discard,
  }
  return { dev, job }
}

/** Whether it died there. */
async function killOnce(
  t: Test,
  path: string,
  scenario: CrashScenario,
  { kill, occurrence }: Step,
): Promise<boolean> {
  const { bytes, discard = false } = scenario
  const { dev, job } = await begin(t, scenario)
  const child = spawn(
    ...bareNode(path, JSON.stringify({ ...job, kill, occurrence })),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [said, [code, signal]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ])
  const what = `${kill}, ${occurrence}`
  const isKilled = signal === 'SIGKILL'
  if (!isKilled && (code !== 0 || said !== 'finished')) {
    t.fail(`${what}: the process failed`, { code, signal })
  }
  if (discard && !isKilled) {
    t.notOk(dev.logExists(), 'the log is gone')
    t.same(dev.server.openUploads(), [], 'the upload is gone')
  }
  if (isKilled || discard) await goOn(t, dev, bytes, what)
  await mustBe(t, dev, bytes, what)
  await dev.server.close()
  return isKilled
}
