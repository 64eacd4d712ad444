/**
 * Killed with SIGKILL at every step: a run in this process tells the steps, and
 * for each of them a process of its own dies there. Then the same call is made
 * again: the object is the source, and nothing that was stored is sent again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { runJob, type CrashJob } from './crash-job.js'
import {
  key,
  part,
  send,
  smallUploads,
  type SmallUploads,
} from './small-upload.js'

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

/** Processes at once. */
const lanes = 2

/** Resolves to the number of kills. */
export async function killAtEveryStep(
  t: Test,
  sources: string,
  scenario: CrashScenario,
): Promise<number> {
  const steps = await stepsOf(t, scenario)
  const died = new Set<string>()
  let kills = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      const step = steps.shift()
      if (step === undefined) return
      if (sameAsNeighbour.has(step.kill)) continue
      if (!(await killOnce(t, sources, scenario, step))) continue
      died.add(step.kill)
      kills++
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  for (const step of scenario.steps) t.ok(died.has(step), `killed ${step}`)
  t.comment(`${kills} kills`)
  return kills
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
  sources: string,
  scenario: CrashScenario,
  { kill, occurrence }: Step,
): Promise<boolean> {
  const { bytes, discard = false } = scenario
  const { dev, job } = await begin(t, scenario)
  const child = spawn(
    process.execPath,
    [
      join(sources, 'test/fixtures/crash-child.js'),
      JSON.stringify({ ...job, kill, occurrence }),
    ],
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

async function goOn(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  what: string,
): Promise<void> {
  const open = new Set(dev.server.openUploads().map(({ uploadId }) => uploadId))
  const stored = new Set(
    dev
      .seen('UploadPart')
      .filter(({ applied, uploadId = '' }) => applied && open.has(uploadId))
      .map(({ partNumber }) => partNumber),
  )
  const isThere =
    dev.server.objectPath('examplebucket', key) !== undefined &&
    bytes.equals(await dev.object(key))
  const since = dev.server.requests.length
  const result = await dev.run(bytes)
  const sent = dev.partsSince(since)
  const again = sent.filter((number) => stored.has(number))
  // What was voided is not gone on with; then nothing of it is in the result.
  if (result.resumed && again.length > 0) {
    t.fail(`${what}: stored parts were sent again`, { again })
  }
  if (result.resumed && isThere && sent.length > 0) {
    t.fail(`${what}: the object was there`, { sent })
  }
}

async function mustBe(
  t: Test,
  dev: SmallUploads,
  bytes: Buffer,
  what: string,
): Promise<void> {
  const object = await dev.object(key)
  if (!object.equals(bytes)) t.fail(`${what}: the object is not the source`)
  if (dev.logExists()) t.fail(`${what}: the log is left`)
  const left = dev.server.openUploads()
  // Its ID was not on disk yet.
  const isOrphan = left.length === 1 && left[0]?.parts === 0
  const mayBeOrphan = /createUpload|write|datasync|syncDirectory/.test(what)
  if (left.length > 0 && !(isOrphan && mayBeOrphan)) {
    t.fail(`${what}: uploads are left`, { left })
  }
  t.pass(what)
}

/** Ends a first run when `count` parts are stored. */
export async function suspendAfter(
  dev: SmallUploads,
  bytes: Buffer,
  count: number,
): Promise<void> {
  const upload = dev.upload({ concurrency: 1 })
  let stored = 0
  upload.on('part', () => {
    if (++stored === count) upload.destroy()
  })
  await send(upload, bytes).catch(() => undefined)
}

/** Ends a first run whose Complete went through without its knowing. */
export async function suspendInComplete(
  dev: SmallUploads,
  bytes: Buffer,
): Promise<void> {
  dev.server.setFault(({ operation }) =>
    operation === 'CompleteMultipartUpload' || operation === 'HeadObject'
      ? { kind: 'status', status: 500, apply: true }
      : undefined,
  )
  await dev.fail(bytes, { retry: { attempts: 1 } })
  dev.server.setFault(undefined)
}
