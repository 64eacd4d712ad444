/**
 * What must be true, each as a sentence and as a look at the truth: never at
 * what the library or the store says of itself, unless that is what is judged.
 */
import type { LogState } from '../../../lib/checkpoint/fold.js'
import type { UploadResult } from '../../../lib/upload/options/result.js'
import { key, logPath } from '../places.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { World } from '../world.js'
import type { Traits } from '../store/profiles.js'
import type { Actor, StoredObject, StoredUpload } from '../store/truth.js'
import { logOn, openUploadIn } from './log.js'

/** `of` says how it does not hold, or nothing. */
export interface Check<Of extends unknown[]> {
  readonly name: string
  readonly says: string
  readonly of: (scene: Scene, ...of: Of) => string | undefined
}

/** When an object is made: of whom, and what was on top before. */
export const onMade: readonly Check<
  [StoredObject, StoredObject | undefined]
>[] = [
  {
    name: 'an object is one run’s whole source',
    says: 'Whatever a run makes is all the bytes of its own source.',
    of(scene, { by, bytes, upload }) {
      const run = scene.runs.find(({ number }) => number === by.run)
      if (run === undefined || isOneOf(bytes, run.sources)) return undefined
      if (isDamagedUnseen(scene, run, upload === undefined)) return undefined
      if (isMixedByOthers(scene)) return undefined
      const other = scene.runs.find(({ sources }) => isOneOf(bytes, sources))
      return `${by.name} has made an object of ${bytes.length} bytes that is ${other === undefined ? 'no source of any run' : `the source of ${other.actor.name}`}`
    },
  },
  {
    name: 'an object has its run’s options',
    says: 'Whatever a run makes has the options of that run.',
    of(scene, { by, options }) {
      const run = scene.runs.find(({ number }) => number === by.run)
      if (run === undefined || run.options === options) return undefined
      return `${by.name} asked for ${run.options} and has made ${options}`
    },
  },
  {
    name: 'what must not be overwritten is not',
    says: 'With forbidOverwrite an object that was there before is not replaced.',
    of(scene, { by, isShown }, before) {
      const run = scene.runs.find(({ number }) => number === by.run)
      const mayNotLook = scene.denied.has('headObject')
      const { headLag } = scene.truth.traits
      if (!run?.plan.object.forbidOverwrite || before === undefined)
        return undefined
      if (mayNotLook || !isShown || before.at + headLag > run.startedAt)
        return undefined
      // One of our own that no caller has heard of is the claim’s business.
      return before.by.run === undefined
        ? `${by.name} has replaced what ${before.by.name} had put there`
        : undefined
    },
  },
  {
    name: 'nothing of an earlier run replaces what was told of',
    says: 'A Complete that was under way when a later run began is dead before that run succeeds.',
    of({ runs, world, truth }, { by, upload, isShown }, before) {
      if (truth.traits.completeAgain === 'another-version') return undefined
      if (by.run === undefined || upload === undefined || !isShown) {
        return undefined
      }
      if (happened(world, unknownLogs) || happened(world, ['power-loss'])) {
        return undefined
      }
      const number = by.run
      const run = runs.find((one) => one.number === number)
      if (run?.plan.log !== true) return undefined
      const later = runs.find(
        ({ number: other, outcome }) =>
          other > number &&
          outcome?.kind === 'success' &&
          before !== undefined &&
          before.by.run === other,
      )
      return later === undefined
        ? undefined
        : `${by.name} has replaced the object of ${later.actor.name}, which had resolved`
    },
  },
]

/** When an open upload is aborted. */
export const onAbort: readonly Check<[StoredUpload, Actor]>[] = [
  {
    name: 'nobody else’s upload is aborted',
    says: 'Cleaning up touches only what our runs have begun.',
    of: (_scene, upload, by) =>
      by.run !== undefined && upload.by.run === undefined
        ? `${by.name} has aborted ${upload.id}, begun by ${upload.by.name}`
        : undefined,
  },
]

