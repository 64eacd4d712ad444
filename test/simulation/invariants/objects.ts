/** What must be true of every object that a run makes, when it is made and later. */
import type { CompleteUploadRequest } from '../store/contract.js'
import type { StoredObject } from '../store/truth.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import { isOneOf, runOf, type Check } from './check.js'
import { logIn, namesComplete } from './log.js'
import {
  isChangedUnseen,
  isDamagedUnseen,
  isMixedUnseen,
  isReplayed,
} from './unseen.js'

/** When a Complete or a PutObject is about to be sent. */
export const onMaking: readonly Check<[Run]>[] = [
  {
    name: 'what makes an object is sent under the lease',
    says: 'Who has heard nothing of a shared log for half a lease asks for it first.',
    of({ engine, plan: { lease } }, { actor, number, plan }) {
      if (engine === undefined || lease === undefined || !plan.log) {
        return undefined
      }
      const silence = engine.silence(number)
      return silence <= lease.lease / 2
        ? undefined
        : `${actor.name} has last heard of its log ${silence} ms ago`
    },
  },
]

/** When a Complete is about to be sent. */
export const onComplete: readonly Check<[Run, CompleteUploadRequest]>[] = [
  {
    name: 'Complete names what its upload was told of',
    says: 'Every ETag was in an answer to a part of this upload, or in its list.',
    of({ heard }, { actor }, { uploadId, parts }) {
      const wrong = parts.find((part) => !heard.hasNamed(uploadId, part))
      return wrong === undefined
        ? undefined
        : `${actor.name} names part ${wrong.partNumber} of ${uploadId} by an ETag that nobody has given for it`
    },
  },
]

/** When an object is made: of whom, and what was on top before. */
export const onMade: readonly Check<
  [StoredObject, StoredObject | undefined]
>[] = [
  {
    name: 'an object is one run’s whole source',
    says: 'Whatever a run makes is all the bytes of its own source.',
    of(scene, object) {
      const { by, bytes } = object
      const run = runOf(scene, by.run)
      if (run === undefined || isOneOf(bytes, run.sources)) return undefined
      if (isDamagedUnseen(scene, run, object)) return undefined
      if (isMixedUnseen(scene, object, run)) return undefined
      const other = scene.runs.find(({ sources }) => isOneOf(bytes, sources))
      return `${by.name} has made an object of ${bytes.length} bytes that is ${other === undefined ? 'no source of any run' : `the source of ${other.actor.name}`}`
    },
  },
  {
    name: 'an object has its run’s options',
    says: 'Whatever a run makes has the options of that run.',
    of(scene, { by, options }) {
      const run = runOf(scene, by.run)
      if (run === undefined || run.options === options) return undefined
      return `${by.name} asked for ${run.options} and has made ${options}`
    },
  },
  {
    name: 'what must not be overwritten is not',
    says: 'With forbidOverwrite nothing of others is replaced that a look before Complete or PutObject has to show.',
    of(scene, { by, isShown, sentAt }, before) {
      const run = runOf(scene, by.run)
      if (!run?.plan.object.forbidOverwrite || before === undefined)
        return undefined
      // One of our own that no caller has heard of is the claim’s business.
      if (!isShown || before.by.run !== undefined) return undefined
      // It was under way already: no later look can call it back.
      if (sentAt <= before.at) return undefined
      // Who may not look leaves it to the server.
      if (scene.heard.mayNotLook(by.run, sentAt)) return undefined
      return before.at < mustHaveLookedAt(scene, run, sentAt)
        ? `${by.name} has replaced what ${before.by.name} had put there`
        : undefined
    },
  },
  {
    name: 'never an older run’s bytes after a newer one’s',
    says: 'What a run completes that had a shared log replaces nothing of a run that had it later.',
    of: (scene, object, before) =>
      isOldOverNew(scene, object, before)
        ? `${object.by.name} has replaced the object of ${before?.by.name}, which had the log after it`
        : undefined,
  },
  {
    name: 'nothing of an earlier run replaces what was told of',
    says: 'A Complete that may be under way, by the log of a later run, is dead before that succeeds.',
    of(scene, { by, upload, isShown }, before) {
      const { runs, truth } = scene
      // A repeated Complete makes a version of what is there already.
      if (truth.traits.completeAgain === 'another-version') return undefined
      if (by.run === undefined || upload === undefined || !isShown) {
        return undefined
      }
      const number = by.run
      const later = runs.find(
        ({ number: other, outcome, startLog }) =>
          other > number &&
          outcome?.kind === 'success' &&
          before?.by.run === other &&
          before.upload !== upload &&
          namesComplete(startLog, upload.id),
      )
      return later === undefined
        ? undefined
        : `${by.name} has replaced the object of ${later.actor.name}, which had resolved`
    },
  },
]

