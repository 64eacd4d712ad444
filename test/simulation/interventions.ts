/** What happens beside a run, or to it, each in one row. */
import { StoreError } from '../../lib/store/store-error.js'
import type { Process } from './process.js'
import type { Random } from './random.js'
import { key, logPath, sourcePath } from './places.js'
import type { Ending, Run } from './run.js'
import type { Scene } from './scene.js'
import type { CallName } from './store/contract.js'
import { outages } from './store/faults.js'
import { optionsText, type Actor, type StoredUpload } from './store/truth.js'

export interface Intervention {
  readonly name: string
  readonly weight: number
  readonly story: string
  /** False when there is nothing that it could be done to. */
  act(scene: Scene, run: Run, random: Random): boolean
}

const other: Actor = { name: 'another client' }
const options = optionsText(
  { contentType: 'application/other', metadata: { by: 'others' } },
  '',
)

function end(name: Ending, weight: number, story: string): Intervention {
  return { name, weight, story, act: (_scene, run) => run.endBy(name) }
}

function othersBytes(run: Run, random: Random): Uint8Array {
  const bytes = Uint8Array.from(run.sources[0] ?? [])
  if (bytes.length === 0) return random.bytes(5)
  const at = random.below(bytes.length)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  return bytes
}

/** Others hear of refusals as we do; false when nothing came of it. */
function isDone(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof StoreError) return false
    throw error
  }
}

/** The upload that a run of ours has begun last. */
function oursIn({ truth }: Scene): StoredUpload | undefined {
  return [...truth.uploads.values()].findLast(({ by }) => by.run !== undefined)
}

/** Whatever is done to a run and to what it leaves. */
export const interventions: readonly Intervention[] = [
  {
    name: 'kill',
    weight: 10,
    story: 'the process is killed',
    act: (scene, run, random) => scene.kill(run.process, random),
  },
  {
    name: 'power-loss',
    weight: 5,
    story: 'the machine loses its power',
    act: (scene, run, random) => scene.losePower(run.process.machine, random),
  },
  end('signal', 3, 'the caller aborts its signal'),
  end('destroy', 3, 'the caller destroys the stream'),
  end('discard', 3, 'the caller discards the upload'),
  end('source-error', 3, 'the source fails'),
  {
    name: 'stall',
    weight: 2,
    story: 'the source says nothing for a while',
    act(_scene, run, random) {
      if (run.plan.style === 'file') return false
      run.stall(random.spread(1000, 3_600_000))
      return true
    },
  },
  {
    name: 'pause',
    weight: 3,
    story: 'the process is paused',
    act(scene, { process }, random) {
      process.pausedUntil = scene.world.now + random.spread(1000, 7_200_000)
      return true
    },
  },
  {
    name: 'failover',
    weight: 2,
    story: 'a replica takes over, which has not heard of the last steps',
    act: (scene, _run, random) => scene.failOver(random),
  },
  {
    name: 'second-machine',
    weight: 3,
    story: 'a second machine gets a copy of the log and runs the same call',
    act: (scene, run, random) => scene.startOnSecondMachine(run, random),
  },
  {
    name: 'others-put-equal',
    weight: 4,
    story: 'another client puts an object of the same bytes there',
    act({ truth }, { sources }) {
      const [bytes] = sources
      if (bytes === undefined) return false
      truth.place(other, key, bytes, { options, mark: undefined })
      return true
    },
  },
  {
    name: 'others-put',
    weight: 3,
    story: 'another client puts an object of other bytes there',
    act({ truth }, run, random) {
      const bytes = othersBytes(run, random)
      truth.place(other, key, bytes, { options, mark: undefined })
      return true
    },
  },
  {
    name: 'others-copy-mark',
    weight: 3,
    story: 'a tool rewrites the object with other bytes and keeps its metadata',
    act({ truth }, run, random) {
      const model = truth.current(key)
      if (model?.mark === undefined) return false
      const { options: same, mark } = model
      truth.place(other, key, othersBytes(run, random), { options: same, mark })
      return true
    },
  },
  {
    name: 'others-delete',
    weight: 2,
    story: 'another client deletes the object',
    act({ truth }) {
      if (truth.current(key) === undefined) return false
      truth.deleteObject(key)
      return true
    },
  },
  {
    name: 'others-abort',
    weight: 3,
    story: 'a lifecycle rule aborts the upload',
    act(scene) {
      const upload = oursIn(scene)
      if (upload?.state !== 'open') return false
      scene.truth.abortUpload(other, upload.id)
      return true
    },
  },
  {
    name: 'others-send-part',
    weight: 2,
    story: 'another client sends a part of other bytes to the upload',
    act(scene, run, random) {
      const upload = oursIn(scene)
      if (upload?.state !== 'open') return false
      const most = Math.max(1, upload.parts.size)
      const part = { uploadId: upload.id, partNumber: 1 + random.below(most) }
      const bytes = random.bytes(run.plan.partSize)
      return isDone(() => scene.truth.uploadPart(other, part, bytes))
    },
  },
  {
    name: 'others-complete',
    weight: 1,
    story: 'another client completes the upload with the parts it has',
    act(scene) {
      const upload = oursIn(scene)
      if (upload?.state !== 'open' || upload.parts.size === 0) return false
      const parts = [...upload.parts]
        .toSorted(([a], [b]) => a - b)
        .map(([partNumber, { etag }]) => ({ partNumber, etag }))
      const request = { uploadId: upload.id, parts, object: {} }
      return isDone(() => scene.truth.completeUpload(other, request))
    },
  },
  {
    name: 'others-begin',
    weight: 1,
    story: 'another client begins an upload of the same key',
    act({ truth }) {
      const { uploadId } = truth.createUpload(other, { key, object: {} })
      const bytes = Buffer.from('theirs')
      truth.uploadPart(other, { uploadId, partNumber: 1 }, bytes)
      return true
    },
  },
  {
    name: 'right-lost',
    weight: 2,
    story: 'a right is taken away',
    act({ denied }, _run, random) {
      denied.add(
        random.pick<CallName>([
          'listParts',
          'headObject',
          'abortUpload',
          'uploadPart',
          'completeUpload',
          'listUploads',
        ]),
      )
      return true
    },
  },
  {
    name: 'rights-back',
    weight: 1,
    story: 'all rights are there again',
    act({ denied }) {
      if (denied.size === 0) return false
      denied.clear()
      return true
    },
  },
  {
    name: 'store-away',
    weight: 3,
    story: 'the store is away for a while',
    act(scene, _run, random) {
      const ms = random.spread(1000, 7_200_000)
      return scene.isAwayFor(ms, random.pick(outages))
    },
  },
  {
    name: 'file-changes',
    weight: 3,
    story: 'the file is written to',
    act({ engine }, run, random) {
      if (run.plan.style !== 'file') return false
      // For other machines it is known by its name alone: its caller vouches for it.
      if (engine !== undefined && run.plan.skips) return false
      const bytes = othersBytes(run, random)
      run.process.machine.sources.write(sourcePath, bytes)
      run.sources.push(bytes)
      return true
    },
  },
  {
    name: 'file-touched',
    weight: 1,
    story: 'the mode of the file changes',
    act(_scene, run) {
      if (run.plan.style !== 'file') return false
      run.process.machine.sources.touch(sourcePath)
      return true
    },
  },
]