/** When a run has ended, however it did. */
export const afterRun: readonly Check<[Run]>[] = [
  {
    name: 'success is an object of its own',
    says: 'A run that resolves has an object of its bytes and options, made by its upload.',
    of: ifSuccess(successIsTrue),
  },
  {
    name: 'the object was under the key',
    says: 'The object of a run that resolves was on top of its key while it ran, or the result says that it is not.',
    of: ifSuccess((scene, run, result) => {
      if ((result as { current?: boolean }).current === false) return undefined
      const { truth, world } = scene
      if (ownObjects(scene, run, result).length === 0) return undefined
      const isShown = ownObjects(scene, run, result).some((object) =>
        truth.wasOnTop(key, object, run.startedAt, world.now),
      )
      // Without a look, or an ETag to compare, it cannot say what has precedence.
      const mayNotLook =
        truth.traits.order === 'initiate' &&
        happened(world, ['denied', 'right-lost', 'empty-etag'])
      // Without a mark, equal is all that can be known of an older log's object.
      const isEqual =
        truth.current(key)?.mark === undefined &&
        happened(world, ['second-machine', 'log-restored'])
      const isExcused = mayNotLook || isEqual || isRewritten(scene, run, result)
      return isShown || isExcused || scene.denied.has('headObject')
        ? undefined
        : 'its object was never on top of the key'
    }),
  },
  {
    name: 'every field of the result is true',
    says: 'Size, ETag, CRC-64, version, parts and reuse are those of the object.',
    of: ifSuccess(resultIsTrue),
  },
  {
    name: 'the log is gone, or said to be left',
    says: 'After success the log is removed, or checkpointLeft is true.',
    of: ifSuccess((_scene, { plan, process }, { checkpointLeft }) => {
      if (!plan.log) return undefined
      const isThere = process.machine.disk.read(logPath) !== undefined
      return isThere === checkpointLeft
        ? undefined
        : `checkpointLeft is ${checkpointLeft}, the log is ${isThere ? 'there' : 'gone'}`
    }),
  },
  {
    name: 'resumable means an upload in the log',
    says: 'A failure is resumable only when the log holds an upload that is not void.',
    of(_scene, { outcome, process, plan }) {
      if (outcome?.kind !== 'failure') return undefined
      const { resumable, code } = outcome.error as Failure
      if (resumable !== true || code === 'PAWL_CHECKPOINT_LOCKED')
        return undefined
      if (!plan.log) return `${code} is resumable, and there is no log`
      const state = logOn(process.machine.disk)
      const isKept =
        openUploadIn(state) !== undefined ||
        state?.put?.completing !== undefined
      return isKept
        ? undefined
        : `${code} is resumable, and the log holds ${state === undefined ? 'nothing' : 'no upload that is open'}`
    },
  },
  {
    name: 'no upload is left that no log knows',
    says: 'An open upload of ours is in a log, so that a later run can end it.',
    of: (scene, run) =>
      run.outcome?.kind === 'killed' ? undefined : leftBehind(scene),
  },
  {
    name: 'what was told of is not claimed again',
    says: 'After a success has been handed out, the next run makes an object of its own.',
    of: ifSuccess((scene, run, { uploadId }) => {
      const before = toldBefore(scene, run, uploadId)
      return before === undefined
        ? undefined
        : `${run.actor.name} resolves with the upload of ${before.actor.name}, which had resolved`
    }),
  },
  {
    name: 'a changed source is no failure after a success',
    says: 'A stream fails as changed only for an object that nobody was told of.',
    of(scene, run) {
      if (run.outcome?.kind !== 'failure') return undefined
      const { code, uploadId } = run.outcome.error as Failure
      if (code !== 'PAWL_SOURCE_CHANGED') return undefined
      const made = scene.truth.objects.findLast(({ upload }) =>
        uploadId === undefined
          ? upload?.by.run !== undefined
          : upload?.id === uploadId,
      )
      const before = toldBefore(scene, run, made?.upload?.id)
      return before === undefined || run.sources.length > 1
        ? undefined
        : `the source is not that of ${before.actor.name}, which had resolved`
    },
  },
  {
    name: 'our own object is not called another’s',
    says: 'PAWL_ALREADY_EXISTS is not said of what an earlier run has made for this call.',
    of: isNotOthers,
  },
  {
    name: 'progress never goes back',
    says: 'No counter falls, unless the upload begins anew, or exceeds the whole.',
    of: (_scene, run) => progressIsTrue(run),
  },
  {
    name: 'the stream finishes with its object',
    says: 'finish comes when the run resolves, and only then.',
    of(_scene, { plan, outcome, hasFinished }) {
      if (plan.style === 'file' || outcome?.kind !== 'failure') return undefined
      return hasFinished ? 'it has finished, and rejects' : undefined
    },
  },
  {
    name: 'a part is told of once',
    says: 'Every part has one event, and one only, unless the upload begins anew.',
    of: ifSuccess((_scene, { parts, restarts }) => {
      const numbers = parts.map(({ partNumber }) => partNumber)
      const isOnce = new Set(numbers).size === numbers.length
      return isOnce || restarts.length > 0
        ? undefined
        : `events of parts ${numbers.join()}`
    }),
  },
  {
    name: 'a discarded upload leaves nothing',
    says: 'When discard() has resolved, neither upload nor log is there.',
    of(scene, { discarded, process }) {
      if (discarded !== 'resolved') return undefined
      const open = openUploads(scene).filter(({ isHeard }) => isHeard)
      const isThere = process.machine.disk.read(logPath) !== undefined
      if (open.length > 0) return `${open[0]?.id} is still open`
      return isThere ? 'the log is still there' : undefined
    },
  },
  {
    name: 'a part that is stored is not sent again after a plain crash',
    says: 'What the log says is stored, and is, needs no second request.',
    of: sentAgain,
  },
  {
    name: 'nobody works for ever without waiting',
    says: 'Timers, signals and everything else get their turn.',
    of: ({ world }) =>
      world.isSpinning ? 'the same work was begun again and again' : undefined,
  },
  {
    name: 'a log is written by who holds it',
    says: 'One write at a time, under the lock.',
    of: (scene) => scene.machines.flatMap(({ disk }) => disk.breaches)[0],
  },
]

