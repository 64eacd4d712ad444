/**
 * A fleet on a real queue, whose workers are killed, and its database as well. What
 * is looked at is work and not time: no object is made twice, but what was under way.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  fleetStatus,
  planFleet,
  retryFleet,
  walkFiles,
  type FleetQueue,
  type FleetStatus,
} from '../../../lib/fleet/index.js'
import type { ObjectStore } from '../../../lib/index.js'
import type { FleetChildJob } from '../../fixtures/fleet-child.js'
import { simulateFleet } from '../../fleet/simulation.js'
import { compiledFixture } from '../../support/compiled.js'
import { devStore } from '../../support/dev-store.js'
import { storeCall } from '../../support/store-call.js'
import { startChild, type UploadChild } from '../../support/upload-child.js'
import {
  FleetFiles,
  wrongAnswers,
  wrongObjects,
  type FleetOutcomes,
  type FleetSizes,
} from './fleet-files.js'
import { FleetRequests } from './fleet-requests.js'

const MiB = 1024 * 1024

/** What there is to upload, and how often what is killed. */
export interface FleetSize {
  files: FleetSizes
  /** ms; a short one takes a busy machine for a dead one now and then. */
  lease: number
  /** ms between two kills of workers. */
  killEvery: number
  /** Kills of the database, one every second kill of a worker. */
  queueKills: number
}

/** Where a queue is. */
export interface FleetEngine {
  queue: FleetQueue
  /** How a child reaches it. */
  reach: Pick<FleetChildJob, 'redis' | 'postgres' | 'queue'>
  /** Kills it, and starts it again with what it had. */
  fall: () => Promise<void>
}

export interface FleetRun {
  files: number
  kills: number
}

const machines = 4
/** Files of one worker that are under way at once. */
const atOnce = 16
const fleet = 'engines'
const prefix = 'in/'
const key = ({ path }: { path: string }): string => prefix + path

/** Until every object is its file. `beforeEnd` looks at the queue in the end. */
export async function runFleet(
  t: Test,
  { queue, reach, fall }: FleetEngine,
  size: FleetSize,
  beforeEnd: (run: FleetRun) => Promise<void> = async () => undefined,
): Promise<void> {
  const directory = await largeDirectory(t)
  const root = join(directory, 'data')
  const files = new FleetFiles(root, size.files)
  files.write()
  const all = files.count
  const requests = new FleetRequests(all, (to) =>
    to.startsWith(prefix) ? files.numberOf(to.slice(prefix.length)) : undefined,
  )
  const dev = await devStore(t, {
    directory: join(directory, 'server'),
    keepRequests: false,
    fault: requests.fault,
  })
  const { server, store } = dev
  const plan = () =>
    planFleet({ queue, fleet, store, files: walkFiles(root), key })
  const planned = await plan()
  t.equal(planned.files, all)
  const job: FleetChildJob = {
    ...reach,
    endpoint: server.endpoint,
    root,
    prefix,
    lease: size.lease,
  }
  const start = (): UploadChild =>
    startChild(compiledFixture('fleet-child'), job)
  const workers = Array.from({ length: machines }, start)
  t.teardown(() => workers.forEach((worker) => worker.kill()))
  const begun = performance.now()
  let kills = 0
  let falls = 0
  let falling: Promise<void> = Promise.resolve()
  const killing = setInterval(() => {
    const index = kills++ % machines
    workers[index]?.kill()
    workers[index] = start()
    if (falls < size.queueKills && kills % 2 === 0) {
      falls += 1
      falling = fall()
    }
  }, size.killEvery)
  let before: FleetStatus | undefined
  try {
    for (;;) {
      const asked = performance.now()
      const status = await fleetStatus({ queue, fleet, store }).catch(
        () => undefined,
      )
      if (status !== undefined) mustBeTrue(t, status, before, all)
      before = status ?? before
      if (status?.slicesDone === status?.slices && status?.isPlanned) break
      // It asks for each slice: workers are to have most of what the server can do.
      const pause = Math.max(2000, 9 * (performance.now() - asked))
      await new Promise((resolve) => {
        setTimeout(resolve, pause)
      })
    }
  } finally {
    clearInterval(killing)
    await falling
  }
  t.match(before, { left: 0, failed: 0, filesDone: all })
  const seconds = (performance.now() - begun) / 1000
  t.comment(`${all} files in ${seconds.toFixed(0)} s`)
  t.comment(`${kills} workers killed, the queue ${falls} times`)
  t.equal((await plan()).added, 0, 'planned again, nothing is added')
  for (const worker of workers) worker.kill()
  await Promise.all(workers.map(({ ended }) => ended))
  await beforeEnd({ files: all, kills })
  const failed = await retryFleet({ queue, fleet, store })
  t.equal(failed.files, 0, 'nothing has failed')
  requests.end()
  const outcomes = { server, files, fleet, slices: planned.slices, prefix }
  const large = files.countFrom(64 * MiB)
  const ofHead = await secondsOfHead(store, outcomes)
  const deaths = { kills, falls, seconds, ofHead }
  mustNotRepeat(t, requests, { files: all, large, ...deaths })
  tellSimulated(t, requests, { size, slices: planned.slices, kills, seconds })
  const compared = performance.now()
  const wrong = await wrongObjects(outcomes)
  t.same(wrong.slice(0, 5), [], 'every object is its file, by CRC-64')
  t.same(await wrongAnswers(outcomes, 200), [], 'and is what a client gets')
  const took = (performance.now() - compared) / 1000
  t.comment(`${all} objects were compared in ${took.toFixed(0)} s`)
}

