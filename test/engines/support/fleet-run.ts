/**
 * A fleet on a real queue, whose workers are killed, and its database as well. What
 * is looked at is work and not time: no object is made twice, but what was under way.
 */
import { once } from 'node:events'
import { mkdir, open, writeFile } from 'node:fs/promises'
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
import { Crc64Hashers } from '../../../lib/hash/crc64.js'
import type { FleetChildJob } from '../../fixtures/fleet-child.js'
import { compiledFixture } from '../../support/compiled.js'
import { devStore, noise, type DevStore } from '../../support/dev-store.js'
import { startChild, type UploadChild } from '../../support/upload-child.js'

const KiB = 1024
const MiB = 1024 * KiB

/** What there is to upload, and how often what is killed. */
export interface FleetSize {
  /** Files, and bytes of each. */
  files: readonly (readonly [count: number, bytes: number])[]
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
const key = ({ path }: { path: string }): string => `in/${path}`

/** Until every object is its file. `beforeEnd` looks at the queue in the end. */
export async function runFleet(
  t: Test,
  { queue, reach, fall }: FleetEngine,
  size: FleetSize,
  beforeEnd: (run: FleetRun) => Promise<void> = async () => undefined,
): Promise<void> {
  const dev = await devStore(t)
  const root = join(dev.directory, 'data')
  const large = await writeFiles(root, size.files)
  const { store } = dev
  const plan = () =>
    planFleet({ queue, fleet, store, files: walkFiles(root), key })
  const planned = await plan()
  const all = size.files.reduce((sum, [count]) => sum + count, 0)
  t.equal(planned.files, all)
  const job: FleetChildJob = {
    ...reach,
    endpoint: dev.server.endpoint,
    root,
    prefix: 'in/',
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
  mustNotRepeat(t, dev, { large, kills: kills + falls })
  await mustBeFiles(t, dev, root)
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

function mustNotRepeat(
  t: Test,
  dev: DevStore,
  { large, kills }: { large: number; kills: number },
): void {
  const stored = dev
    .seen('PutObject')
    .filter(({ applied, key: of = '' }) => applied && of.startsWith('in/'))
  const keys = new Set(stored.map(({ key: of }) => of))
  const parts = dev.seen('UploadPart').filter(({ applied }) => applied)
  const numbers = new Set(
    parts.map(({ key: of, partNumber }) => `${of} ${partNumber}`),
  )
  const files = stored.length - keys.size
  const again = parts.length - numbers.size
  const begun = dev.seen('CreateMultipartUpload').length
  t.comment(`sent a second time: ${files} files, ${again} parts`)
  t.comment(`${large} files in ${numbers.size} parts, ${begun} uploads begun`)
  t.ok(files <= kills * atOnce, 'only what was under way is sent again')
  t.ok(again <= kills * atOnce, 'and of large files, too')
  t.ok(begun >= large && begun <= large + kills, 'large files are gone on with')
}

async function mustBeFiles(
  t: Test,
  dev: DevStore,
  root: string,
): Promise<void> {
  const hashers = new Crc64Hashers()
  let wrong = 0
  for await (const { path } of walkFiles(root)) {
    const object = dev.server.objectPath('examplebucket', `in/${path}`)
    const one = await crc64Of(hashers, join(root, path))
    const other = object && (await crc64Of(hashers, object))
    if (one !== other) wrong += 1
  }
  t.equal(wrong, 0, 'every object is its file, by CRC-64')
}

/** Resolves to how many are sent in parts. */
async function writeFiles(
  root: string,
  sizes: FleetSize['files'],
): Promise<number> {
  const block = noise(9 * MiB)
  let n = 0
  let large = 0
  for (const [count, bytes] of sizes) {
    if (bytes >= 64 * MiB) large += count
    for (let i = 0; i < count; i++, n++) {
      const folder = join(root, `${Math.floor(n / 100)}`)
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `file-${n}`), piecesOf(block, n, bytes))
    }
  }
  return large
}

function* piecesOf(block: Buffer, n: number, bytes: number): Generator<Buffer> {
  const most = 8 * MiB
  for (let at = 0; at < bytes; at += most) {
    const from = ((n + at / MiB) * 97) % (block.length - most)
    yield block.subarray(from, from + Math.min(most, bytes - at))
  }
}

async function crc64Of(hashers: Crc64Hashers, path: string): Promise<string> {
  const hash = await hashers.create('crc64ecma')
  const handle = await open(path)
  const stream = handle.createReadStream({ highWaterMark: MiB })
  stream.on('data', (chunk) => {
    if (typeof chunk !== 'string') hash.update(chunk)
  })
  await once(stream, 'close')
  return hash.digest()
}