/** When everything has come to its end. */
export const atTheEnd: readonly Check<[]>[] = [
  {
    name: 'a finished object stays as it is',
    says: 'Nothing that we do later changes an object that was told of.',
    of(scene) {
      if (mayBreakLater(scene) || isMixedByOthers(scene)) return undefined
      for (const run of scene.runs) {
        if (run.outcome?.kind !== 'success') continue
        const { result } = run.outcome
        const { uploadId } = result
        const broken = scene.truth.objects.find(
          ({ upload, bytes, by }) =>
            uploadId !== undefined &&
            upload?.id === uploadId &&
            !isOneOf(bytes, run.sources) &&
            !isLateVersion(scene, by, run) &&
            !isDamagedUnseen(scene, run, false),
        )
        if (broken !== undefined) return `the object of ${uploadId} has changed`
      }
      return undefined
    },
  },
  {
    name: 'no upload is left that no log knows',
    says: 'An open upload of ours is in a log, so that a later run can end it.',
    of: leftBehind,
  },
]

/** Bytes were damaged on their way where nothing that was asked could show it. */
function isDamagedUnseen(
  { world, truth: { traits } }: Scene,
  { plan }: Run,
  isPut: boolean,
): boolean {
  if (!world.happened.has('damaged-body')) return false
  // The store could have refused it, had it been told its MD5.
  if (isPut) return !traits.comparesMd5
  if (plan.verify === false || traits.digest === 'none') return true
  const isByCrc = traits.digest !== 'md5' && plan.verify !== 'md5'
  return !isByCrc && !traits.comparesMd5 && traits.etags !== 'md5'
}