/** One whose millions of files are removed as fast as the system can. */
async function largeDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pawl-fleet-'))
  await mkdir(join(directory, 'server'))
  t.teardown(async () => {
    const removing = spawn('rm', ['-rf', directory], { stdio: 'inherit' })
    await once(removing, 'close')
  })
  return directory
}

/** Nothing that is done is undone, and nobody works who is not there. */
function mustBeTrue(
  t: Test,
  status: FleetStatus,
  before: FleetStatus | undefined,
  all: number,
): void {
  const { files, filesDone, left, slices, slicesDone, active } = status
  const { workers, abandoned } = status
  const isTrue =
    files === all &&
    filesDone + left === files &&
    slicesDone <= slices &&
    filesDone >= (before?.filesDone ?? 0) &&
    workers <= active &&
    workers <= machines &&
    active + abandoned <= slices
  if (!isTrue) t.fail('a status that cannot be true', { status, before })
}

interface Repeats {
  files: number
  /** Files that are sent in parts. */
  large: number
  kills: number
  falls: number
  /** Of work. */
  seconds: number
  /** Seconds of a worker for a HEAD. */
  ofHead: number
}

/** Only what was under way at a death is sent again, and little is asked for. */
function mustNotRepeat(
  t: Test,
  requests: FleetRequests,
  { files, large, kills, falls, seconds, ofHead }: Repeats,
): void {
  const { madeAgain, begunAgain, bodies, parts, uploads } = requests
  const { proved } = requests
  const deaths = kills + falls
  t.comment(`made twice: ${madeAgain.files} files, ${madeAgain.parts} parts`)
  t.comment(`${large} files in ${parts} parts, ${uploads} uploads begun`)
  t.ok(madeAgain.files <= deaths * atOnce, 'no more than was under way')
  t.ok(madeAgain.parts <= deaths * atOnce, 'of large files, too')
  t.ok(uploads >= large && uploads <= large + deaths, 'they are gone on with')
  // As if each body had been whole, and workers had never waited for a slice.
  const ofBody = (machines * seconds) / bodies
  const work = (begunAgain * ofBody + proved * ofHead) / Math.max(1, kills)
  t.comment(
    `a kill repeats ${each(begunAgain, kills)} bodies of ${ms(ofBody)} and asks for ${each(proved, kills)} objects that are there, ${ms(ofHead)} each: ${work.toFixed(2)} s of a worker`,
  )
  // Of a few files, or of large ones, what is under way is more than that.
  if (files >= 10_000) t.ok(work <= 1, `${work} s of work a kill`)
}

/** What the simulation says of such a fleet, with the pace of this run. */
function tellSimulated(
  t: Test,
  { bodies, begunAgain, proved, missed }: FleetRequests,
  {
    size,
    slices,
    kills,
    seconds,
  }: { size: FleetSize; slices: number; kills: number; seconds: number },
): void {
  const files = bodies
  const sum = { deaths: 0, repeated: 0, asked: 0 }
  for (let seed = 1; seed <= 20; seed++) {
    const played = simulateFleet({
      files,
      fileSize: 1,
      sliceFiles: Math.ceil(files / slices),
      machines,
      line: Infinity,
      atOnce,
      latency: (atOnce * machines * seconds) / files,
      quota: { requests: Infinity, bytes: Infinity },
      life: (machines * size.killEvery) / 1000,
      // BullMQ looks for what is stalled once in a lease.
      lease: (1.5 * size.lease) / 1000,
      restart: 1,
      seed,
    })
    sum.deaths += played.deaths
    sum.repeated += played.repeated
    sum.asked += played.asked
  }
  const { deaths, repeated, asked } = sum
  const real = proved + missed
  t.comment(
    `simulated: ${each(repeated, deaths)} bodies and ${each(asked, deaths)} questions a death; real: ${each(begunAgain, kills)} and ${each(real, kills)}`,
  )
  // Of fewer deaths the averages say little.
  if (kills < 10) return
  t.ok(begunAgain <= kills * atOnce, 'no more than may be under way')
  const most = 2 * (asked / deaths) + 2 * atOnce
  t.ok(real / kills <= most, `${real / kills} questions, at most ${most}`)
}

/** As a worker asks, who has some under way at once. */
async function secondsOfHead(
  store: ObjectStore,
  { files }: FleetOutcomes,
): Promise<number> {
  const asked = Math.min(files.count, 1000)
  const numbers = Array.from({ length: asked }, (_, n) => n).values()
  const lane = async (): Promise<void> => {
    for (const n of numbers) {
      await store.headObject(`${prefix}${files.pathOf(n)}`, storeCall())
    }
  }
  const begun = performance.now()
  await Promise.all(Array.from({ length: atOnce }, lane))
  return (performance.now() - begun) / 1000 / asked
}

function ms(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`
}

function each(count: number, kills: number): string {
  return (count / Math.max(1, kills)).toFixed(1)
}