/** What happens between two runs, when none is alive. */
export const interludes: readonly Intervention[] = [
  ...interventions.filter(({ name }) =>
    /^(others-|right|power-loss)/.test(name),
  ),
  {
    name: 'log-damaged',
    weight: 2,
    story: 'some bytes of the log are damaged',
    act({ machines: [{ disk }] }, _run, random) {
      // A run that was discarded may be ending still.
      if (disk.isLocked(logPath)) return false
      if ((disk.read(logPath)?.length ?? 0) === 0) return false
      disk.change(logPath, (bytes) => {
        const damaged = Buffer.from(bytes)
        const start = random.below(damaged.length)
        const end = start + 1 + random.below(200)
        damaged.fill(0, start, Math.min(damaged.length, end))
        return damaged
      })
      return true
    },
  },
  {
    name: 'log-cut',
    weight: 2,
    story: 'the log loses its end',
    act({ machines: [{ disk }] }, _run, random) {
      // A run that was discarded may be ending still.
      if (disk.isLocked(logPath)) return false
      if ((disk.read(logPath)?.length ?? 0) === 0) return false
      disk.change(logPath, (bytes) =>
        bytes.subarray(0, random.below(bytes.length)),
      )
      return true
    },
  },
  {
    name: 'log-lost',
    weight: 1,
    story: 'the log is deleted',
    act({ machines: [{ disk }] }) {
      if ((disk.read(logPath)?.length ?? 0) === 0) return false
      disk.take(logPath)
      return true
    },
  },
  {
    name: 'log-restored',
    weight: 3,
    story: 'an old copy of the log is restored',
    act({ machines: [{ disk }], oldLogs }, _run, random) {
      const [first, ...rest] = oldLogs
      if (first === undefined) return false
      const old = random.pick([first, ...rest])
      disk.take(logPath)
      disk.put(logPath, old)
      return true
    },
  },
]

/** Moments at which something can happen to a run. */
export type Moment = (name: string, process: Process) => void