/** Where ETags are not looked at, a part that comes late is in the object. */
function isMixedByOthers({ world, truth }: Scene): boolean {
  const late = ['kill', 'power-loss', 'late-effect', 'late-effect-cut']
  const mixing = [...late, 'second-machine', 'others-send-part', 'twice']
  return !truth.traits.comparesEtags && happened(world, mixing)
}

/** Where a completed upload takes parts, a late one or a copied log breaks it. */
function mayBreakLater({ world, truth }: Scene): boolean {
  const breaking = [
    'second-machine',
    'log-restored',
    'kill',
    'power-loss',
    'late-effect',
    'late-effect-cut',
  ]
  const { completedUpload, marks } = truth.traits
  // Without a mark nothing shows what a log has missed.
  const isUnseen = marks === 'dropped' && happened(world, unknownLogs)
  return completedUpload === 'listed' && (isUnseen || happened(world, breaking))
}

/** Where every Complete makes a version, an earlier run's makes one when it lands. */
function isLateVersion(
  { truth: { traits } }: Scene,
  by: Actor,
  { number }: Run,
): boolean {
  return traits.completeAgain === 'another-version' && by.run !== number
}

/** What can make a log another than the last run has left. */
const unknownLogs = [
  'log-damaged',
  'log-cut',
  'log-lost',
  'log-restored',
  'second-machine',
  'disk-full',
  'short-write',
  'disk-error',
  'hanging-disk',
  'slow-disk',
]

function happened({ happened: all }: World, names: readonly string[]): boolean {
  return names.some((name) => all.has(name))
}

/** An earlier run that has resolved with an upload. */
function toldBefore(
  { runs, world }: Scene,
  run: Run,
  uploadId: string | undefined,
): Run | undefined {
  if (uploadId === undefined || happened(world, unknownLogs)) return undefined
  return runs.find(
    ({ number, outcome }) =>
      number < run.number &&
      outcome?.kind === 'success' &&
      outcome.result.uploadId === uploadId,
  )
}

function isNotOthers(scene: Scene, run: Run): string | undefined {
  const { outcome, plan } = run
  if (outcome?.kind !== 'failure') return undefined
  const { code } = outcome.error as Failure
  const { truth, world, denied, runs } = scene
  const { traits } = truth
  const top = truth.current(key)
  const isOurs =
    top?.by.run !== undefined &&
    isOneOf(top.bytes, run.sources) &&
    top.options === run.options
  if (code !== 'PAWL_ALREADY_EXISTS' || !isOurs || !plan.log) return undefined
  const maker = runs.find(({ number }) => number === top.by.run)
  // The condition goes with Complete and PutObject: with it, it is another call.
  const { forbidOverwrite } = plan.object
  if (maker?.plan.object.forbidOverwrite !== forbidOverwrite) return undefined
  // What was proved by less than this call's proof is not known for its bytes.
  const isStronger = plan.proof === 'sha256' && maker.plan.proof !== 'sha256'
  if (isStronger && top.upload !== undefined) return undefined
  const isTold = runs.some(
    ({ outcome: other }) =>
      other?.kind === 'success' && other.result.uploadId === top.upload?.id,
  )
  // Given up by its caller, with its log.
  if (
    runs.some(
      ({ plan: { discards }, ending }) => discards || ending?.how === 'discard',
    )
  ) {
    return undefined
  }
  // Killed when its log was gone or said so already, it can only have succeeded.
  if (maker?.outcome?.kind === 'killed' && isOver(maker.leftLog)) {
    return undefined
  }
  // What is not as it was sent, by an answer, was told of as that.
  if (errorOf(maker?.outcome).completed === true) return undefined
  const canBeSeen =
    traits.marks === 'kept' &&
    traits.headLag === 0 &&
    !denied.has('headObject') &&
    !happened(world, [...unknownLogs, 'power-loss', 'right-lost', 'denied'])
  return canBeSeen && !isTold && maker.plan.log
    ? `${top.by.name} has made what is there, of these bytes and options, and nobody was told`
    : undefined
}