/** Between machines that share a log, beside what holds for one. */
function isOldOverNew(
  { engine, world, runs, truth }: Scene,
  { by, bytes, options, upload, isShown, at }: StoredObject,
  before: StoredObject | undefined,
): boolean {
  // PutObject has no upload that could be ended: the last one wins.
  if (engine === undefined || upload === undefined || !isShown) return false
  const [run, other] = [by.run, before?.by.run]
  if (before === undefined || run === undefined || other === undefined) {
    return false
  }
  const isSame = before.options === options && isOneOf(bytes, [before.bytes])
  if (isSame || !engine.isOlder(run, other)) return false
  // Its Complete had been repeated before it landed: the upload was over for both.
  const isRepeated = truth.objects.some(
    (object) => object.upload === upload && object.at < at,
  )
  if (isRepeated && truth.traits.completeAgain === 'another-version') {
    return false
  }
  // A failover has taken the upload's ID from the log that the newer was given.
  const startedAt = runs.find(({ number }) => number === run)?.startedAt ?? 0
  const given = logIn(engine.givenTo(other))
  const isForgotten =
    world.hasHappened(['failover'], { since: startedAt }) &&
    given?.uploadIds.has(upload.id) !== true
  return !isForgotten
}

/** When everything has come to its end. */
export const ofObjectsAtTheEnd: readonly Check<[]>[] = [
  {
    name: 'a finished object stays as it is',
    says: 'Nothing that we do later changes an object that was told of.',
    of(scene) {
      for (const run of scene.runs) {
        if (run.outcome?.kind !== 'success') continue
        const { uploadId } = run.outcome.result
        const broken = scene.truth.objects.find(
          (object) =>
            uploadId !== undefined &&
            object.upload?.id === uploadId &&
            !isOneOf(object.bytes, run.sources) &&
            !isLateVersion(scene, object, run) &&
            !isDamagedUnseen(scene, run, object) &&
            !isMixedUnseen(scene, object, run) &&
            !isReplayed(scene, run, object) &&
            !isChangedUnseen(scene, object),
        )
        if (broken !== undefined) return `the object of ${uploadId} has changed`
      }
      return undefined
    },
  },
]

/** Where every Complete makes a version, an earlier run's makes one when it lands. */
function isLateVersion(
  { truth: { traits } }: Scene,
  { by }: StoredObject,
  { number }: Run,
): boolean {
  return traits.completeAgain === 'another-version' && by.run !== number
}

/**
 * The rule: it is looked before the first byte, and again before `completing`.
 * Nobody can see what comes between that look and the request.
 */
function mustHaveLookedAt(
  { heard, truth }: Scene,
  run: Run,
  until: number,
): number {
  // A later look calls back nothing that is on its way.
  const look = heard.lastLook(run.number, until)
  const part = truth.partsSent.findLast(
    ({ by, at }) => by.run === run.number && at <= until,
  )
  return (
    Math.max(run.startedAt, look?.at ?? 0, part?.at ?? 0) - truth.traits.headLag
  )
}
