/** What must be true when a run resolves: of its object, its result, its log. */
import type { UploadResult } from '../../../lib/upload-result.js'
import { engineTroubles } from '../engine/faults.js'
import { key, logPath } from '../places.js'
import type { Run } from '../run.js'
import type { Scene } from '../scene.js'
import type { StoredObject, StoredUpload } from '../store/truth.js'
import { epoch } from '../world.js'
import {
  ifSuccess,
  isCrc,
  isOneOf,
  madeBy,
  ownObjects,
  runOf,
  toldBefore,
  type Check,
} from './check.js'
import {
  isChangedUnseen,
  isDamagedUnseen,
  isMixedUnseen,
  isReplayed,
} from './unseen.js'

export const ofSuccess: readonly Check<[Run]>[] = [
  {
    name: 'success is an object of its own',
    says: 'A run that resolves has an object of its bytes and options, made by its upload.',
    of: ifSuccess(successIsTrue),
  },
  {
    name: 'the object was under the key',
    says: 'The object of a run that resolves was on top of its key while it ran, or the result says that it is not.',
    of: ifSuccess((scene, run, result) => {
      if (result.current === false) return undefined
      const { truth, world, heard } = scene
      const own = ownObjects(scene, run, result)
      if (own.length === 0) return undefined
      const isShown = own.some((object) =>
        // A HEAD may show what was there a while ago.
        truth.wasOnTop(
          key,
          object,
          run.startedAt - truth.traits.headLag,
          world.now,
        ),
      )
      // Without a look, or an ETag to compare, it cannot say what has precedence.
      const mayNotLook =
        heard.mayNotLook(run.number) ||
        (truth.traits.order === 'initiate' &&
          world.hasHappened(['empty-etag'], { to: run.actor.name }))
      return isShown ||
        mayNotLook ||
        isEqualOfOthers(scene, run, result) ||
        isTwin(scene, run, result) ||
        isRewritten(scene, run, result)
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
    of: ifSuccess((scene, run, { checkpointLeft }) => {
      const { plan, process, isFenced } = run
      // Whoever has it now may have ended it.
      if (!plan.log || isFenced) return undefined
      const isThere = process.machine.logs.read(logPath) !== undefined
      if (isThere === checkpointLeft) return undefined
      // Nobody has heard that it was removed: a paused process hears nothing, nor
      // does one whose disk hangs for longer than is waited for.
      const unheard = [...engineTroubles, 'hanging-disk', 'pause']
      const isUnheard =
        !isThere && scene.world.hasHappened(unheard, { to: run.actor.name })
      // It takes the log, or brings it back, and the run does not hear of it.
      const isFailedOver = scene.world.hasHappened(['failover'], {
        since: run.startedAt,
      })
      // So does an unlink of an earlier run that hung, by the name alone.
      const isUnlinked =
        !isThere &&
        scene.world.hasHappened(['late-unlink'], { since: run.startedAt })
      return isUnheard || isFailedOver || isUnlinked
        ? undefined
        : `checkpointLeft is ${checkpointLeft}, the log is ${isThere ? 'there' : 'gone'}`
    }),
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
]

/**
 * No mark shows whose an object is: none was asked for, or the store takes none, or
 * it has refused the request that had one, as for its metadata.
 */
function hasNoMark(
  { truth, heard }: Scene,
  { plan, number, startLog }: Run,
  uploadId: string | undefined,
): boolean {
  if (uploadId !== undefined) {
    return truth.uploads.get(uploadId)?.mark === undefined
  }
  if (truth.traits.marks !== 'kept' || !plan.marks) return true
  const earlier = startLog?.put?.completing
  const wasUnmarked = earlier !== undefined && earlier.mark === undefined
  return wasUnmarked || heard.putUnmarked.has(number)
}

/**
 * It was told to compare nothing, or its Complete was answered without an ETag and
 * HEAD did not show the object yet: nothing else says that a part was replaced after
 * the run had last heard of it, where Complete takes whatever is there.
 */
function comparesNothing(
  { truth, world }: Scene,
  { plan, actor }: Run,
): boolean {
  const isUntold = world.hasHappened(['empty-etag'], { to: actor.name })
  return plan.verify === false || (isUntold && truth.traits.headLag > 0)
}

function successIsTrue(
  scene: Scene,
  run: Run,
  result: UploadResult,
): string | undefined {
  if (ownObjects(scene, run, result).length > 0) return undefined
  const made = madeBy(scene, result)
  if (made.some((object) => isDamagedUnseen(scene, run, object))) {
    return undefined
  }
  // Of a store that goes on taking parts for it, or compares no ETags.
  const isUnseen = made.some(
    (object) =>
      isChangedUnseen(scene, object) ||
      isReplayed(scene, run, object) ||
      (comparesNothing(scene, run) && isMixedUnseen(scene, object, run)),
  )
  if (isUnseen) return undefined
  const there = scene.truth.current(key)
  if (isEqualOfOthers(scene, run, result)) return undefined
  if (made.length === 0) {
    return `${run.actor.name} resolves, and its upload has made nothing: ${there === undefined ? 'no object is there' : `what is there was made by ${there.by.name}`}`
  }
  const ofBytes = made.filter(({ bytes }) => isOneOf(bytes, run.sources))
  if (ofBytes.some((object) => isOthersComplete(scene, run, object))) {
    return undefined
  }
  return ofBytes.length === 0
    ? `${run.actor.name} resolves, and its upload has made an object of other bytes`
    : `${run.actor.name} resolves with options ${ofBytes[0]?.options}, it asked for ${run.options}`
}

/**
 * Another client, or a run that has the log or a copy of it, has completed our upload with the
 * very same parts: HEAD shows our
 * mark and our bytes, and not what goes with Complete, on OSS the ACL.
 */
function isOthersComplete(
  scene: Scene,
  { options, process, isFenced }: Run,
  object: StoredObject,
): boolean {
  const { dialect } = scene.truth.traits
  const maker = runOf(scene, object.by.run)
  const isOthers =
    isFenced || maker?.process.machine.logs !== process.machine.logs
  const { acl: _ours, ...asked } = JSON.parse(options)
  const { acl: _theirs, ...made } = JSON.parse(object.options)
  const isAlike = JSON.stringify(asked) === JSON.stringify(made)
  return dialect === 'oss' && isOthers && isAlike
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
  // Put again, as its answer had shown nothing: the last is what was damaged.
  const isDamaged = madeBy(scene, result).some(
    (object) => object.etag === etag && isDamagedUnseen(scene, run, object),
  )
  if (right.length === 0 && isDamaged) return undefined
  if (right.length === 0 && isEqualOfOthers(scene, run, result)) {
    return undefined
  }
  if (right.length === 0 && !(etag === '' && isUntold(scene, run, objects))) {
    return `ETag ${etag}, the object's is ${objects[0]?.etag}`
  }
  const [object] = right.length === 0 ? objects : right
  if (object === undefined) return undefined
  if (size !== object.bytes.length) return `size ${size}`
  const isVersion = objects.some((one) => one.versionId === versionId)
  if (!isVersion && !isEqualOfOthers(scene, run, result)) {
    return `version ${versionId}, the object's is ${object.versionId}`
  }
  const { digest } = scene.truth.traits
  const hasCrc = isCrc(digest)
  // Where nobody compares it, the server's word is all there is; nor can it be
  // looked at behind another's, with a part that was adopted without its own.
  const isReplaced = result.current === false && partsReused > 0
  const isUncompared = run.plan.verify !== undefined || isReplaced
  const mayBeWrong =
    isUncompared &&
    scene.world.hasHappened(['wrong-crc'], { to: run.actor.name })
  if (crc64 !== undefined && hasCrc && !mayBeWrong) {
    const said = scene.truth.crcOf(object)
    if (said !== crc64) return `CRC-64 ${crc64}, the object's is ${said}`
  }
  const count = object.parts.size
  if (result.uploadId !== undefined && parts !== count) {
    return `${parts} parts, the object has ${count}`
  }
  const asked = scene.heard.askedFor(run.number, result.uploadId)
  // A file begun anew finds what the same call had sent, where a failover has brought
  // back the upload that it had given up.
  const isBroughtBack =
    run.restarts.length > 0 &&
    scene.world.hasHappened(['failover'], { since: run.startedAt })
  if (partsReused + asked !== parts && !isBroughtBack) {
    return `${partsReused} of ${parts} parts reused, ${asked} were sent`
  }
  const callback = callbackIsTrue(run, result)
  if (callback !== undefined) return callback
  if (verified === 'crc64' && !hasCrc) return `verified by a CRC-64 of nobody`
  if (verified === 'md5' && scene.truth.traits.etags !== 'md5') {
    return 'verified by MD5, where no ETag is one'
  }
  return undefined
}

/** An answer of whom the store has called, or nobody knows whether it has. */
function callbackIsTrue(
  { plan }: Run,
  { callback, callbackBody }: UploadResult,
): string | undefined {
  const isAsked = plan.object.callback
  const isTold = (callback ?? callbackBody) !== undefined
  if (isAsked !== isTold)
    return `a callback was ${isAsked ? '' : 'not '}asked for, and is ${isTold ? '' : 'not '}told of`
  return undefined
}

/**
 * What is told of is an equal object of others. The rule: where no mark was sent, or
 * the store takes none, an object of our bytes that was not there before, of an
 * upload that is no longer listed, is taken for ours.
 */
function isEqualOfOthers(
  scene: Scene,
  run: Run,
  { etag, uploadId }: UploadResult,
): boolean {
  const { truth, heard } = scene
  const upload = truth.uploads.get(uploadId ?? '')
  const isListed = upload?.state === 'open' && !heard.saidGone.has(upload.id)
  if (!hasNoMark(scene, run, uploadId) || isListed) return false
  const since = lookedSince(scene, run, upload)
  return truth.objects.some(
    (object) =>
      object.by.run !== run.number &&
      heard.hasSeen(run.number, object) &&
      object.etag === etag &&
      object.lastModified >= since &&
      isOneOf(object.bytes, run.sources),
  )
}

/** ms, of the server's clock; what is older was there before. */
function lookedSince(
  { truth, heard }: Scene,
  { number, startLog, startedAt }: Run,
  upload: StoredUpload | undefined,
): number {
  // The library's tolerance, and whole seconds.
  if (upload !== undefined) return upload.initiated - 3000
  // It was looked before a PutObject that an earlier run has sent, or this one.
  const isEarlier = startLog?.put?.completing !== undefined
  const look = heard.looks.find(({ run }) => isEarlier || run === number)
  const { clockAhead } = truth.traits
  return epoch + clockAhead + (look?.at ?? startedAt) - 1000
}

/**
 * Another's object is on top that has the very ETag of the answer, and no mark. The
 * rule: what a HEAD shows so after a Complete that was answered is ours, and the
 * store drops marks.
 */
function isTwin(
  { truth, heard }: Scene,
  { number, sources }: Run,
  { etag }: UploadResult,
): boolean {
  return truth.objects.some(
    (object) =>
      object.by.run !== number &&
      heard.hasSeen(number, object) &&
      object.mark === undefined &&
      object.etag === etag &&
      isOneOf(object.bytes, sources),
  )
}

/**
 * What is told of is what a tool has made of the object, with its mark and its
 * size, where these are all that can be compared.
 */
function isRewritten(
  { truth, heard }: Scene,
  { plan, number }: Run,
  { etag, size }: UploadResult,
): boolean {
  const { digest, etags } = truth.traits
  const isMd5 = digest === 'md5' && etags === 'md5'
  const isCompared = plan.verify !== false && (isMd5 || isCrc(digest))
  if (isCompared) return false
  return truth.objects.some(
    (object) =>
      object.by.run === undefined &&
      heard.hasSeen(number, object) &&
      object.mark !== undefined &&
      object.bytes.length === size &&
      object.etag === etag,
  )
}

/** The answer had no ETag, and the object could not be asked for it. */
function isUntold(
  scene: Scene,
  run: Run,
  objects: readonly StoredObject[],
): boolean {
  const { truth, world, heard } = scene
  const { completeEtag, digest, etags } = truth.traits
  const isEmpty =
    completeEtag === 'empty' ||
    world.hasHappened(['empty-etag', 'callback-failed'], { to: run.actor.name })
  const seen = heard.lastLook(run.number)?.found
  const isSeen = typeof seen === 'object' && objects.includes(seen)
  // Without a mark and without digests it cannot be known for ours.
  const isCompared =
    isCrc(digest) || (etags === 'md5' && run.plan.verify !== false)
  const isMarked = objects.every(({ mark }) => mark !== undefined)
  const isUnknown = !isMarked && !isCompared
  // The rule: what has lost its mark is ours only where a store is known for that.
  const { marks, tellsNoMetadata } = truth.traits
  const isLost = run.plan.marks && marks === 'dropped' && !tellsNoMetadata
  // Without one it is ours only if it is another than was seen just before.
  const hasNoBefore = heard.wasDenied(run.number, 'headObject')
  const isAsBefore = truth.objects.some(
    (one) =>
      !objects.includes(one) && objects.some(({ etag }) => etag === one.etag),
  )
  const answeredAt = heard.completeAnswered.get(run.number) ?? 0
  const wasThere = heard.looks.some(
    ({ run: number, at, found }) =>
      number === run.number &&
      at < answeredAt &&
      objects.some((one) => one === found),
  )
  const isOld = !isMarked && (hasNoBefore || isAsBefore || wasThere)
  const isHidden = isUnknown || isLost || isOld || !isSeen
  return isEmpty && isHidden
}