/** Nothing is left to do for the next run. */
function isOver(log: LogState | undefined): boolean {
  return log === undefined || (log.put ?? log.upload)?.isTold === true
}

function errorOf(outcome: Run['outcome']): Failure {
  return outcome?.kind === 'failure' ? (outcome.error as Failure) : {}
}

interface Failure {
  completed?: boolean
  code?: string
  uploadId?: string
  resumable?: boolean
  transient?: boolean
}

function ifSuccess(
  of: (scene: Scene, run: Run, result: UploadResult) => string | undefined,
): Check<[Run]>['of'] {
  return (scene, run) =>
    run.outcome?.kind === 'success'
      ? of(scene, run, run.outcome.result)
      : undefined
}

function isCrc(digest: Traits['digest']): boolean {
  return digest === 'crc64ecma' || digest === 'crc64nvme'
}

function isOneOf(bytes: Uint8Array, sources: readonly Uint8Array[]): boolean {
  return sources.some((source) => Buffer.compare(bytes, source) === 0)
}

/** What the upload of a result has made, or the put. */
function madeBy({ truth }: Scene, { uploadId }: UploadResult): StoredObject[] {
  return truth.objects.filter(({ by, upload }) =>
    uploadId === undefined
      ? upload === undefined && by.run !== undefined
      : upload?.id === uploadId && upload.by.run !== undefined,
  )
}

function ownObjects(
  scene: Scene,
  run: Run,
  result: UploadResult,
): StoredObject[] {
  return madeBy(scene, result).filter(
    ({ bytes, options }) =>
      isOneOf(bytes, run.sources) && options === run.options,
  )
}

function successIsTrue(
  scene: Scene,
  run: Run,
  result: UploadResult,
): string | undefined {
  if (ownObjects(scene, run, result).length > 0) return undefined
  if (isDamagedUnseen(scene, run, result.uploadId === undefined)) {
    return undefined
  }
  const isListed = scene.truth.traits.completedUpload === 'listed'
  const secondWriter = ['second-machine', 'log-restored']
  if (isListed && happened(scene.world, secondWriter)) return undefined
  // Where nobody compares, what others have sent to the upload is not seen.
  if (run.plan.verify === false && isMixedByOthers(scene)) return undefined
  const made = madeBy(scene, result)
  const there = scene.truth.current(key)
  // Without a mark, equal is all that can be known of an object.
  const isEqual =
    scene.truth.traits.marks === 'dropped' &&
    happened(scene.world, ['others-put-equal', 'second-machine'])
  if (made.length === 0 && isEqual) return undefined
  if (made.length === 0) {
    return `${run.actor.name} resolves, and its upload has made nothing: ${there === undefined ? 'no object is there' : `what is there was made by ${there.by.name}`}`
  }
  const ofBytes = made.filter(({ bytes }) => isOneOf(bytes, run.sources))
  // HEAD does not show what goes with Complete.
  const isOthers = ofBytes.some(({ by }) => by.run === undefined)
  if (isOthers && scene.truth.traits.dialect === 'oss') return undefined
  return ofBytes.length === 0
    ? `${run.actor.name} resolves, and its upload has made an object of other bytes`
    : `${run.actor.name} resolves with options ${ofBytes[0]?.options}, it asked for ${run.options}`
}

