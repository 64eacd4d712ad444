/** What must be true when a run rejects: what it says of the object and the source. */
import type { LogState } from '../../../lib/checkpoint/fold.js'
import { partsNow } from '../../../lib/upload/rules/proof.js'
import { wasSentOtherwise } from '../../../lib/upload/rules/completing.js'
import { key } from '../places.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { StoredObject } from '../store/truth.js'
import {
  canCompare,
  diskTroubles,
  failureOf,
  isCrc,
  isOneOf,
  logChanges,
  runOf,
  toldBefore,
  type Check,
} from './check.js'
import { leavesOpen, logGivenTo, logOn, namesComplete } from './log.js'

export const ofFailure: readonly Check<[Run]>[] = [
  {
    name: 'a changed source is no failure after a success',
    says: 'A stream fails as changed only for an object that nobody was told of.',
    of(scene, run) {
      const { code, uploadId } = failureOf(run.outcome)
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
    name: 'an object that is there is not called refused',
    says: 'After an answer that leaves it open, no later refusal is believed without a look at the object.',
    of: isNotRefused,
  },
  {
    name: 'what a Complete that was refused has not made is not called its',
    says: 'Where each Complete that went with other options was refused for certain, the object is the call’s that has made it.',
    of: isNotContended,
  },
  {
    name: 'an outage shorter than the patience is waited out',
    says: 'A run that has heard of the store outlives a minute and a half without it.',
    of: isNotWaitedOut,
  },
]

/** What a store that is away makes a run fail with. */
const outages = [
  'PAWL_NETWORK',
  'PAWL_SERVER',
  'PAWL_TIMEOUT',
  'PAWL_RESPONSE',
  'PAWL_COMPLETE_UNKNOWN',
]

/** ms; shorter than the patience, of which a part has passed when it is seen. */
const waitedOut = 90_000

function isNotWaitedOut(scene: Scene, run: Run): string | undefined {
  const { away, heard, world } = scene
  const { code = '', status = 500 } = failureOf(run.outcome)
  // The store's own word, which it has given before: also that it cannot do it.
  if (status < 500 || status === 501) return undefined
  if (away === undefined || !outages.includes(code)) return undefined
  // A host of which nothing was heard before may be a typing error.
  const answeredAt = heard.answered.get(run.number) ?? Number.POSITIVE_INFINITY
  const isShort = away.until - away.from <= waitedOut
  const isAlone = world.hasHappenedOnly('store-away')
  return isAlone && isShort && answeredAt < away.from
    ? `${code} after the store was away for ${away.until - away.from} ms`
    : undefined
}

/** Where nothing but its own Complete can have made it, the object of a run is its own. */
function isNotContended(scene: Scene, run: Run): string | undefined {
  const { engine, truth, heard, runs, world } = scene
  const { code, uploadId } = failureOf(run.outcome)
  const top = truth.current(key)
  if (code !== 'PAWL_UPLOAD_CONTENDED' || uploadId === undefined) {
    return undefined
  }
  // A file that is written to meanwhile has several contents, of which one was named.
  const isOwn =
    top?.upload?.id === uploadId &&
    top.by.run === run.number &&
    run.sources.length === 1 &&
    isOneOf(top.bytes, run.sources) &&
    top.options === run.options
  if (!isOwn || !canCompare(scene, run)) return undefined
  // The rule: a refusal says nothing of bytes. Where Completes have named other parts, an
  // answer that shows none is no success; all that costs is to upload anew.
  const named = run.endLog?.upload?.etagsDigests.size ?? 0
  if (named > 1) return undefined
  // A look that lags shows what was there before.
  const look = heard.lastLook(run.number)
  if (look !== undefined && look.found !== top) return undefined
  // Who has lost a shared log, or has a copy of one, knows less of what others have sent.
  if (engine !== undefined || isInTwoHands(scene, uploadId)) return undefined
  const isElsewhere = runs.some((other) => {
    const { number, actor, outcome, startedAt } = other
    const inDoubt = heard.completesInDoubt(number, uploadId)
    if (other === run) return false
    if (inDoubt === undefined) {
      // The log says that it was about to send one, which it never did.
      const left = other.endLog ?? other.leftLog
      const hasInherited = namesComplete(other.startLog, uploadId)
      return namesComplete(left, uploadId) && !hasInherited
    }
    // Whoever was killed, or had no disk, could not write down how it was answered.
    const isNoted =
      outcome?.kind === 'failure' &&
      !world.hasHappened(diskTroubles, { to: actor.name }) &&
      !world.hasHappened(logChanges, { since: startedAt })
    return inDoubt > 0 || !isNoted
  })
  return isElsewhere
    ? undefined
    : `${code} is said of ${uploadId}, whose object this run has made, and every other Complete of it was refused`
}

/** What says that Complete has come to nothing. */
const refusals = [
  'PAWL_UPLOAD_GONE',
  'PAWL_COMPLETE_REFUSED',
  'PAWL_ALREADY_EXISTS',
  'PAWL_ACCESS_DENIED',
  'PAWL_SERVER',
]

/**
 * The rule: after one ambiguous attempt, in this run or by the log, every later
 * failure is looked at before it is believed. A refusal of a request none of whose
 * attempts was ambiguous is one, whatever lies under the key.
 */
function isNotRefused(scene: Scene, run: Run): string | undefined {
  const { heard, truth, world } = scene
  const { code, status = 0, message = '' } = failureOf(run.outcome)
  // A look that failed says nothing of what it was to see.
  const isOfLook = status >= 500 || message.startsWith('HEAD, to see')
  if (code === 'PAWL_SERVER' && isOfLook) return undefined
  const answeredAt = heard.completeAnswered.get(run.number)
  if (answeredAt === undefined || !refusals.includes(code ?? '')) {
    return undefined
  }
  const top = truth.current(key)
  const upload = top?.upload
  if (top === undefined || upload === undefined || top.at > answeredAt) {
    return undefined
  }
  // Refused as gone at once, what is there is ours only if its bytes can show it.
  const wasAmbiguous =
    heard.wasLeftOpen(run.number, upload.id) ||
    (canCompare(scene, run) && heard.wasLeftUnsure(run.number, upload.id)) ||
    leavesOpen(run.startLog, upload.id)
  const isOurs =
    heard.knownAt(run.number, upload.id, 1) >= 0 &&
    isOneOf(top.bytes, run.sources) &&
    top.options === run.options &&
    top.by.run !== undefined
  if (!wasAmbiguous || !isOurs || !canKnow(scene, run)) return undefined
  const maker = runOf(scene, top.by.run)
  // What went with its Complete was another call's.
  if (maker === undefined || maker.sentDigest !== run.sentDigest) {
    return undefined
  }
  if (isRefusedUnseen(scene, run, maker, top)) return undefined
  if (isOfAnother(scene, run, top)) return undefined
  // Answered as gone at once, it may be the Complete of another call that the log names.
  if (namesOtherCall(run, upload.id)) return undefined
  // Two machines had the upload in their logs: whose Complete it was cannot be told.
  if (isInTwoHands(scene, upload.id)) return undefined
  if (isBare(scene, run, top)) return undefined
  // What it saw with its mark was a tool's.
  const seen = heard.lastLook(run.number)?.found
  const isCopied = world.hasHappened(['others-copy-mark']) && seen !== top
  if (isCopied) return undefined
  return `${code} is said of ${upload.id}, whose object ${top.by.name} has made, of these bytes and options`
}

/**
 * What is refused is the Complete of another upload, begun when this one had been
 * given up. The rule: what is void is not claimed, though a Complete of it that was
 * under way lands later; what its own run had seen before that it had to claim.
 */
function isOfAnother(
  { heard }: Scene,
  { number, uploadIdTold }: Run,
  top: StoredObject,
): boolean {
  const { id = '' } = top.upload ?? {}
  if (uploadIdTold === undefined || uploadIdTold === id) return false
  const givenUpAt = heard.abortAskedAt(number, id) ?? Number.POSITIVE_INFINITY
  return !heard.looks.some(
    ({ run, at, found }) => run === number && found === top && at <= givenUpAt,
  )
}

/**
 * Whether its log says of an upload that something else went with one of its Completes
 * than with its own, and of none that it was heard. The rule: any of them may have made
 * the object, so that it is no call's.
 */
function namesOtherCall(
  { startLog, sentDigest }: Run,
  uploadId: string,
): boolean {
  const { upload } = startLog ?? {}
  if (upload?.uploadId !== uploadId) return false
  const isNamed = upload.completing !== undefined
  return isNamed && wasSentOtherwise(upload, sentDigest ?? '')
}

/** Whether the logs of two machines name an upload. */
function isInTwoHands({ machines }: Scene, uploadId: string): boolean {
  const logs = [...new Set(machines.map((machine) => machine.logs))]
  const states = logs.map((log) => logOn(log))
  return (
    logs.length > 1 &&
    states.every((state) => state?.uploadIds.has(uploadId) === true)
  )
}

/** It may look, and what it sees shows whose that is. */
function canKnow({ heard, truth }: Scene, { number, plan }: Run): boolean {
  const { marks, headLag } = truth.traits
  return (
    !heard.mayNotLook(number) && marks === 'kept' && plan.marks && headLag === 0
  )
}

function isNotOthers(scene: Scene, run: Run): string | undefined {
  const { outcome, plan } = run
  if (failureOf(outcome).code !== 'PAWL_ALREADY_EXISTS') return undefined
  const { truth, runs, world } = scene
  const top = truth.current(key)
  const maker = runOf(scene, top?.by.run)
  const isOurs =
    isOneOf(top?.bytes ?? new Uint8Array(), run.sources) &&
    top?.options === run.options
  if (top === undefined || maker === undefined || !isOurs) return undefined
  if (!plan.log || !maker.plan.log || !canKnow(scene, run)) return undefined
  // The condition and the callback go with it: with others it is another call.
  if (maker.sentDigest !== run.sentDigest) return undefined
  // Whether it carries a mark is fixed when it is begun, as its metadata is.
  if (maker.plan.marks !== plan.marks) return undefined
  // What was proved by less than this call's proof is not known for its bytes.
  const { upload } = top
  const isWeaker = runs.some(
    (other) =>
      other.number <= maker.number &&
      other.plan.proof !== 'sha256' &&
      scene.heard.knownAt(other.number, upload?.id ?? '', 1) >= 0,
  )
  if (plan.proof === 'sha256' && isWeaker) return undefined
  const isTold = runs.some(
    ({ outcome: other }) =>
      other?.kind === 'success' &&
      (top.upload === undefined
        ? other.result.uploadId === undefined
        : other.result.uploadId === top.upload.id),
  )
  // A file that is written to meanwhile cannot be held against it.
  const isChanging = world.hasHappened(['file-changes'], { to: run.actor.name })
  if (isChanging) return undefined
  // It goes on, and may tell of it yet.
  if (maker !== run && maker.outcome === undefined) return undefined
  // What is not as it was sent, by an answer, was told of as that.
  const isDamaged = failureOf(maker.outcome).completed === true
  if (isTold || isDamaged || isGivenUp(scene, run, top)) return undefined
  if (isLatePut(scene, maker, top)) return undefined
  if (isOvertaken(scene, run, top)) return undefined
  if (hasComeSince(scene, run, top)) return undefined
  if (isBare(scene, run, top)) return undefined
  if (isUnproved(scene, run, maker, top)) return undefined
  if (top.upload !== undefined && namesOtherCall(run, top.upload.id)) {
    return undefined
  }
  if (isRefusedUnseen(scene, run, maker, top)) return undefined
  if (hasForgotten(scene, run, maker, top)) return undefined
  return `${top.by.name} has made what is there, of these bytes and options, and nobody was told`
}

/**
 * A PutObject that came when its run had seen another's object and ended for that,
 * and a store that ignores the condition. The rule: what is refused for an object
 * that was seen leaves no log.
 */
function isLatePut(
  { truth }: Scene,
  { outcome, endedAt }: Run,
  { upload, at }: StoredObject,
): boolean {
  const isIgnored = truth.traits.putCondition === 'ignored'
  const isRefused = failureOf(outcome).code === 'PAWL_ALREADY_EXISTS'
  return isIgnored && upload === undefined && isRefused && at >= endedAt
}

/**
 * An earlier run's Complete, or an own one of a file that was begun anew, came between
 * the last look of a run that has given the upload up and its Abort: nobody could look
 * later, and what is void is not claimed, by that run or any after it. After an own one
 * that was in doubt it had to look.
 */
function isOvertaken(
  { heard, runs }: Scene,
  run: Run,
  top: StoredObject,
): boolean {
  const { upload } = top
  if (upload === undefined) return false
  return runs.some(({ number, startLog, process }) => {
    const abortedAt = heard.abortAskedAt(number, upload.id)
    const look = heard.lastLook(number, abortedAt)
    const isOwn = heard.wasLeftOpen(number, upload.id)
    const answeredAt = heard.completeAnswered.get(number) ?? 0
    const hasLooked = look !== undefined && look.at >= answeredAt
    return (
      number <= run.number &&
      process.machine.logs === run.process.machine.logs &&
      (namesComplete(startLog, upload.id) || (isOwn && hasLooked)) &&
      abortedAt !== undefined &&
      look !== undefined &&
      look.found !== 'refused' &&
      look.found !== top &&
      look.at <= top.at
    )
  })
}

/**
 * Its last look has shown another's object, and an earlier run's Complete came after
 * that. The rule: where overwriting is forbidden, what is seen ends a run.
 */
function hasComeSince(
  { heard }: Scene,
  { number }: Run,
  top: StoredObject,
): boolean {
  const look = heard.lastLook(number)
  if (look === undefined || typeof look.found === 'string') return false
  return top.by.run !== number && look.found !== top && look.at <= top.at
}

/** Nothing is left to do for the next run. */
function isOver(log: LogState | undefined): boolean {
  return log === undefined || (log.put ?? log.upload)?.isTold === true
}

/** All that follows in a shared log is its removal, which may arrive later. */
function isBeingRemoved({ engine }: Scene, log: LogState | undefined): boolean {
  return engine !== undefined && isDoneIn(log)
}

/** What it speaks of is complete: all that follows is its removal. */
function isDoneIn(log: LogState | undefined): boolean {
  return (log?.put ?? log?.upload)?.done !== undefined
}

/**
 * The server took no mark, and nothing shows the object's bytes, or it lists what is
 * complete. The rule: size alone is never proof, nor are equal bytes while the upload
 * is listed.
 */
function isBare(
  { truth }: Scene,
  { plan }: Run,
  { mark, upload }: StoredObject,
): boolean {
  const { digest, etags, completedUpload } = truth.traits
  const isCompared = isCrc(digest) || (etags === 'md5' && plan.verify !== false)
  const isListed = upload !== undefined && completedUpload === 'listed'
  return mark === undefined && (!isCompared || isListed)
}

/**
 * Nothing shows the object's bytes, and its Complete, which the network had doubled,
 * was answered as if somebody else had completed the upload; or the log has lost
 * records of the parts that it named. The rule: mark and size alone are no proof then.
 */
function isUnproved(
  scene: Scene,
  run: Run,
  maker: Run,
  { upload }: StoredObject,
): boolean {
  if (upload === undefined) return false
  const { heard } = scene
  const isDoubled =
    heard.wasDoubled(maker.number, 'completeUpload') &&
    !heard.wasLeftOpen(maker.number, upload.id)
  if (isDoubled && !canCompare(scene, run)) return true
  const logged = run.startLog?.upload
  const hasLost =
    logged?.uploadId === upload.id &&
    logged.completing !== undefined &&
    partsNow(logged, logged.completing) === 'unknown'
  // Neither CRC-64 nor MD5 stands for a SHA-256.
  return hasLost && (!canCompare(scene, run) || run.plan.proof === 'sha256')
}

/**
 * Its Complete or PutObject, which the network had doubled, was refused at once for
 * what it had itself made, and its run might not look, or was denied the one look of
 * it. The rule: a refusal of a request none of whose attempts was ambiguous is one;
 * nothing of it is left to be claimed.
 */
function isRefusedUnseen(
  { heard }: Scene,
  { startLog }: Run,
  { number, outcome }: Run,
  { upload }: StoredObject,
): boolean {
  if (upload === undefined) {
    const { code } = failureOf(outcome)
    const isRefused = code === 'PAWL_ALREADY_EXISTS'
    return (
      isRefused &&
      heard.mayNotLook(number) &&
      heard.wasDoubled(number, 'putObject')
    )
  }
  const look = heard.lastLook(number, heard.abortAskedAt(number, upload.id))
  const mayNotLook = heard.mayNotLook(number) || look?.found === 'refused'
  return (
    mayNotLook &&
    heard.wasDoubled(number, 'completeUpload') &&
    !heard.wasLeftOpen(number, upload.id) &&
    startLog?.upload?.uploadId !== upload.id
  )
}

/**
 * An earlier run has given the upload up: the failure names it, or the log does beside
 * the one that was begun after it. The rule: what is void is not claimed, whatever a
 * Complete that was under way makes of it.
 */
function isGivenUp(scene: Scene, run: Run, { upload }: StoredObject): boolean {
  if (upload === undefined) return false
  const given = logGivenTo(scene, run)
  const logged = given?.upload
  const isLeft = logged !== undefined && logged.uploadId !== upload.id
  return (
    (isLeft && given?.uploadIds.has(upload.id) === true) ||
    (logged?.voided !== undefined &&
      logged.uploadId === upload.id &&
      logged.uploadId === run.uploadIdTold)
  )
}

/**
 * The copy of a log names another call's Complete of the upload, and not that of the
 * run which had the log before: whose the object is cannot be told from it.
 */
function isAnotherCalls(
  { startLog, sentDigest, process }: Run,
  maker: Run,
  upload: StoredObject['upload'],
): boolean {
  const named = startLog?.upload
  return (
    maker.process.machine.logs !== process.machine.logs &&
    named !== undefined &&
    named.uploadId === upload?.id &&
    named.completing?.sentDigest !== sentDigest
  )
}

/**
 * A run was killed when its log said that the result is handed out, and nobody had
 * heard of it. The rule: `told` comes first, and after it nothing is claimed.
 */
function wasToldToNobody(
  { runs }: Scene,
  { number, startLog, process }: Run,
  maker: Run,
  { upload, mark }: Pick<StoredObject, 'upload' | 'mark'>,
): boolean {
  const isToldIn = (log: LogState | undefined): boolean =>
    upload === undefined
      ? log?.put?.isTold === true && log.put.completing?.mark === mark
      : log?.upload?.isTold === true && log.upload.uploadId === upload.id
  return (
    isToldIn(startLog) &&
    runs.some(
      (run) =>
        run.number >= maker.number &&
        run.number < number &&
        run.process.machine.logs === process.machine.logs &&
        run.outcome?.kind === 'killed' &&
        isToldIn(run.leftLog),
    )
  )
}

/** The log that this run began with knows nothing of the object, and need not. */
function hasForgotten(
  scene: Scene,
  run: Run,
  maker: Run,
  { upload, mark }: StoredObject,
): boolean {
  if (maker === run) return false
  const { runs, world } = scene
  if (wasToldToNobody(scene, run, maker, { upload, mark })) return true
  const given = logGivenTo(scene, run)
  const isNamed =
    upload === undefined
      ? given?.put?.completing !== undefined &&
        given.put.completing.mark === mark
      : namesComplete(given, upload.id)
  if (isNamed && !isAnotherCalls(run, maker, upload)) return false
  // Another machine's log names what that has made.
  if (maker.process.machine.logs !== run.process.machine.logs) return true
  const between = runs.filter(
    ({ number }) => number >= maker.number && number < run.number,
  )
  // Given up by its caller, with its log.
  const isDiscarded = between.some(
    ({ plan: { discards }, ending, discarded, outcome }) =>
      (discards || ending?.how === 'discard') &&
      (discarded === 'resolved' || outcome?.kind === 'killed'),
  )
  // Killed when its log was gone or said so already, it can only have succeeded.
  const hasSucceeded = between.some(
    ({ outcome, leftLog, startLog: began, plan, process, number }) =>
      plan.log &&
      process.machine.logs === run.process.machine.logs &&
      outcome?.kind === 'killed' &&
      (number === maker.number || began !== undefined) &&
      (isOver(leftLog) || isBeingRemoved(scene, leftLog)),
  )
  // Ended by its caller while a disk kept the log from being removed, which it then was.
  const isCutOff = between.some(
    ({ ending, endLog, startLog: began, actor, number }) =>
      ending !== undefined &&
      (isOver(endLog) || isDoneIn(endLog)) &&
      (number === maker.number || began !== undefined) &&
      world.hasHappened(['slow-disk', 'hanging-disk'], { to: actor.name }),
  )
  return (
    isDiscarded ||
    hasSucceeded ||
    isCutOff ||
    world.hasHappened(logChanges, { since: maker.startedAt })
  )
}