function resultIsTrue(
  scene: Scene,
  run: Run,
  result: UploadResult,
): string | undefined {
  const objects = ownObjects(scene, run, result)
  if (objects.length === 0) return undefined
  const { etag, size, crc64, versionId, parts, partsReused, verified } = result
  const right = objects.filter(
    (object) => object.etag.toLowerCase() === etag.toLowerCase(),
  )
  if (right.length === 0 && isRewritten(scene, run, result)) return undefined
  const isPut = result.uploadId === undefined
  if (right.length === 0 && isDamagedUnseen(scene, run, isPut)) return undefined
  // An equal object of others, where the answer to Complete had no ETag.
  const isOthers =
    scene.world.happened.has('empty-etag') &&
    scene.world.happened.has('others-put-equal')
  if (right.length === 0 && isOthers && isCrc(scene.truth.traits.digest)) {
    return undefined
  }
  if (right.length === 0 && !(etag === '' && isUntold(scene, run, objects))) {
    return `ETag ${etag}, the object's is ${objects[0]?.etag}`
  }
  const [object] = right.length === 0 ? objects : right
  if (object === undefined) return undefined
  if (size !== object.bytes.length) return `size ${size}`
  if (!objects.some((one) => one.versionId === versionId)) {
    return `version ${versionId}, the object's is ${object.versionId}`
  }
  const { digest } = scene.truth.traits
  const hasCrc = isCrc(digest)
  // Where nobody compares it, the server's word is all there is.
  const isCompared = run.plan.verify === undefined
  if (crc64 !== undefined && hasCrc && isCompared) {
    const said = scene.truth.crcOf(object)
    if (said !== crc64) return `CRC-64 ${crc64}, the object's is ${said}`
  }
  const count = object.upload === undefined ? 0 : object.upload.parts.size
  if (result.uploadId !== undefined && parts > count) {
    return `${parts} parts, ${count} were sent`
  }
  const sent = new Set(
    scene.truth.partsSent
      .filter(
        ({ by, uploadId }) =>
          by.run === run.number && uploadId === result.uploadId,
      )
      .map(({ partNumber }) => partNumber),
  )
  if (partsReused + sent.size < parts) {
    return `${partsReused} of ${parts} parts reused, ${sent.size} were sent`
  }
  if (verified === 'crc64' && !hasCrc) return `verified by a CRC-64 of nobody`
  if (verified === 'md5' && scene.truth.traits.etags !== 'md5') {
    return 'verified by MD5, where no ETag is one'
  }
  return undefined
}

/**
 * What is told of is what a tool has made of the object, with its mark and its
 * size, where these are all that can be compared.
 */
function isRewritten(
  { truth, world }: Scene,
  { plan }: Run,
  { etag, size }: UploadResult,
): boolean {
  const { digest, etags } = truth.traits
  const isMd5 = digest === 'md5' && etags === 'md5'
  const isCompared = plan.verify !== false && (isMd5 || isCrc(digest))
  if (isCompared || !world.happened.has('others-copy-mark')) return false
  return truth.objects.some(
    (object) =>
      object.by.run === undefined &&
      object.mark !== undefined &&
      object.bytes.length === size &&
      object.etag === etag,
  )
}

/** The answer had no ETag, and the object could not be asked for it. */
function isUntold(
  { truth, world, denied }: Scene,
  { plan }: Run,
  objects: readonly StoredObject[],
): boolean {
  const { completeEtag, headLag, digest, etags } = truth.traits
  const isEmpty = completeEtag === 'empty' || world.happened.has('empty-etag')
  const top = truth.current(key, headLag)
  const mayNotLook =
    denied.has('headObject') || world.happened.has('denied') || headLag > 0
  // Without a mark and without digests it cannot be known for ours.
  const isCompared = isCrc(digest) || (etags === 'md5' && plan.verify !== false)
  const isMarked = objects.every(({ mark }) => mark !== undefined)
  const isUnknown = !isMarked && !isCompared
  return (
    isEmpty &&
    (mayNotLook || isUnknown || top === undefined || !objects.includes(top))
  )
}

/** Uploads of ours that nobody has ended. */
function openUploads({ truth }: Scene): StoredUpload[] {
  return [...truth.uploads.values()].filter(
    ({ state, by }) => state === 'open' && by.run !== undefined,
  )
}

/** What can make a log forget an upload without any fault of the library. */
const forgetting = [
  'kill',
  'power-loss',
  'log-damaged',
  'log-cut',
  'log-lost',
  'log-restored',
  'second-machine',
  'disk-full',
  'short-write',
  'disk-error',
  'hanging-disk',
  'slow-disk',
]

function leftBehind(scene: Scene): string | undefined {
  const { world, machines, runs, truth } = scene
  if (forgetting.some((name) => world.happened.has(name))) return undefined
  // A run that is still going on has not written down everything yet.
  if (runs.some(({ outcome }) => outcome === undefined)) return undefined
  const states = machines.map(({ disk }) => logOn(disk))
  for (const { id, isHeard, by } of openUploads(scene)) {
    const isKnown = states.some(
      (state) =>
        openUploadIn(state)?.uploadId === id || state?.unclosed.has(id),
    )
    const run = runs.find(({ number }) => number === by.run)
    const hadLog = run?.plan.log !== false
    if (isKnown || !isHeard) continue
    // Its Complete may still come to something, or it could not be aborted.
    const isExcused =
      truth.abortsFailed.has(id) ||
      (truth.completesUnsure.has(id) &&
        (run?.uploadIdTold === id || run?.ending !== undefined))
    if (!hadLog && isExcused) continue
    return `${id} of ${by.name} is open, and ${hadLog ? 'no log names it' : 'it had no log'}`
  }
  return undefined
}

function progressIsTrue({
  progress,
  restarts,
  sources,
}: Run): string | undefined {
  const counters = [
    'bytesRead',
    'bytesSent',
    'bytesStored',
    'bytesReused',
    'bytesDone',
  ] as const
  for (const [index, now] of progress.entries()) {
    const before = progress[index - 1]
    const total = Math.max(...sources.map(({ length }) => length))
    const { bytesStored, bytesDone } = now
    if (bytesStored > bytesDone || bytesDone > total) {
      return `${bytesStored} bytes stored, ${bytesDone} done of ${total}`
    }
    if (before === undefined || restarts.includes(index)) continue
    const fallen = counters.find((counter) => now[counter] < before[counter])
    if (fallen !== undefined) {
      return `${fallen} falls from ${before[fallen]} to ${now[fallen]}`
    }
  }
  return undefined
}

function sentAgain(scene: Scene, run: Run): string | undefined {
  const { runs, truth, world, denied } = scene
  const before = runs[runs.indexOf(run) - 1]
  const isPlain =
    [...world.happened].every((name) => name === 'kill') &&
    before?.outcome?.kind === 'killed' &&
    truth.traits.listLag === 0 &&
    denied.size === 0 &&
    isSameCall(before, run)
  if (!isPlain) return undefined
  const upload = openUploadIn(before.leftLog)
  const [source] = run.sources
  for (const [number, { offset, size }] of upload?.parts ?? []) {
    const stored = truth.partsSent.findLast(
      ({ uploadId, partNumber, at }) =>
        uploadId === upload?.uploadId &&
        partNumber === number &&
        at <= run.startedAt,
    )
    // A short part is as it was only while it is the last.
    const own = source?.subarray(offset, offset + (upload?.partSize ?? size))
    if (stored === undefined || !isOneOf(stored.bytes, own ? [own] : [])) {
      continue
    }
    const again = truth.partsSent.some(
      ({ by, uploadId, partNumber }) =>
        by.run === run.number &&
        uploadId === upload?.uploadId &&
        partNumber === number,
    )
    if (again) return `part ${number} was in the log, and was sent again`
  }
  return undefined
}

function isSameCall({ plan: a }: Run, { plan: b }: Run): boolean {
  const call = ({ after: _after, sameProcess: _same, ...rest }: typeof a) =>
    JSON.stringify({ ...rest, concurrency: 0, chunk: 0 })
  return call(a) === call(b)
}
